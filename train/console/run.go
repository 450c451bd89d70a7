package console

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/units"
)

// Measure learns what a device can do in a precision, for the forecast of a run on it.
func (p *Progress) Measure(d device.Device, precision string) engine.Machine {
	p.device = d
	m := d.MeasureFor(slices.Compact([]string{"float32", precision})...)
	p.base, p.kind = device.ResidentMemory(), m.Kind()
	device.ForgetPeak()
	return forecast.Machine(m, precision)
}

// Listener shows what a run tells.
func (p *Progress) Listener() events.Listener {
	return events.Listener{
		Phase:     func(ph recipe.Prepared) { p.Line("%-10s %s", ph.Name, ph.Detail) },
		Preparing: p.Preparing,
		Started:   p.start,
		Step:      p.step,
		Validation: func(r metrics.Record) {
			p.Line("step %-6d validation: %s", r.Step, r.Text())
		},
		Remark:     func(step int, text string) { p.Line("step %-6d note: %s", step, text) },
		Sample:     func(step int, text string) { p.Line("step %-6d sample: %q", step, text) },
		Saved:      func(s checkpoint.Saved) { p.Line("step %-6d saved %s (%s)", s.Step, s.Path, units.Bytes(s.Bytes)) },
		SaveFailed: func(err error) { p.Line("warning: the checkpoint was not saved, training goes on: %v", err) },
		SaveWaited: p.saveWaited,
		LogFailed:  func(err error) { p.Line("warning: metrics wait for room on the disk: %v", err) },
		Checkpoint: func(e checkpoint.Event) {
			if e.Kind != checkpoint.Retired {
				p.Line("%v", e)
			}
		},
		Skipped: p.skipped,
		Straggler: func(s ranks.Straggler) {
			p.Line("step %-6d rank %d is slow: %.0f ms before its first sum, the median rank %.0f ms", s.Step, s.Rank, 1e3*s.Seconds, 1e3*s.Median)
		},
	}
}

func (p *Progress) start(s events.Started) {
	p.started = s
	p.interval = time.Duration(s.Config.Run.ProgressS * float64(time.Second))
	f := s.Forecast
	debug.FreeOSMemory() // what fitting the tokenizer left
	p.memory = forecast.MemoryOf(s.Programs, s.Config.Rank.Count(), p.device, p.base, s.Job)
	trained := ""
	if f.Trainable < f.Params {
		trained = fmt.Sprintf(", %s of them trained", units.Count(f.Trainable))
	}
	var families []string
	for _, part := range s.Job.Parts {
		families = append(families, part.Model.Family())
	}
	context := ""
	if s.Config.Length() > 0 {
		context = fmt.Sprintf(", context %d", s.Config.Length())
	}
	p.Line("model      %s, %s parameters%s%s, %s", strings.Join(families, " and "), units.Count(f.Params), trained, context, s.Config.Precision)
	for _, part := range s.Job.Parts {
		if _, err := part.Model.HuggingFace(); err != nil {
			p.Line("note       %v", err)
		}
	}
	copied := ""
	if f.SnapshotBytes > 0 {
		copied = fmt.Sprintf(", %s copy of the state for saves%s", units.Bytes(f.SnapshotBytes), map[bool]string{true: " on the host"}[p.device.Card != nil])
	}
	p.Line("memory     %s: %s state, %s activations and scratch%s", units.Bytes(f.PeakBytes), units.Bytes(f.StateBytes), units.Bytes(f.ArenaBytes), copied)
	if err := forecast.Keep(vfs.OS{}, s.Config, p.kind, f.StepMS); err != nil {
		p.Line("note       the forecast is not kept for later plans: %v", err)
	}
	var err error
	if p.law, err = forecast.LawOf(s.Config, s.Job, f.TotalUnits); err != nil {
		p.Line("note       the laws of this folder are not read: %v", err)
	}
	if s.Step > 0 {
		p.Line("resume     from step %d of %d", s.Step, s.Steps)
	}
	p.chosen(s.Chosen)
	p.Changes(s.Changes)
}

// chosen tells how the back end computes what it has several ways for.
func (p *Progress) chosen(c *events.Chosen) {
	if c == nil {
		return
	}
	faster, share := c.Faster()
	p.Line("kernels    %d chosen by timing for %s, %d of them now in %s; %d are not the first and save %.1f%% of the time of all",
		len(c.Ways), c.Where, c.Timed, units.Seconds(c.Seconds), faster, 100*share)
	if c.Was != "" {
		p.Line("note       the checkpoint's were chosen for %s: here they are chosen anew, so that the run goes on to other bits", c.Was)
	}
	if c.NotKept != "" {
		p.Line("note       they are not kept for later runs: %s", c.NotKept)
	}
}

// Changes lists what a run goes on with otherwise than until now.
func (p *Progress) Changes(changes []config.Change) {
	if len(changes) == 0 {
		return
	}
	key, was := len("setting"), len("until now")
	for _, c := range changes {
		key, was = max(key, len(c.Key)), max(was, utf8.RuneCountInString(c.Was))
	}
	p.Line("changed    %-*s  %-*s  %s", key, "setting", was, "until now", "from here on")
	for _, c := range changes {
		p.Line("           %-*s  %-*s  %s", key, c.Key, was, c.Was, c.Is)
	}
}

func (p *Progress) step(e events.Step) {
	p.stepMS = append(p.stepMS, e.Record.StepMS)
	first := e.Record.Step == int64(p.started.Step)+1
	last := e.Record.Step == int64(e.Steps)
	if !p.due() && !first && !last {
		return
	}
	r := e.Record
	p.Status("step %d/%d  %s  %s %s/s  %.0f ms  lr %.2e  ETA %s",
		r.Step, e.Steps, r.Text(), units.Count(int64(r.PerS)), r.Unit, r.StepMS, r.LR, e.ETA.Round(time.Second))
}

// saveWaited tells once that saves are due more often than they end.
func (p *Progress) saveWaited(s save.Waited) {
	if p.waited {
		return
	}
	p.waited = true
	p.Line("step %-6d saving waited %s for the checkpoint of step %d, which was still being written; raise train.save_every if that costs too much", s.Step, units.Seconds(s.Waited.Seconds()), s.For)
}

func (p *Progress) skipped(e events.Skip) {
	defer p.origins(e)
	switch {
	case e.Op != "":
		p.Line("step %-6d skipped: %s gave the first result that is not finite (%d in a row)", e.Step, e.Op, e.InARow)
	case e.Limit > 0:
		p.Line("step %-6d skipped: gradient norm %.3g is above %.3g (%d in a row)", e.Step, e.GradNorm, e.Limit, e.InARow)
	default:
		p.Line("step %-6d skipped: the gradient is not finite (%d in a row)", e.Step, e.InARow)
	}
}

// origins tells where the rows of a step that was skipped come from.
func (p *Progress) origins(e events.Skip) {
	var from []string
	for _, o := range e.From {
		if o.File != "" && len(from) < maxOrigins {
			from = append(from, o.String())
		}
	}
	if len(from) > 0 {
		p.Line("            its first rows are from %s", strings.Join(from, ", "))
	}
}

// maxOrigins bounds the rows of a skipped step that are named.
const maxOrigins = 3
