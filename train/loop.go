package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"gotrain/data"
	"gotrain/train/metrics"
)

// ErrStopped is returned when the context ended: the run is saved and can be
// resumed.
var ErrStopped = errors.New("stopped on request; the run is saved")

// Stopped is for what comes before the first step: an error that ctx ended it with
// is ErrStopped, since nothing of the run is lost. Others, and nil, stay as they are.
func Stopped(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w; it had not begun to train: %w", ErrStopped, err)
}

// loop runs the steps that are left. It returns nil when all are done.
func (r *run) loop(ctx context.Context) error {
	prefetch := data.NewPrefetch(r.corpus.train, uint64(r.state.Samples), 2)
	defer prefetch.Close()
	total := r.cfg.Train.Steps
	if (r.state.Step >= total || r.exhausted()) && r.savedStep == r.state.Step {
		return nil
	}
	began, first := r.deps.Now(), r.state.Step
	for r.state.Step < total && !r.exhausted() {
		start := r.deps.Now()
		batch, err := prefetch.Next()
		if err != nil {
			return fmt.Errorf("step %d: %w", r.state.Step+1, err)
		}
		agreed, err := r.agree(report{Targets: int64(batch.Weight), Stop: ctx.Err() != nil, Asks: r.asksOthers()})
		if err != nil {
			return err
		}
		if agreed.Asks {
			r.answerSave()
		}
		r.noteSave()
		if agreed.Stop {
			return r.stop()
		}
		limit := r.state.Guard.Limit(r.cfg.Train.SpikeFactor)
		result, err := r.step(batch, StepConfig{Step: r.state.Step, Applied: r.state.Applied, NormLimit: limit, Targets: int(agreed.Targets)})
		if err != nil {
			return err
		}
		if err := r.guard(batch, result, limit); err != nil {
			return err
		}
		r.state.Step++
		r.state.Samples += int64(r.cfg.stepSamples())
		r.state.Tokens += int64(r.cfg.stepTokens())
		if !result.Skipped {
			r.state.Applied++
		}
		now := r.deps.Now()
		r.record(result, now.Sub(start), r.eta(now.Sub(began), first))
		if r.state.Step == total {
			break
		}
		improved := false
		if every(r.cfg.Train.EvalEvery, r.state.Step) {
			if improved, err = r.evaluate(); err != nil {
				return err
			}
		}
		if every(r.cfg.Train.SaveEvery, r.state.Step) || improved {
			r.saveOrWarn()
		}
	}
	return r.end()
}

// agree returns the sum of the ranks' reports.
func (r *run) agree(mine report) (report, error) {
	reports, err := r.ranks.meet(mine)
	if err != nil {
		return report{}, fmt.Errorf("step %d: %w", r.state.Step+1, err)
	}
	return total(reports), nil
}

// step makes one optimizer step; the result is that of all ranks.
func (r *run) step(batch *data.Batch, c StepConfig) (StepResult, error) {
	if r.cfg.Rank.Alone() {
		return r.engineStep(batch, c)
	}
	var mine report
	paced, _ := r.deps.Group.(*PacedGroup)
	if paced != nil {
		paced.SetStep(c.Step + 1)
		paced.begin()
	}
	result, err := r.engineStep(batch, c)
	if err != nil {
		return result, err
	}
	mine.NLL = result.NLL
	if paced != nil {
		mine.Seconds = paced.seconds()
	}
	if every(r.cfg.Cluster.CheckEvery, c.Step+1) {
		if mine.Hash, err = r.engine.Hash(); err != nil {
			return result, err
		}
	}
	reports, err := r.ranks.meet(mine)
	if err == nil {
		err = diverged(reports)
	}
	if err != nil {
		return result, fmt.Errorf("step %d: %w", c.Step+1, err)
	}
	for _, s := range r.pace.observe(c.Step+1, reports) {
		notify(r.deps.Listener.Straggler, s)
	}
	result.NLL = total(reports).NLL
	return result, nil
}

func (r *run) engineStep(batch *data.Batch, c StepConfig) (StepResult, error) {
	result, err := r.engine.Step(batch, c)
	if err != nil {
		err = fmt.Errorf("step %d: %w", c.Step+1, err)
	}
	return result, err
}

// end evaluates and saves what the last step left.
func (r *run) end() error {
	if r.lastEval == nil || r.lastEval.Step != int64(r.state.Step) {
		if _, err := r.evaluate(); err != nil {
			return err
		}
	}
	r.awaitSave()
	if r.savedStep == r.state.Step {
		return nil
	}
	return r.save()
}

func every(n, step int) bool { return n > 0 && step%n == 0 }

// stop saves what was trained and reports ErrStopped.
func (r *run) stop() error {
	r.awaitSave()
	if r.state.Step == r.savedStep {
		return ErrStopped
	}
	if err := r.save(); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return ErrStopped
}

func (r *run) eta(elapsed time.Duration, first int) time.Duration {
	done := r.state.Step - first
	return elapsed / time.Duration(max(1, done)) * time.Duration(r.cfg.Train.Steps-r.state.Step)
}

