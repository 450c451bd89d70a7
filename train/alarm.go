package train

import (
	"fmt"

	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
)

// maxReturns bounds how often a process goes back to the same step.
const maxReturns = 3

// heed asks the recipe what an evaluation tells of the run, and keeps the step of the newest
// one that alarmed nobody.
func (r *run) heed(values metrics.Values) {
	if r.job.Alarm == nil {
		return
	}
	if r.alarm = r.job.Alarm(values.Get); r.alarm == "" {
		r.state.Sound = r.state.Step
		return
	}
	if r.state.Sound == 0 { // what was never well has not gone wrong
		r.alarm = ""
		return
	}
	if r.deps.Listener.Remark != nil {
		r.deps.Listener.Remark(r.state.Step, r.alarm)
	}
}

// goBack puts the run where the newest checkpoint has it that is no newer than the last
// evaluation without an alarm; data goes on with what comes next, so that the run does not
// take the same way again. It tells whether there is such a checkpoint. A run that is killed
// before it has saved takes the way to the alarm once more, to the same bits.
func (r *run) goBack() (bool, error) {
	r.awaitSave()
	from := r.state
	dir, err := r.ranks.ByFirst(func() (string, error) {
		found, told, err := checkpoint.Return(r.deps.FS, r.cfg.Run.Dir, int64(from.Sound))
		for _, e := range told {
			events.Notify(r.deps.Listener.Checkpoint, e)
		}
		return found.Path, err
	})
	if err != nil || dir == "" {
		return false, err
	}
	if err := r.ranks.Together(r.restore(dir)); err != nil {
		return false, err
	}
	r.state.Samples, r.state.Units, r.state.Ways = from.Samples, from.Units, from.Ways
	if r.returns[r.state.Step]++; r.returns[r.state.Step] > maxReturns {
		return false, fmt.Errorf("step %d: %s; the run has gone back to step %d %d times: lower optimizer.lr, or change the recipe", from.Step, r.alarm, r.state.Step, maxReturns)
	}
	if r.deps.Listener.Remark != nil {
		r.deps.Listener.Remark(from.Step, fmt.Sprintf("the run goes back to step %d, and on with other data", r.state.Step))
	}
	if r.recorder != nil {
		if err := r.recorder.close(); err != nil {
			return false, err
		}
		if r.recorder, err = openRecorder(r.deps.FS, r.cfg, r.state.Step, r.deps.Now()); err != nil {
			return false, err
		}
		r.saver.SetLog(r.recorder.log)
	}
	return true, nil
}
