package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks/rankstest"
	"example.com/gotrain/train/save"
)

// lineYAML has steps of three micro-batches; its seed has a high half and a low one.
const lineYAML = `
run: {seed: 12884901895} # 3·2³² + 7
recipe: {kind: lines}
model: {family: line}
data: {format: lines}
train: {steps: 26, batch: 2, accumulate: 3, eval_every: 5, eval_batches: 2, save_every: 8, log_every: 4, max_skips: 2, spike_factor: 2}
optimizer: {kind: adamw, lr: 0.02, betas: [0.8, 0.9], eps: 1e-6, weight_decay: 0.1, clip: 0.5, schedule: cosine, warmup: 4, min_lr: 0.2, ema: 0.75}
`

const (
	lineSteps   = 26
	lineSamples = 6    // of a step
	linePeak    = 1e4  // of arithmetic
	lineFLOPs   = 16.0 // of a sample: in each phase 2·2 forward and as many for the gradient of w
)

// lineModel is a model with its optimizer's state and its guard, in float64.
type lineModel struct {
	p, m, v, ema [3]float64 // w[0], w[1], b
	applied      int
	guard        save.Guard
}

// expected is what a run has to tell of a step.
type expected struct {
	values   map[string]float64 // nll, bits_per_byte, miss, lr_b, grad_norm_b
	lr, norm float64
	skipped  bool    // phase b
	limit    float64 // that the norm of b exceeded, 0 where it was not finite
	inARow   int
	a, b     lineModel // after it
}

// lineFraction is the schedule of a (linear) or b (cosine) with 4 steps of warm-up.
func lineFraction(step int, cosine bool) float64 {
	if step < 4 {
		return float64(step+1) / 4
	}
	progress := float64(step-4) / (lineSteps - 4)
	if cosine {
		return 0.2 + 0.8*(1+math.Cos(math.Pi*progress))/2
	}
	return 1 - 0.8*progress
}

// gradient is that of Σ (y - t)² / Σ weight over a step, with Σ (y - t)².
func (m *lineModel) gradient(step int, ofB bool) (g [3]float64, squares float64) {
	weight := 0
	for n := range uint64(lineSamples) {
		s := lineAt(uint64(step)*lineSamples + n)
		x := s.x
		if ofB {
			x = s.z
		}
		off := m.p[0]*float64(x[0]) + m.p[1]*float64(x[1]) + m.p[2] - float64(s.t)
		squares += off * off
		for i, dx := range []float64{float64(x[0]), float64(x[1]), 1} {
			g[i] += 2 * off * dx
		}
		weight += s.weight
	}
	for i := range g {
		g[i] /= float64(weight)
	}
	return g, squares
}

func norm(g [3]float64) float64 { return math.Sqrt(g[0]*g[0] + g[1]*g[1] + g[2]*g[2]) }

// limit is the guard's bound.
func (m *lineModel) limit() float64 {
	if m.guard.Seen < 20 {
		return 0
	}
	return 2 * m.guard.Mean
}

// accept has the guard take a norm.
func (m *lineModel) accept(norm float64) {
	m.guard.InARow = 0
	m.guard.Seen++
	decay := min(0.98, 1-1/float64(m.guard.Seen))
	m.guard.Mean = decay*m.guard.Mean + (1-decay)*norm
	m.applied++
}

// adamw is phase b's update: clipped to 0.5, w decays.
func (m *lineModel) adamw(g [3]float64, lr float64) {
	factor := min(1, 0.5/(norm(g)+1e-6))
	c1, c2 := 1-math.Pow(0.8, float64(m.applied+1)), 1-math.Pow(0.9, float64(m.applied+1))
	for i := range m.p {
		x, decay := g[i]*factor, 0.1
		if i == 2 {
			decay = 0
		}
		m.m[i] = 0.8*m.m[i] + 0.2*x
		m.v[i] = 0.9*m.v[i] + 0.1*x*x
		m.p[i] -= lr * (decay*m.p[i] + (m.m[i]/c1)/(math.Sqrt(m.v[i]/c2)+1e-6))
		m.ema[i] = 0.75*m.ema[i] + 0.25*m.p[i]
	}
}

// sgd is phase a's update, with Nesterov's momentum.
func (m *lineModel) sgd(g [3]float64, lr float64) {
	for i := range m.p {
		x := g[i]
		if i < 2 {
			x += 0.1 * m.p[i]
		}
		if m.m[i] = 0.9*m.m[i] + x; m.applied == 0 {
			m.m[i] = x
		}
		m.p[i] -= lr * (x + 0.9*m.m[i])
	}
}

