package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"gotrain/data"
	"gotrain/train"
	"gotrain/train/checkpoint"
	"gotrain/train/metrics"
)

// progress shows a run: on a terminal one line that is rewritten, elsewhere a
// plain line now and then.
type progress struct {
	w        io.Writer
	live     bool
	dirty    bool      // the live line is on the screen
	last     time.Time // of the last line
	started  train.Started
	device   device
	machine  machine
	forecast train.Forecast // with the time
	base     int64          // resident before the run
	memory   memoryPlan
	stepMS   []float64 // of each step made now
	waited   bool      // a save waited for an earlier one
}

// Intervals between lines: live ones are for eyes, plain ones for logs.
const (
	liveInterval  = 100 * time.Millisecond
	plainInterval = 5 * time.Second
)

func newProgress(w io.Writer) *progress { return &progress{w: w, live: isTerminal(w)} }

// measure learns what the machine can do, for the forecast.
func (p *progress) measure(cfg train.Config, d device) {
	p.device = d
	p.machine = d.measureFor(slices.Compact([]string{"float32", cfg.Precision})...)
	p.base = residentMemory()
	forgetPeak()
}

func (p *progress) listener() train.Listener {
	return train.Listener{
		Phase:     func(ph train.Phase) { p.line("%-10s %s", ph.Name, ph.Detail) },
		Preparing: p.preparing,
		Started:   p.start,
		Step:      p.step,
		Validation: func(r metrics.Record) {
			p.line("step %-6d validation: %s", r.Step, r.Text())
		},
		Sample:     func(step int, text string) { p.line("step %-6d sample: %q", step, text) },
		Saved:      func(s checkpoint.Saved) { p.line("step %-6d saved %s (%s)", s.Step, s.Path, bytesText(s.Bytes)) },
		SaveFailed: func(err error) { p.line("warning: the checkpoint was not saved, training goes on: %v", err) },
		SaveWaited: p.saveWaited,
		LogFailed:  func(err error) { p.line("warning: metrics wait for room on the disk: %v", err) },
		Checkpoint: func(e checkpoint.Event) {
			if e.Kind != checkpoint.Retired {
				p.line("%v", e)
			}
		},
		Skipped: p.skipped,
		Straggler: func(s train.Straggler) {
			p.line("step %-6d rank %d is slow: %.0f ms before its first sum, the median rank %.0f ms", s.Step, s.Rank, 1e3*s.Seconds, 1e3*s.Median)
		},
	}
}

// line prints a line of its own, below which the live line goes on.
func (p *progress) line(format string, args ...any) {
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) clear() {
	if p.dirty {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.dirty = false
	}
}

// due tells whether it is time for another line.
func (p *progress) due() bool {
	interval := plainInterval
	if p.live {
		interval = liveInterval
	}
	if time.Since(p.last) < interval {
		return false
	}
	p.last = time.Now()
	return true
}

// status shows the state of things: the live line, or a plain one.
func (p *progress) status(format string, args ...any) {
	if !p.live {
		fmt.Fprintf(p.w, format+"\n", args...)
		return
	}
	p.clear()
	fmt.Fprintf(p.w, format, args...)
	p.dirty = true
}

func (p *progress) preparing(d data.Progress) {
	if p.due() {
		p.status("shards     %s of text, %d tokens", bytesText(d.TextBytes), d.Tokens)
	}
}

func (p *progress) start(s train.Started) {
	p.started = s
	f := s.Forecast
	debug.FreeOSMemory() // what fitting the tokenizer left
	p.forecast, p.memory = f, planMemory(s.Programs, s.Config.Rank.Count(), p.device, p.base)
	trained := ""
	if f.Trainable < f.Params {
		trained = fmt.Sprintf(", %s of them trained", countText(f.Trainable))
	}
	p.line("model      %s, %s parameters%s, context %d, %s", s.Config.Model.Family, countText(f.Params), trained, s.Config.Length(), s.Config.Precision)
	copied := ""
	if f.SnapshotBytes > 0 {
		copied = fmt.Sprintf(", %s copy of the state for saves%s", bytesText(f.SnapshotBytes), map[bool]string{true: " on the host"}[p.device.card != nil])
	}
	p.line("memory     %s: %s state, %s activations and scratch%s", bytesText(f.PeakBytes), bytesText(f.StateBytes), bytesText(f.ArenaBytes), copied)
	if s.Step > 0 {
		p.line("resume     from step %d of %d", s.Step, s.Steps)
	}
}

