package console

import (
	"fmt"
	"math"
	"slices"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/units"
)

// Finish prints what a run came to.
func (p *Progress) Finish(r events.Result) {
	p.Clear()
	cfg := r.Config
	if r.Steps == 0 && r.Early {
		p.Line("run %s has ended early at step %d: the best checkpoint is %s (%.4f); raise train.patience to go on", cfg.Run.Dir, r.State.Step, r.Best, r.State.Best.Value)
		return
	}
	if r.Steps == 0 {
		p.Line("run %s is at step %d of %d already; raise train.steps to go on, or use --resume none to begin anew", cfg.Run.Dir, r.State.Step, cfg.Train.Steps)
		return
	}
	p.Line("done       %d steps in %s", r.Steps, units.Seconds(r.Elapsed.Seconds()))
	p.compare(r)
	if r.Best != "" {
		p.Line("best       step %d, validation %.4f: %s", r.State.Best.Step, r.State.Best.Value, r.Best)
	}
	if r.Early {
		p.Line("stopped    early: %d evaluations in a row without improvement", r.State.Best.Worse)
	}
}

// compare prints what was predicted beside what the run took.
func (p *Progress) compare(r events.Result) {
	f := p.started.Forecast
	row := func(name, predicted, actual, note string) {
		p.Line("%-10s %12s %12s  %s", name, predicted, actual, note)
	}
	row("", "predicted", "actual", "")
	if f.UnitsPerS > 0 {
		median := slices.Sorted(slices.Values(p.stepMS))[len(p.stepMS)/2]
		row("step", units.Seconds(f.StepMS/1e3), units.Seconds(median/1e3), "median")
		row(f.Unit+"/s", units.Count(int64(f.UnitsPerS)), units.Count(int64(float64(f.StepUnits)/median*1e3)), "of the median step")
		row("time", units.Seconds(f.StepMS/1e3*float64(r.Steps)), units.Seconds(r.Elapsed.Seconds()), "actual with evaluations and checkpoints")
	}
	actual, note := device.PeakMemory(), "most resident at once"
	if p.device.Card != nil {
		actual, note = p.device.Used(), "taken of the GPU, driver included"
	}
	if actual > 0 {
		row("memory", units.Bytes(p.memory.Total), units.Bytes(actual), note)
	}
	p.compareLoss(r, row)
}

// compareLoss prints the held-out loss beside what the laws of the folder expected.
func (p *Progress) compareLoss(r events.Result, row func(name, predicted, actual, note string)) {
	if p.law == nil || r.Validation == nil || r.Early {
		return
	}
	got := r.Validation.Get("nll")
	if math.IsNaN(got) {
		return
	}
	expected := p.law.Expected.Loss
	note := fmt.Sprintf("%+.2f%%, by %s of %d runs", 100*(got/expected.Value-1), p.law.File, p.law.Runs)
	if expected.High > 0 {
		note += ", band " + expected.Range()
	}
	row("loss", fmt.Sprintf("%.4f", expected.Value), fmt.Sprintf("%.4f", got), note)
}