// byHand computes every step of the run.
func byHand(a, b lineModel) []expected {
	var all []expected
	for step := range lineSteps {
		ga, squaresA := a.gradient(step, false)
		gb, squaresB := b.gradient(step, true)
		weight, bytes := 0.0, 0.0
		for n := range uint64(lineSamples) {
			s := lineAt(uint64(step)*lineSamples + n)
			weight, bytes = weight+float64(s.weight), bytes+float64(s.bytes)
		}
		e := expected{lr: 0.05 * lineFraction(step, false), norm: norm(ga), values: map[string]float64{
			"nll": squaresA / weight, "ppl": math.Exp(squaresA / weight), "bits_per_byte": squaresA / bytes / math.Log(2), "miss": squaresB / lineSamples,
			"lr_b": 0.02 * lineFraction(step, true), "grad_norm_b": norm(gb), "seed_high": 307,
		}}
		a.sgd(ga, e.lr)
		a.accept(norm(ga))
		if limit := b.limit(); !(norm(gb) <= math.MaxFloat32) || limit > 0 && norm(gb) > limit {
			b.guard.Skipped++
			b.guard.InARow++
			e.skipped, e.limit, e.inARow = true, limit, b.guard.InARow
			if !(norm(gb) <= math.MaxFloat32) {
				e.limit = 0
			}
		} else {
			b.adamw(gb, e.values["lr_b"])
			b.accept(norm(gb))
		}
		e.a, e.b = a, b
		all = append(all, e)
	}
	return all
}