func (p *progress) step(e train.StepEvent) {
	p.stepMS = append(p.stepMS, e.Record.StepMS)
	first := e.Record.Step == int64(p.started.Step)+1
	last := e.Record.Step == int64(e.Steps)
	if !p.due() && !first && !last {
		return
	}
	r := e.Record
	p.status("step %d/%d  %s  %s %s/s  %.0f ms  lr %.2e  ETA %s",
		r.Step, e.Steps, r.Text(), countText(int64(r.PerS)), r.Unit, r.StepMS, r.LR, e.ETA.Round(time.Second))
}

// saveWaited tells once that saves are due more often than they end.
func (p *progress) saveWaited(s train.SaveWaited) {
	if p.waited {
		return
	}
	p.waited = true
	p.line("step %-6d saving waited %s for the checkpoint of step %d, which was still being written; raise train.save_every if that costs too much", s.Step, durationText(s.Waited.Seconds()), s.For)
}

func (p *progress) skipped(e train.SkipEvent) {
	switch {
	case e.Origin != "":
		p.line("step %-6d skipped: %s gave the first result that is not finite (%d in a row)", e.Step, e.Origin, e.InARow)
	case e.Limit > 0:
		p.line("step %-6d skipped: gradient norm %.3g is above %.3g (%d in a row)", e.Step, e.GradNorm, e.Limit, e.InARow)
	default:
		p.line("step %-6d skipped: the gradient is not finite (%d in a row)", e.Step, e.InARow)
	}
}

// finish prints what the run came to.
func (p *progress) finish(cfg train.Config, r train.Result, err error) {
	p.clear()
	if err != nil {
		return
	}
	if r.Steps == 0 && r.Early {
		p.line("run %s has ended early at step %d: the best checkpoint is %s (nll %.4f); raise train.patience to go on", cfg.Run.Dir, r.State.Step, r.Best, r.State.Best.NLL)
		return
	}
	if r.Steps == 0 {
		p.line("run %s is at step %d of %d already; raise train.steps to go on, or use --resume none to begin anew", cfg.Run.Dir, r.State.Step, cfg.Train.Steps)
		return
	}
	p.line("done       %d steps in %s", r.Steps, durationText(r.Elapsed.Seconds()))
	p.compare(r)
	model := cfg.Run.Dir
	if r.Best != "" {
		model = r.Best
		p.line("best       step %d, validation nll %.4f: %s", r.State.Best.Step, r.State.Best.NLL, r.Best)
	}
	if r.Early {
		p.line("stopped    early: %d evaluations in a row without improvement", r.State.Best.Worse)
	}
	if cfg.Data.Format == train.FormatInstruct {
		p.line("next       gotrain chat --model %s", model)
	} else {
		p.line("next       gotrain sample --model %s --prompt %q", model, cfg.Train.Sample)
	}
}

// compare prints what was predicted beside what the run took.
func (p *progress) compare(r train.Result) {
	f := p.forecast
	row := func(name, predicted, actual, note string) {
		p.line("%-10s %12s %12s  %s", name, predicted, actual, note)
	}
	row("", "predicted", "actual", "")
	if f.TokensPerS > 0 {
		median := slices.Sorted(slices.Values(p.stepMS))[len(p.stepMS)/2]
		row("step", durationText(f.StepMS/1e3), durationText(median/1e3), "median")
		row("tokens/s", countText(int64(f.TokensPerS)), countText(int64(float64(f.StepTokens)/median*1e3)), "of the median step")
		row("time", durationText(f.StepMS/1e3*float64(r.Steps)), durationText(r.Elapsed.Seconds()), "actual with evaluations and checkpoints")
	}
	actual, note := peakMemory(), "most resident at once"
	if p.device.card != nil {
		actual, note = p.device.used(), "taken of the GPU, driver included"
	}
	if actual > 0 {
		row("memory", bytesText(p.memory.Total), bytesText(actual), note)
	}
}
