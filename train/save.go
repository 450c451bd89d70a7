package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"gotrain/autograd/mesh"
	"io"

	"gotrain/data/vfs"
	"gotrain/nn/hub"
	"gotrain/nn/hub/manifest"
	"gotrain/train/checkpoint"
	"gotrain/train/metrics"
	"gotrain/train/ranks"
)

// save is a checkpoint in the making. What it needs of the run is copied or does
// not change, so that write can go on beside the steps.
type save struct {
	fsys    vfs.FS
	runDir  string
	rank    mesh.Rank
	step    int
	keep    int
	best    int64
	files   []checkpoint.File // of this rank
	log     *metrics.Log      // of rank 0
	refused error             // what keeps this rank from saving
	ended   <-chan struct{}   // closed when it is not to go on; nil for never
}

// agreement tells the other ranks what this one has come to, a text or an error,
// and returns the texts of all, or an error on all of them.
type agreement func(text string, failed error) ([]string, error)

// prepare makes a save of where the run stands, with tensors from from. Its errors
// are those of the save, so that the other ranks learn of them.
func (r *run) prepare(from hub.States) *save {
	s := &save{fsys: r.deps.FS, runDir: r.cfg.Run.Dir, rank: r.cfg.Rank, step: r.state.Step, keep: r.cfg.Train.Keep, best: r.bestStep()}
	s.files = shareOf(r.cfg, r.model, r.engine.Programs()).files(r.cfg.Rank, from)
	if !s.rank.First() {
		return s
	}
	beside, err := r.filesBeside(from)
	s.files, s.log = append(s.files, beside...), r.recorder.log
	s.refused = errors.Join(err, s.log.Flush())
	return s
}

// write writes and syncs the files of this rank and, once all ranks have done so,
// has rank 0 commit the checkpoint. An error, on all ranks, leaves the older ones
// as they were. Every rank comes to the same agreements.
func (s *save) write(agree agreement) (checkpoint.Saved, error) {
	w, err := s.begin()
	if _, err = agree("", err); err != nil {
		return s.abort(w, err)
	}
	mine, err := s.writeFiles(w)
	all, err := agree(mine, err)
	if err != nil {
		return s.abort(w, err)
	}
	saved, err := s.commit(w, all)
	all, err = agree(saved.Path, err)
	if err != nil {
		return checkpoint.Saved{}, err
	}
	saved.Path = all[0]
	return saved, nil
}

// begin has rank 0 make the directory, in which the others join it.
func (s *save) begin() (*checkpoint.Writer, error) {
	if s.refused != nil || !s.rank.First() {
		return checkpoint.Join(s.fsys, s.runDir, int64(s.step)), s.refused
	}
	w, err := checkpoint.Begin(s.fsys, s.runDir, int64(s.step))
	if err == nil {
		w.NameBest(s.best)
	}
	return w, err
}

// abort has rank 0 delete what was written.
func (s *save) abort(w *checkpoint.Writer, err error) (checkpoint.Saved, error) {
	if s.rank.First() && w != nil {
		err = errors.Join(err, w.Abort())
	}
	return checkpoint.Saved{}, err
}

// writeFiles returns the entries of the rank's files, as JSON.
func (s *save) writeFiles(w *checkpoint.Writer) (string, error) {
	entries := []manifest.Entry{}
	for _, f := range s.files {
		content := f.Write
		f.Write = func(w io.Writer) error { return content(until{w, s.ended}) }
		e, err := w.Write(f)
		if err != nil {
			return "", err
		}
		entries = append(entries, e)
	}
	if s.log != nil {
		if err := s.log.Sync(); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(entries)
	return string(text), err
}

// until writes until ended is closed.
type until struct {
	io.Writer
	ended <-chan struct{}
}

func (u until) Write(p []byte) (int, error) {
	select {
	case <-u.ended:
		return 0, errRunEnds
	default:
		return u.Writer.Write(p)
	}
}

// commit has rank 0 make the checkpoint the newest, with the files of all ranks.
func (s *save) commit(w *checkpoint.Writer, all []string) (checkpoint.Saved, error) {
	if !s.rank.First() {
		return checkpoint.Saved{}, nil
	}
	var others []manifest.Entry
	for rank, text := range all {
		if rank == s.rank.Index() {
			continue
		}
		var entries []manifest.Entry
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return s.abort(w, fmt.Errorf("entries of rank %d: %w", rank, err))
		}
		others = append(others, entries...)
	}
	return w.Commit(s.keep, others...)
}

// save writes a checkpoint of the current state while the step waits.
func (r *run) save() error {
	s := r.prepare(r.engine.Store())
	saved, err := s.write(r.ranks.exchange)
	return r.note(s.step, saved, err)
}

// note takes the end of a save of step into account.
func (r *run) note(step int, saved checkpoint.Saved, err error) error {
	if err != nil {
		return err
	}
	r.savedStep, r.result.Checkpoint = step, saved.Path
	if r.cfg.Rank.First() {
		for _, e := range saved.Events {
			notify(r.deps.Listener.Checkpoint, e)
		}
		notify(r.deps.Listener.Saved, saved)
	}
	return nil
}

// saveOrWarn saves in the middle of a run, where a full disk costs a checkpoint
// but not the run. While an earlier save is in flight it waits.
func (r *run) saveOrWarn() {
	if r.snapshot == nil {
		r.warn(r.save())
		return
	}
	if began, earlier := r.deps.Now(), r.awaitSave(); earlier > 0 {
		notify(r.deps.Listener.SaveWaited, SaveWaited{Step: r.state.Step, For: earlier, Waited: r.deps.Now().Sub(began)})
	}
	r.beginSave()
}

// warn tells of a save that failed, and on which rank. If it failed because a rank
// has gone, training does not go on: the next step tells of that.
func (r *run) warn(err error) {
	var failed peersFailed
	if err == nil || errors.Is(err, ranks.ErrPeer) && !errors.As(err, &failed) {
		return
	}
	if !r.cfg.Rank.Alone() && !errors.Is(err, ranks.ErrPeer) {
		err = fmt.Errorf("rank %d failed: %w", r.cfg.Rank.Index(), err)
	}
	notify(r.deps.Listener.SaveFailed, err)
}
