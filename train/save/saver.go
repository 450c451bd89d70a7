package save

import (
	"errors"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
)

// Config says what a Saver saves and where.
type Config struct {
	FS     vfs.FS
	RunDir string
	Keep   int // checkpoints kept, 0 = all
	Share  Share
	Ranks  *ranks.Coordinator
	Store  *exec.Store
	// Async lets steps go on while a checkpoint is written.
	Async bool
	// Log is that of the metrics on rank 0: what it holds back is written before a
	// checkpoint, whose steps are not repeated.
	Log *metrics.Log
}

// Saver saves a run. Every rank calls the same methods in the same order. It is not
// safe for concurrent use.
type Saver struct {
	cfg      Config
	snapshot *exec.Snapshot // nil when steps wait for saves
	flight   *flight        // a save in flight, or nil
}

// Point is where a run stands at a save.
type Point struct {
	State State
	Best  int64 // step of the checkpoint that the link best names, 0 for none
}

// Done is a save that has ended.
type Done struct {
	Step  int
	Saved checkpoint.Saved
	Err   error
}

// New returns a Saver; an asynchronous one allocates the memory that it writes from.
func New(cfg Config) (*Saver, error) {
	s := &Saver{cfg: cfg}
	if !cfg.Async {
		return s, nil
	}
	copied, constant := cfg.Share.toCopy(cfg.Store.Backend().Target())
	var err error
	s.snapshot, err = exec.NewSnapshot(cfg.Store, copied, constant)
	return s, err
}

// Bytes is the memory that asynchronous saves write from.
func (s *Saver) Bytes() int64 {
	if s.snapshot == nil {
		return 0
	}
	return s.snapshot.Bytes()
}

// SetLog gives the log that New's configuration left out.
func (s *Saver) SetLog(log *metrics.Log) { s.cfg.Log = log }

// Close frees the memory.
func (s *Saver) Close() {
	if s.snapshot != nil {
		s.snapshot.Close()
	}
}

// Async tells whether steps go on while a checkpoint is written.
func (s *Saver) Async() bool { return s.snapshot != nil }

// Save writes a checkpoint of the current state while the step waits.
func (s *Saver) Save(p Point) Done {
	w := s.prepare(p, s.cfg.Store)
	saved, err := w.write(s.cfg.Ranks.ExchangeTexts)
	return Done{w.step, saved, err}
}

// toCopy tells which of the states that a save reads an asynchronous one copies. The
// others never change and lie in memory of the process.
func (s Share) toCopy(target plan.Target) (copied, constant []string) {
	frozen := s.constant()
	for _, name := range s.reads() {
		if frozen[name] && target.HostMemory {
			constant = append(constant, name)
		} else {
			copied = append(copied, name)
		}
	}
	return copied, constant
}

// SnapshotBytes is the memory that asynchronous saves of the share take, of states
// with these sizes.
func (s Share) SnapshotBytes(states []*ir.Value, target plan.Target) int64 {
	size := map[string]int64{}
	for _, v := range states {
		size[v.Name] = (v.Bytes() + 3) &^ 3 // what exec.Snapshot takes
	}
	copied, _ := s.toCopy(target)
	var n int64
	for _, name := range copied {
		n += size[name]
	}
	return n
}

// Waited is a save that waited for an earlier one: a disk that does not keep up.
type Waited struct {
	Step   int
	For    int // step of the earlier save
	Waited time.Duration
}

// ErrRunEnds ends a save that other ranks will not agree on any more.
var ErrRunEnds = errors.New("the run ends")
