package checkpoint

import (
	"sync"

	"gotrain/train/vfs"
)

// Saver saves in the background, one checkpoint at a time, while the run goes
// on. The files of a submitted checkpoint must write from a snapshot that nobody
// changes until its report. Submit and Wait belong to one goroutine.
type Saver struct {
	fsys   vfs.FS
	runDir string
	report func(Saved, error)

	inFlight sync.WaitGroup
	err      error // of the last save; inFlight orders its use
}

// NewSaver gives a Saver into a run directory. After each save report gets what
// Save returned, on the Saver's goroutine.
func NewSaver(fsys vfs.FS, runDir string, report func(Saved, error)) *Saver {
	return &Saver{fsys: fsys, runDir: runDir, report: report}
}

// Submit starts to save c, waiting first for a save in flight.
func (s *Saver) Submit(c Checkpoint) {
	s.inFlight.Wait()
	s.inFlight.Go(func() {
		saved, err := Save(s.fsys, s.runDir, c)
		s.err = err
		s.report(saved, err)
	})
}

// Wait waits for the save in flight and returns the error of the last save: nil
// means that everything submitted last is on disk.
func (s *Saver) Wait() error {
	s.inFlight.Wait()
	return s.err
}
