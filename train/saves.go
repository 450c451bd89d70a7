package train

import (
	"errors"
	"fmt"

	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/save"
)

// point is where the run stands.
func (r *run) point() (save.Point, error) {
	resolved, err := config.Encode(r.cfg)
	p := save.Point{State: r.state, Best: r.bestStep()}
	p.State.Config, p.State.Split = string(resolved), r.job.Split
	p.State.Phases = append([]save.PhaseState(nil), r.state.Phases...)
	return p, err
}

// save writes a checkpoint of the current state while the step waits.
func (r *run) save() error {
	p, err := r.point()
	if err != nil {
		return err
	}
	return r.note(r.saver.Save(p))
}

// note takes the end of a save into account.
func (r *run) note(d save.Done) error {
	if d.Err != nil {
		return d.Err
	}
	r.savedStep, r.result.Checkpoint = d.Step, d.Saved.Path
	if r.cfg.Rank.First() {
		for _, e := range d.Saved.Events {
			events.Notify(r.deps.Listener.Checkpoint, e)
		}
		events.Notify(r.deps.Listener.Saved, d.Saved)
	}
	return nil
}

// noteSave takes the end of the save in flight into account, if it has come.
func (r *run) noteSave() {
	if d := r.saver.Ended(); d != nil {
		r.warn(r.note(*d))
	}
}

// awaitSave returns when no save is in flight, with the step of the one that it
// waited for, or 0. All ranks have to call it.
func (r *run) awaitSave() int {
	d := r.saver.Await()
	if d == nil {
		return 0
	}
	r.warn(r.note(*d))
	return d.Step
}

// saveOrWarn saves in the middle of a run, where a full disk costs a checkpoint
// but not the run. While an earlier save is in flight it waits.
func (r *run) saveOrWarn() {
	if !r.saver.Async() {
		r.warn(r.save())
		return
	}
	r.noteSave()
	if began, earlier := r.deps.Now(), r.awaitSave(); earlier > 0 {
		events.Notify(r.deps.Listener.SaveWaited, save.Waited{Step: r.state.Step, For: earlier, Waited: r.deps.Now().Sub(began)})
	}
	p, err := r.point()
	if err != nil {
		r.warn(err)
		return
	}
	r.saver.Begin(p)
}

// warn tells of a save that failed, and on which rank. If it failed because a rank
// has gone, training does not go on: the next step tells of that.
func (r *run) warn(err error) {
	var failed ranks.PeersFailed
	if err == nil || errors.Is(err, ranks.ErrPeer) && !errors.As(err, &failed) {
		return
	}
	if !r.cfg.Rank.Alone() && !errors.Is(err, ranks.ErrPeer) {
		err = fmt.Errorf("rank %d failed: %w", r.cfg.Rank.Index(), err)
	}
	events.Notify(r.deps.Listener.SaveFailed, err)
}

// dropSave ends the save in flight of a run that fails with err, without the other
// ranks. A process that is alone still saves.
func (r *run) dropSave(err error) error {
	if r.saver == nil {
		return err
	}
	if !r.cfg.Rank.Alone() && r.saver.InFlight() {
		r.deps.Group.Abort() // nobody may wait until this rank has dropped it
	}
	d := r.saver.Drop()
	if d == nil {
		return err
	}
	if failed := r.note(*d); !errors.Is(failed, save.ErrRunEnds) {
		return errors.Join(err, failed)
	}
	return err
}
