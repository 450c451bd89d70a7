package train

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"slices"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
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
	prefetch := data.NewPrefetch(r.job.Train, uint64(r.state.Samples), 2)
	defer prefetch.Close()
	total := r.cfg.Train.Steps
	if (r.state.Step >= total || r.exhausted()) && r.savedStep == r.state.Step {
		return nil
	}
	began, first := r.deps.Now(), r.state.Step
	for r.state.Step < total && !r.exhausted() {
		start := r.deps.Now()
		batch, err := prefetch.Next()
		if err == nil && r.job.Prepare != nil {
			err = r.job.Prepare(ctx, batch)
		}
		if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) { // a stop in the middle is agreed on below
			return fmt.Errorf("step %d: %w", r.state.Step+1, err)
		}
		agreed, err := r.agree(ctx, batch)
		if err != nil {
			return err
		}
		if agreed.Stop {
			return r.stop()
		}
		limits := r.limits()
		result, err := r.step(batch, engine.StepConfig{Step: r.state.Step, Phases: r.state.Phases, Limits: limits, Weight: agreed.Sums[0]})
		if err != nil {
			return err
		}
		measured := r.engine.Values(result)
		if err := r.guard(batch, result, measured, limits); err != nil {
			return err
		}
		r.state.Step++
		r.state.Samples += int64(r.cfg.StepSamples())
		r.state.Units += int64(r.stepUnits())
		now := r.deps.Now()
		r.record(result, measured, now.Sub(start), r.eta(now.Sub(began), first))
		if r.state.Step == total {
			break
		}
		improved := false
		if every(r.cfg.Train.EvalEvery, r.state.Step) {
			if improved, err = r.evaluate(ctx); err != nil {
				return err
			}
			if r.alarm != "" && r.job.GoesBack {
				back, err := r.goBack()
				if err != nil {
					return err
				}
				if back {
					r.saveOrWarn()
					continue
				}
			}
		}
		if every(r.cfg.Train.SaveEvery, r.state.Step) || improved || agreed.Save {
			r.saveOrWarn()
		}
	}
	return r.end(ctx)
}

// stepUnits is the number of units of a step, over all ranks.
func (r *run) stepUnits() int { return r.cfg.StepSamples() * r.job.Unit.PerSample }

// agree exchanges what the ranks know before a step: the weight of the batch, whether
// one is to stop, and whether their saves in flight wait for each other.
func (r *run) agree(ctx context.Context, batch *data.Batch) (ranks.Notice, error) {
	r.weight[0] = batch.Weight
	agreed, err := r.ranks.Agree(ranks.Notice{Sums: r.weight[:], Stop: ctx.Err() != nil, Asks: r.saver.Requests(), Save: r.saveAsked()})
	if err != nil {
		return agreed, fmt.Errorf("step %d: %w", r.state.Step+1, err)
	}
	if agreed.Asks {
		r.saver.Reply()
	}
	r.noteSave()
	return agreed, nil
}

// saveAsked tells whether a checkpoint was asked for since it was called last.
func (r *run) saveAsked() bool {
	select {
	case <-r.deps.Save:
		return true
	default:
		return false
	}
}

// limits are the guard's bounds on the gradient norm of each phase.
func (r *run) limits() []float64 {
	for i := range r.bounds {
		r.bounds[i] = normLimit(&r.state.Phases[i].Guard, r.cfg.Train.SpikeFactor)
	}
	return r.bounds
}