// lineStart is a model of a role as seed draws it.
func lineStart(t *testing.T, role string, seed uint64) (m lineModel) {
	t.Helper()
	model, err := newLine(lineConfig{}, nn.Tuning{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	err = nn.Initialize(model.Params(), seed, func(name string, off int, x []float32) error {
		if strings.HasSuffix(name, "bias") {
			off = 2
		}
		for i := range x {
			m.p[off+i] = float64(x[i])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m.ema = m.p
	return m
}

// lineConfigOf is lineYAML with assignments.
func lineConfigOf(t *testing.T, set ...string) Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "lines.yaml")
	if err := os.WriteFile(file, []byte(lineYAML), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, append(set, "run.dir="+filepath.Join(dir, "run")), lineTable(nil).Config())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// lineRun is one life of a run with everything that it told.
type lineRun struct {
	steps  []events.Step
	skips  []events.Skip
	vals   []metrics.Record
	result events.Result
	err    error
}

// trainLines trains on n ranks until rank 0 has told of a step, 0 for the end. Its clock
// goes on as lineTable says, and no otherwise.
func trainLines(t *testing.T, cfg Config, n, until int) lineRun {
	t.Helper()
	var r lineRun
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wait sync.WaitGroup
	errs := make([]error, n)
	groups := rankstest.New(n)
	for rank := range n {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		tick := func(d time.Duration) { now = now.Add(d) }
		d := Deps{Table: lineTable(tick), FS: vfs.OS{}, Now: func() time.Time { return now }, Resume: "auto", Machine: engine.Machine{Peak: linePeak}}
		if n > 1 {
			d.Group, d.LocalRank = groups[rank], rank
			d.Backend = rankBackend(t, d.Group)
		} else {
			d.Backend = backend(t, 1)
		}
		if rank == 0 {
			d.Listener = events.Listener{
				Step: func(e events.Step) {
					e.Record.Values = slices.Clone(e.Record.Values)
					if r.steps = append(r.steps, e); int(e.Record.Step) == until {
						stop()
					}
				},
				Skipped: func(e events.Skip) {
					e.From = slices.Clone(e.From)
					r.skips = append(r.skips, e)
				},
				Validation: func(v metrics.Record) { r.vals = append(r.vals, v) },
			}
		}
		wait.Go(func() {
			result, err := Train(ctx, cfg, d)
			if errs[rank] = err; rank == 0 {
				r.result = result
			}
		})
	}
	wait.Wait()
	r.err = errors.Join(errs...)
	return r
}

func close32(got, want float64) bool {
	switch {
	case !(math.Abs(want) <= math.MaxFloat32):
		return math.IsNaN(got) || math.IsInf(got, 0)
	}
	return math.Abs(got-want) <= 2e-5*(1+math.Abs(want))
}

// TestRunByHand compares everything that a run tells and saves with what the test computes:
// steps of three micro-batches, of two phases with optimizers of their own, one of which
// skips steps that are not finite and steps above the guard's bound, between good ones. The
// run is stopped twice and goes on, on one rank and on two.
func TestRunByHand(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			cfg := lineConfigOf(t)
			want := byHand(lineStart(t, "a", cfg.Run.Seed), lineStart(t, "b", cfg.Run.Seed))
			made := 0
			for _, until := range []int{4, 17, 0} {
				life := trainLines(t, cfg, n, until)
				if until > 0 && !errors.Is(life.err, ErrStopped) || until == 0 && life.err != nil {
					t.Fatal(life.err)
				}
				end := until
				if until == 0 {
					end = lineSteps
				}
				if len(life.steps) != end-made || life.result.Steps != end-made || life.result.State.Step != end {
					t.Fatalf("a life from step %d to %d told of %d steps, its result of %d, at step %d", made, end, len(life.steps), life.result.Steps, life.result.State.Step)
				}
				checkSteps(t, life, want, made, n)
				checkValidations(t, life, want)
				checkSaved(t, cfg, life.result, want[end-1], end)
				made = end
			}
			checkLines(t, cfg)
		})
	}
}

// checkSteps compares what a life that began after step made told of its steps.
func checkSteps(t *testing.T, life lineRun, want []expected, made, ranks int) {
	t.Helper()
	var skips []events.Skip
	for i, e := range life.steps {
		step := made + i
		w, r := want[step], e.Record
		per, micro := 3, 3 // samples of a rank, and its micro-batches
		if ranks == 1 {
			per = 6
		} else {
			micro = 2
		}
		first, squared := 0.0, 0.0
		for rank := range ranks {
			for m := range micro {
				unit := float64((step*lineSamples + rank*per + m*2) * lineUnits)
				first, squared = first+unit, squared+unit*unit
			}
		}
		runs := float64(ranks * micro)
		values := maps.Clone(w.values)
		values["first"], values["first_squared"] = first/runs, squared/runs
		rate := lineSamples * lineUnits / 0.25
		for _, v := range r.Values {
			if x, ok := values[v.Name]; !ok || !close32(v.Value, x) {
				t.Errorf("step %d: %s is %g, want %g", step+1, v.Name, v.Value, x)
			}
			delete(values, v.Name)
		}
		for name := range values {
			t.Errorf("step %d: no %s", step+1, name)
		}
		left := time.Duration(lineSteps-step-1) * stepTime
		if evaluations := step/5 - made/5; e.ETA < left || e.ETA > left+time.Duration(evaluations)*2*evalTime*lineSteps {
			t.Errorf("step %d: %v left, want %v and a share of %d evaluations", step+1, e.ETA, left, evaluations)
		}
		for _, x := range []struct {
			name      string
			got, want float64
		}{
			{"step", float64(r.Step), float64(step + 1)}, {"lr", r.LR, w.lr}, {"grad_norm", r.GradNorm, w.norm},
			{"beats", float64(r.Seen), float64((step + 1) * lineSamples * lineUnits)}, {"beats_per_s", r.PerS, rate}, {"step_ms", r.StepMS, 250},
			{"mfu", r.MFU, rate / lineUnits * lineFLOPs / linePeak / float64(ranks)}, {"steps", float64(e.Steps), lineSteps},
		} {
			if !close32(x.got, x.want) {
				t.Errorf("step %d: %s is %g, want %g", step+1, x.name, x.got, x.want)
			}
		}
		if r.Split != metrics.Train || r.Unit != "beats" {
			t.Errorf("step %d: a record of %s in %s", step+1, r.Split, r.Unit)
		}
		if w.skipped {
			skips = append(skips, events.Skip{Step: step + 1, Phase: "b", GradNorm: w.values["grad_norm_b"], Limit: w.limit, InARow: w.inARow})
		}
	}
	if len(skips) != len(life.skips) {
		t.Fatalf("%d steps were skipped, want %d", len(life.skips), len(skips))
	}
	for i, w := range skips {
		s := life.skips[i]
		if s.Step != w.Step || s.Phase != w.Phase || s.InARow != w.InARow || !close32(s.GradNorm, w.GradNorm) || !close32(s.Limit, w.Limit) {
			t.Errorf("skipped %+v, want %+v", s, w)
		}
		if named := strings.Contains(s.Op, "b.out") || strings.HasPrefix(s.Op, "Mul at "); named != (w.Limit == 0) {
			t.Errorf("step %d: the op to blame is %q", s.Step, s.Op)
		}
		if len(s.From) == 0 || s.From[0] != (data.Origin{File: "lines", Offset: int64((s.Step - 1) * lineSamples)}) {
			t.Errorf("step %d: the rows are from %v", s.Step, s.From)
		}
	}
}

// checkValidations compares the evaluations: after every fifth step and at the end, two
// batches of two samples.
func checkValidations(t *testing.T, life lineRun, want []expected) {
	t.Helper()
	var due []int
	for _, e := range life.steps {
		if step := int(e.Record.Step); step%5 == 0 || step == lineSteps {
			due = append(due, step)
		}
	}
	var got []int
	for _, v := range life.vals {
		got = append(got, int(v.Step))
		m := want[v.Step-1].a
		squares, weight, bytes, off := 0.0, 0.0, 0.0, 0.0
		for n := range uint64(4) {
			s := lineAt(1000 + n)
			o := m.p[0]*float64(s.x[0]) + m.p[1]*float64(s.x[1]) + m.p[2] - float64(s.t)
			squares, weight, bytes, off = squares+o*o, weight+float64(s.weight), bytes+float64(s.bytes), off+o
		}
		ranks := 1.0
		if v.Get("runs") != 0 && math.Abs(v.Get("runs")-off/4) < math.Abs(v.Get("runs")-off/2) {
			ranks = 2 // each rank runs the program
		}
		for _, x := range []struct {
			name      string
			got, want float64
		}{
			{"nll", v.Get("nll"), squares / weight}, {"bits_per_byte", v.Get("bits_per_byte"), squares / bytes / math.Log(2)},
			{"runs", v.Get("runs"), off / 2 / ranks}, {"beats_per_s", v.PerS, weight / 0.2}, {"step_ms", v.StepMS, 200},
			{"beats", float64(v.Seen), float64(v.Step * lineSamples * lineUnits)},
		} {
			if !close32(x.got, x.want) {
				t.Errorf("evaluation after step %d: %s is %g, want %g", v.Step, x.name, x.got, x.want)
			}
		}
		if v.Split != metrics.Val || !math.IsNaN(v.LR) || !math.IsNaN(v.GradNorm) || !math.IsNaN(v.MFU) {
			t.Errorf("evaluation after step %d: %+v", v.Step, v)
		}
	}
	if !slices.Equal(got, due) {
		t.Errorf("evaluated after steps %v, want %v", got, due)
	}
}

// checkSaved compares the newest checkpoint: where the run stands, all parameters and all
// states of the optimizers.
func checkSaved(t *testing.T, cfg Config, result events.Result, w expected, step int) {
	t.Helper()
	state, err := save.ReadState(result.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []save.State{*state, result.State} {
		if s.Step != step || s.Samples != int64(step*lineSamples) || s.Units != int64(step*lineSamples*lineUnits) || len(s.Phases) != 2 || s.Best != nil {
			t.Errorf("after step %d: %+v", step, s)
		}
		for i, m := range []lineModel{w.a, w.b} {
			p := s.Phases[i]
			if p.Applied != m.applied || p.Guard.Seen != m.guard.Seen || p.Guard.Skipped != m.guard.Skipped || p.Guard.InARow != m.guard.InARow || !close32(p.Guard.Mean, m.guard.Mean) {
				t.Errorf("after step %d: phase %d is %+v, want %d applied, %+v", step, i, p, m.applied, m.guard)
			}
		}
	}
	if resolved, err := config.Encode(cfg); err != nil || state.Config != string(resolved) {
		t.Errorf("after step %d: the configuration in the checkpoint is\n%s\n%v, want\n%s", step, state.Config, err, resolved)
	}
	got := map[string][]float64{}
	for _, file := range []struct{ dir, name, role string }{{"a", "model.safetensors", "a."}, {"b", "model.safetensors", "b."}, {"", save.OptimizerFile, ""}} {
		shards, err := hub.OpenTensors(filepath.Join(result.Checkpoint, file.dir), file.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, shard := range shards {
			for _, tensor := range shard.Tensors() {
				x := make([]float32, len(tensor.Data)/4)
				if err := tensor.CopyFloat32(x); err != nil {
					t.Fatal(err)
				}
				for _, y := range x {
					got[file.role+tensor.Name] = append(got[file.role+tensor.Name], float64(y))
				}
			}
		}
		if err := shards.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][3]float64{
		"a.": w.a.p, "b.": w.b.p, "exp_avg.b.": w.b.m, "exp_avg_sq.b.": w.b.v, "ema.b.": w.b.ema, "momentum.a.": w.a.m,
	}
	if len(got) != 2*len(want) {
		t.Errorf("after step %d the checkpoint has the tensors %v", step, slices.Sorted(maps.Keys(got)))
	}
	for prefix, x := range want {
		for name, part := range map[string][]float64{"out.weight": x[:2], "out.bias": x[2:]} {
			if !slices.EqualFunc(got[prefix+name], part, close32) {
				t.Errorf("after step %d: %s%s is %v, want %v", step, prefix, name, got[prefix+name], part)
			}
		}
	}
}

// checkLines wants a line of every fourth step and the last, and of every evaluation, in
// their order.
func checkLines(t *testing.T, cfg Config) {
	t.Helper()
	text, err := os.ReadFile(MetricsPath(cfg.Run.Dir))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var r metrics.Record
		if err := r.UnmarshalJSON([]byte(line)); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(r.Split, r.Step))
	}
	if want := "[train4 val5 train8 val10 train12 val15 train16 train20 val20 train24 val25 train26 val26]"; fmt.Sprint(got) != want {
		t.Errorf("metrics.jsonl has %v, want %s", got, want)
	}
}