// guard counts a skipped step, names the op that made the NaN, and gives up
// after too many in a row.
func (r *run) guard(batch *data.Batch, result StepResult, limit float64) error {
	if r.cfg.Train.MaxSkips == 0 {
		if math.IsNaN(result.NLL) || math.IsInf(result.NLL, 0) {
			r.awaitSave()
			return fmt.Errorf("step %d: the loss is %g; lower optimizer.lr, or set train.max_skips to skip such steps", r.state.Step+1, result.NLL)
		}
		return nil
	}
	result.Skipped = result.Skipped || math.IsNaN(result.NLL) || math.IsInf(result.NLL, 0)
	r.state.Guard.Observe(result)
	if !result.Skipped {
		return nil
	}
	e := SkipEvent{Step: r.state.Step + 1, GradNorm: result.GradNorm, InARow: r.state.Guard.InARow}
	if math.IsNaN(result.GradNorm) || math.IsInf(result.GradNorm, 0) {
		in, err := r.engine.Blame(batch)
		if err != nil {
			return err
		}
		if in != nil {
			e.Origin = fmt.Sprintf("%s at %s", in.Kind, in.Path)
		}
		if e.Origin, err = r.origin(e.Origin); err != nil {
			return err
		}
	} else {
		e.Limit = limit
	}
	notify(r.deps.Listener.Skipped, e)
	if r.state.Guard.InARow > r.cfg.Train.MaxSkips {
		r.awaitSave()
		return fmt.Errorf("step %d: %d steps in a row were skipped (gradient norm %g, first at %s); the newest checkpoint is intact: lower optimizer.lr, look at the data, or raise train.max_skips",
			e.Step, e.InARow, e.GradNorm, orUnknown(e.Origin))
	}
	return nil
}

// origin is where the first rank that found one has the origin of a NaN.
func (r *run) origin(mine string) (string, error) {
	if r.cfg.Rank.Alone() {
		return mine, nil
	}
	texts, err := r.ranks.texts(mine)
	if err != nil {
		return "", err
	}
	for rank, text := range texts {
		if text != "" {
			return fmt.Sprintf("%s on rank %d", text, rank), nil
		}
	}
	return "", nil
}

func orUnknown(s string) string {
	if s == "" {
		return "no single op"
	}
	return s
}

// record writes a step to the metrics and tells the listener.
func (r *run) record(result StepResult, took, eta time.Duration) {
	seconds := math.Max(took.Seconds(), 1e-9)
	tokensPerS := float64(r.cfg.stepTokens()) / seconds
	rec := metrics.Record{
		Step: int64(r.state.Step), Split: metrics.Train, Values: textValues(result.NLL),
		LR:       r.cfg.Optimizer.LR * r.cfg.Optimizer.LRFraction(r.state.Step-1, r.cfg.Train.Steps),
		GradNorm: result.GradNorm, Unit: "tokens", Seen: r.state.Tokens, PerS: tokensPerS, StepMS: 1e3 * seconds,
		MFU: r.mfu(tokensPerS), Time: r.deps.Now(),
	}
	if r.state.Step%r.cfg.Train.LogEvery == 0 || r.state.Step == r.cfg.Train.Steps {
		r.write(rec)
	}
	notify(r.deps.Listener.Step, StepEvent{Record: rec, Steps: r.cfg.Train.Steps, ETA: eta})
}

// write appends to the metrics. A full disk does not end the run.
func (r *run) write(rec metrics.Record) {
	if r.recorder == nil {
		return // rank 0 has it
	}
	if err := r.recorder.record(rec); err != nil {
		notify(r.deps.Listener.LogFailed, err)
	}
}

// mfu is the fraction of the devices' peak that the model's own
// arithmetic takes (Chowdhery et al. 2022), NaN when the peak is not known.
func (r *run) mfu(tokensPerS float64) float64 {
	if r.deps.Machine.Peak == 0 {
		return math.NaN()
	}
	return tokensPerS * r.result.Forecast.FLOPsPerToken / (r.deps.Machine.Peak * float64(r.cfg.Rank.Count()))
}

// evaluate scores the held-out text, if there is any, and shows a sample. It
// tells whether the score is the best so far, where early stopping asks.
func (r *run) evaluate() (improved bool, err error) {
	if r.corpus.eval != nil {
		start := r.deps.Now()
		result, err := r.engine.Evaluate(r.corpus.eval, r.cfg.Train.EvalBatches)
		if err != nil {
			return false, fmt.Errorf("evaluation after step %d: %w", r.state.Step, err)
		}
		seconds := math.Max(r.deps.Now().Sub(start).Seconds(), 1e-9)
		rec := metrics.Record{
			Step: int64(r.state.Step), Split: metrics.Val, Values: append(textValues(result.NLL), metrics.Value{Name: "bits_per_byte", Value: result.BitsPerByte}),
			LR: math.NaN(), GradNorm: math.NaN(), MFU: math.NaN(),
			Unit: "tokens", Seen: r.state.Tokens, PerS: float64(result.Targets) / seconds, StepMS: 1e3 * seconds, Time: r.deps.Now(),
		}
		r.write(rec)
		r.lastEval = &rec
		notify(r.deps.Listener.Validation, rec)
		improved = r.judge(result.NLL)
	}
	if !r.cfg.Rank.First() {
		return improved, nil
	}
	return improved, r.sample()
}

// textValues are the metrics of a text of nll nats per token.
func textValues(nll float64) []metrics.Value {
	return []metrics.Value{{Name: "nll", Value: nll}, {Name: "ppl", Value: math.Exp(nll)}}
}