// step makes one optimizer step; the sums and counts are those of all ranks.
func (r *run) step(batch *data.Batch, c engine.StepConfig) (engine.StepResult, error) {
	if r.cfg.Rank.Alone() {
		return r.engineStep(batch, c)
	}
	paced, _ := r.deps.Group.(*ranks.PacedGroup)
	if paced != nil {
		paced.SetStep(c.Step + 1)
		paced.Begin()
	}
	result, err := r.engineStep(batch, c)
	if err != nil {
		return result, err
	}
	r.sums = append(append(r.sums[:0], result.Sums...), result.Counts[:]...)
	mine := ranks.Notice{Sums: r.sums}
	if paced != nil {
		mine.Seconds = paced.Seconds()
	}
	if every(r.cfg.Cluster.CheckEvery, c.Step+1) {
		if mine.Hash, err = r.engine.Hash(); err != nil {
			return result, err
		}
	}
	notices, err := r.ranks.Exchange(mine)
	if err == nil {
		err = diverged(notices)
	}
	if err != nil {
		return result, fmt.Errorf("step %d: %w", c.Step+1, err)
	}
	for _, s := range r.pace.Observe(c.Step+1, notices) {
		events.Notify(r.deps.Listener.Straggler, s)
	}
	all := r.ranks.Sum(notices)
	n := copy(result.Sums, all)
	copy(result.Counts[:], all[n:])
	return result, nil
}

func (r *run) engineStep(batch *data.Batch, c engine.StepConfig) (engine.StepResult, error) {
	result, err := r.engine.Step(batch, c)
	if err != nil {
		err = fmt.Errorf("step %d: %w", c.Step+1, err)
	}
	return result, err
}

