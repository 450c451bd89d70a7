package train

import (
	"errors"
	"gotrain/autograd/mesh"
	"slices"
	"time"

	"gotrain/autograd/exec"
	"gotrain/autograd/plan"
	"gotrain/nn"
	"gotrain/train/checkpoint"
)

// A save beside the steps writes from an exec.Snapshot on a goroutine of its own.
// Collectives may not run beside those of the steps, so it comes to its agreements
// through the loop: each rank reports at every step whether its save waits for the
// others, and once all do, they meet there. At most one save is in flight; who
// needs its end meets with the others until then.

// saving is a save in flight.
type saving struct {
	step   int
	asks   chan question // from the save
	heard  chan answer   // to the save
	done   chan outcome  // its end, buffered
	gone   chan struct{} // closed when nobody answers any more
	asking *question     // that waits for the other ranks
}

type question struct {
	text   string
	failed error
}

type answer struct {
	texts []string
	err   error
}

type outcome struct {
	saved checkpoint.Saved
	err   error
}

// errRunEnds ends a save that other ranks will not agree on any more.
var errRunEnds = errors.New("the run ends")

// stateToCopy tells which of the states that a save reads the snapshot copies. The
// others never change and lie in memory of the process.
func stateToCopy(s share, p mesh.Rank, m nn.Model, target plan.Target) (copied, constant []string) {
	frozen := map[string]bool{}
	for _, param := range m.Params() {
		frozen[param.State()] = param.Frozen && target.HostMemory
	}
	for _, name := range s.reads(p) {
		if frozen[name] {
			constant = append(constant, name)
		} else {
			copied = append(copied, name)
		}
	}
	return copied, constant
}

// snapshotBytes is the memory of the snapshot of this rank, 0 where none is made.
func snapshotBytes(cfg Config, m nn.Model, programs *Programs, target plan.Target) int64 {
	if !cfg.savesBeside(target) {
		return 0
	}
	copied, _ := stateToCopy(shareOf(cfg, m, programs), cfg.Rank, m, target)
	var n int64
	for _, v := range programs.States() {
		if _, ok := slices.BinarySearch(copied, v.Name); ok {
			n += v.Bytes()
		}
	}
	return n
}

// newSnapshot allocates what saves beside the steps write from, nil where steps
// wait for saves.
func newSnapshot(cfg Config, e *Engine) (*exec.Snapshot, error) {
	target := e.store.Backend().Target()
	if !cfg.savesBeside(target) {
		return nil, nil
	}
	copied, constant := stateToCopy(shareOf(cfg, e.model, e.programs), cfg.Rank, e.model, target)
	return exec.NewSnapshot(e.store, copied, constant)
}

// beginSave copies the state and begins to write it. No other save is in flight.
func (r *run) beginSave() {
	taken := r.snapshot.Take()
	s := r.prepare(r.snapshot)
	s.refused = errors.Join(s.refused, taken)
	f := &saving{step: s.step, asks: make(chan question), heard: make(chan answer), done: make(chan outcome, 1), gone: make(chan struct{})}
	agree := f.ask
	if r.cfg.Rank.Alone() {
		agree = r.ranks.exchange // there is nobody to wait for
	} else {
		s.ended = f.gone // the others wait for this process to end
	}
	go func() {
		saved, err := s.write(agree)
		f.done <- outcome{saved, err}
	}()
	r.saving = f
}

// ask is the agreement of a save in flight.
func (f *saving) ask(text string, failed error) ([]string, error) {
	select {
	case f.asks <- question{text, failed}:
	case <-f.gone:
		return nil, errors.Join(failed, errRunEnds)
	}
	a := <-f.heard
	return a.texts, a.err
}

// asksOthers tells whether this rank's save in flight waits for the other ranks.
func (r *run) asksOthers() bool {
	f := r.saving
	if f != nil && f.asking == nil {
		select {
		case q := <-f.asks:
			f.asking = &q
		default:
		}
	}
	return f != nil && f.asking != nil
}

// answerSave has the ranks agree on what the saves of all of them ask.
func (r *run) answerSave() {
	f := r.saving
	texts, err := r.ranks.exchange(f.asking.text, f.asking.failed)
	f.asking = nil
	f.heard <- answer{texts, err}
}

// noteSave takes the end of the save in flight into account, if it has come.
func (r *run) noteSave() {
	if r.saving == nil {
		return
	}
	select {
	case o := <-r.saving.done:
		r.endSave(o)
	default:
	}
}

func (r *run) endSave(o outcome) {
	step := r.saving.step
	r.saving = nil
	r.warn(r.note(step, o.saved, o.err))
}

// awaitSave returns when no save is in flight, with the step of the one that it
// waited for, or 0. All ranks have to call it.
func (r *run) awaitSave() int {
	r.noteSave()
	f := r.saving
	if f == nil {
		return 0
	}
	for {
		if f.asking == nil {
			select {
			case q := <-f.asks:
				f.asking = &q
			case o := <-f.done:
				r.endSave(o)
				return f.step
			}
		}
		r.answerSave()
	}
}

// dropSave ends the save in flight of a run that fails with err, without the other
// ranks. A process that is alone still saves.
func (r *run) dropSave(err error) error {
	f := r.saving
	if f == nil {
		return err
	}
	if !r.cfg.Rank.Alone() {
		r.deps.Group.Abort() // nobody may wait until this rank has dropped it
	}
	close(f.gone)
	if f.asking != nil {
		f.heard <- answer{err: errors.Join(f.asking.failed, errRunEnds)}
	}
	o := <-f.done
	r.saving = nil
	if o.err = r.note(f.step, o.saved, o.err); errors.Is(o.err, errRunEnds) {
		return err
	}
	return errors.Join(err, o.err)
}

// SaveWaited is a save that waited for an earlier one: a disk that does not keep up.
type SaveWaited struct {
	Step   int
	For    int // step of the earlier save
	Waited time.Duration
}
