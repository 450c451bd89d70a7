package checkpoint

import "example.com/gotrain/data/vfs"

// Checkpoint is what Save writes.
type Checkpoint struct {
	Step  int64  // optimizer steps done, 0 ≤ Step
	Keep  int    // newest checkpoints to keep, this one included; 0 keeps all
	Best  int64  // step of the checkpoint that the link best names and that is kept, 0 for none
	Files []File // written in this order
}

// Save writes c as a process that is alone does.
func Save(fsys vfs.FS, runDir string, c Checkpoint) (Saved, error) {
	w, err := Begin(fsys, runDir, c.Step)
	if err != nil {
		return Saved{}, err
	}
	w.NameBest(c.Best)
	for _, f := range c.Files {
		if _, err := w.Write(f); err != nil {
			return Saved{}, w.abandon(err)
		}
	}
	return w.Commit(c.Keep)
}