// end evaluates and saves what the last step left.
func (r *run) end(ctx context.Context) error {
	if r.lastEval == nil || r.lastEval.Step != int64(r.state.Step) {
		if _, err := r.evaluate(ctx); err != nil {
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

// guard counts the updates that were made and those that were skipped, by phase,
// names the op that made a NaN, and gives up after too many in a row.
func (r *run) guard(batch *data.Batch, result engine.StepResult, measured metrics.Values, limits []float64) error {
	for i := range r.state.Phases {
		if !result.Phases[i].Skipped {
			r.state.Phases[i].Applied++
		}
		loss := r.lossOf(i, measured)
		if r.cfg.Train.MaxSkips == 0 {
			if !finite(loss) {
				r.awaitSave()
				return fmt.Errorf("step %d: the loss is %g; lower optimizer.lr, or set train.max_skips to skip such steps", r.state.Step+1, loss)
			}
			continue
		}
		phase := result.Phases[i]
		phase.Skipped = phase.Skipped || !finite(loss)
		observe(&r.state.Phases[i].Guard, phase)
		if !phase.Skipped {
			continue
		}
		if err := r.skipped(batch, i, phase, limits[i]); err != nil {
			return err
		}
	}
	return nil
}

// lossOf is the first metric of a phase.
func (r *run) lossOf(phase int, measured metrics.Values) float64 {
	for _, run := range r.engine.Programs().Step {
		if run.Micro == 0 && run.Program.Phase == phase && len(run.Program.Metrics) > 0 {
			return measured.Get(run.Program.Metrics[0].Name)
		}
	}
	return 0
}

// skipped tells of an update that the guard left out.
func (r *run) skipped(batch *data.Batch, phase int, result engine.PhaseResult, limit float64) error {
	inARow := r.state.Phases[phase].Guard.InARow
	e := events.Skip{Step: r.state.Step + 1, Phase: r.job.Phases[phase].Name, GradNorm: result.GradNorm, InARow: inARow, From: batch.From}
	if finite(result.GradNorm) {
		e.Limit = limit
	} else {
		in, err := r.engine.Blame(batch)
		if err != nil {
			return err
		}
		if in != nil {
			e.Op = fmt.Sprintf("%s at %s", in.Kind, in.Path)
		}
		if e.Op, err = r.origin(e.Op); err != nil {
			return err
		}
	}
	events.Notify(r.deps.Listener.Skipped, e)
	if inARow > r.cfg.Train.MaxSkips {
		r.awaitSave()
		return fmt.Errorf("step %d: %d steps in a row were skipped (gradient norm %g, first at %s); the newest checkpoint is intact: lower optimizer.lr, look at the data, or raise train.max_skips",
			e.Step, e.InARow, e.GradNorm, orUnknown(e.Op))
	}
	return nil
}

// origin is where the first rank that found one has the origin of a NaN.
func (r *run) origin(mine string) (string, error) {
	if r.cfg.Rank.Alone() {
		return mine, nil
	}
	texts, err := r.ranks.Texts(mine)
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
func (r *run) record(result engine.StepResult, measured metrics.Values, took, eta time.Duration) {
	seconds := math.Max(took.Seconds(), 1e-9)
	perS := float64(r.stepUnits()) / seconds
	rec := metrics.Record{
		Step: int64(r.state.Step), Split: metrics.Train, Values: measured, GradNorm: result.Phases[0].GradNorm, LR: r.lr(0),
		Unit: r.job.Unit.Name, Seen: r.state.Units, PerS: perS, StepMS: 1e3 * seconds, MFU: r.mfu(perS), Time: r.deps.Now(),
	}
	for i := 1; i < len(r.job.Phases); i++ {
		name := r.job.Phases[i].Name
		rec.Values = append(rec.Values, metrics.Value{Name: "lr_" + name, Value: r.lr(i)}, metrics.Value{Name: "grad_norm_" + name, Value: result.Phases[i].GradNorm})
	}
	if r.state.Step%r.cfg.Train.LogEvery == 0 || r.state.Step == r.cfg.Train.Steps {
		r.write(r.withSources(rec))
	}
	events.Notify(r.deps.Listener.Step, events.Step{Record: rec, Steps: r.cfg.Train.Steps, ETA: eta})
}

// withSources adds to a record what training has taken from each source of the data: units,
// and passes over it.
func (r *run) withSources(rec metrics.Record) metrics.Record {
	if r.job.Drawn == nil {
		return rec
	}
	rec.Values = slices.Clone(rec.Values)
	for _, d := range r.job.Drawn(uint64(r.state.Samples)) {
		rec.Values = append(rec.Values,
			metrics.Value{Name: "seen_" + d.Name, Value: float64(d.Samples) * float64(r.job.Unit.PerSample)},
			metrics.Value{Name: "epochs_" + d.Name, Value: float64(d.Samples) / float64(d.Windows)})
	}
	return rec
}

// lr is the learning rate of a phase in the step that was made.
func (r *run) lr(phase int) float64 {
	o := r.job.Phases[phase].Optimizer
	return o.LR * o.LRFraction(r.state.Step-1, r.cfg.Train.Steps)
}

// write appends to the metrics. A full disk does not end the run.
func (r *run) write(rec metrics.Record) {
	if r.recorder == nil {
		return // rank 0 has it
	}
	if err := r.recorder.record(rec); err != nil {
		events.Notify(r.deps.Listener.LogFailed, err)
	}
}

// mfu is the fraction of the devices' peak that the models' own arithmetic takes
// (Chowdhery et al. 2022), NaN when the peak is not known.
func (r *run) mfu(unitsPerS float64) float64 {
	if r.deps.Machine.Peak == 0 {
		return math.NaN()
	}
	return unitsPerS * r.result.Forecast.FLOPsPerUnit / (r.deps.Machine.Peak * float64(r.cfg.Rank.Count()))
}

// evaluate scores the held-out data, if there is any, and shows what the recipe has
// to show. It tells whether the score is the best so far, where early stopping asks.
func (r *run) evaluate(ctx context.Context) (improved bool, err error) {
	if r.job.Eval != nil {
		start := r.deps.Now()
		result, err := r.score()
		if err != nil {
			return false, fmt.Errorf("evaluation after step %d: %w", r.state.Step, err)
		}
		seconds := math.Max(r.deps.Now().Sub(start).Seconds(), 1e-9)
		rec := metrics.Record{
			Step: int64(r.state.Step), Split: metrics.Val, Values: result.Values, LR: math.NaN(), GradNorm: math.NaN(), MFU: math.NaN(),
			Unit: r.job.Unit.Name, Seen: r.state.Units, PerS: result.Counts[recipe.PerWeight] / seconds, StepMS: 1e3 * seconds, Time: r.deps.Now(),
		}
		if err := r.measure(ctx, &rec); err != nil {
			return false, err
		}
		r.write(rec)
		r.lastEval = &rec
		events.Notify(r.deps.Listener.Validation, rec)
		r.remark(result.Values[0].Value)
		r.heed(result.Values)
		improved = r.judge(r.engine.Programs().Eval.Metrics[0], result.Values[0].Value)
	}
	return improved, r.show(ctx)
}

// remark tells what the recipe has to say of the first metric of an evaluation.
func (r *run) remark(value float64) {
	if r.job.Remark == nil || r.deps.Listener.Remark == nil {
		return
	}
	if text := r.job.Remark(value); text != "" {
		r.deps.Listener.Remark(r.state.Step, text)
	}
}

// measure adds to the record of an evaluation what the recipe measures beyond its score.
func (r *run) measure(ctx context.Context, rec *metrics.Record) error {
	if !r.cfg.Rank.First() || r.job.Measure == nil {
		return nil
	}
	measured, err := r.job.Measure(context.WithoutCancel(ctx))
	if err != nil {
		return fmt.Errorf("evaluation after step %d: %w", r.state.Step, err)
	}
	rec.Values = slices.Clone(rec.Values)
	for _, v := range measured.Values {
		rec.Values = append(rec.Values, metrics.Value(v))
	}
	for _, n := range measured.Notes {
		rec.Notes = append(rec.Notes, metrics.Note(n))
	}
	return nil
}

// score scores the held-out data: of several sources each by itself, with its share of
// train.eval_batches, and all together.
func (r *run) score() (engine.EvalResult, error) {
	parts, limit := r.job.EvalParts, r.cfg.Train.EvalBatches
	if len(parts) == 0 {
		return r.engine.Evaluate(r.job.Eval, limit)
	}
	var results []engine.EvalResult
	var by metrics.Values
	for _, part := range parts {
		result, err := r.engine.Evaluate(part.Source, (limit+len(parts)-1)/len(parts))
		if err != nil {
			return result, fmt.Errorf("source %s: %w", part.Name, err)
		}
		results = append(results, result)
		by = append(by, metrics.Value{Name: result.Values[0].Name + "_" + part.Name, Value: result.Values[0].Value})
	}
	total := r.engine.Total(results)
	total.Values = append(total.Values, by...)
	return total, nil
}

// show shows what the recipe has to show of the model.
func (r *run) show(ctx context.Context) error {
	if !r.cfg.Rank.First() || r.job.Show == nil || r.deps.Listener.Sample == nil {
		return nil
	}
	shown, err := r.job.Show(context.WithoutCancel(ctx))
	if err != nil {
		return fmt.Errorf("%s after step %d: %w", shown.Name, r.state.Step, err)
	}
	text := shown.Text
	if shown.Picture != nil {
		file, err := r.keepPicture(shown)
		if err != nil {
			return err
		}
		text = file + ": " + text
	}
	if err := r.recorder.events.Text(r.deps.Now(), int64(r.state.Step), shown.Name, text); err != nil {
		return err
	}
	r.deps.Listener.Sample(r.state.Step, text)
	return nil
}

// keepPicture writes what is shown into the run's folder of samples.
func (r *run) keepPicture(shown recipe.Shown) (string, error) {
	dir := filepath.Join(r.cfg.Run.Dir, "samples")
	if err := vfs.MkdirAll(r.deps.FS, dir); err != nil {
		return "", err
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%08d.png", shown.Name, r.state.Step))
	return file, vfs.WriteFile(r.deps.FS, file, func(w io.Writer) error { return png.Encode(w, shown.Picture) })
}
