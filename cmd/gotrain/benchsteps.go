package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/data"
	"gotrain/nn"
	"gotrain/nn/generate"
	"gotrain/nn/gpt2"
	"gotrain/nn/zoo"
	"gotrain/train"
	"gotrain/train/device"
	"gotrain/train/forecast"
	"gotrain/train/units"
)

// stepCase is a configuration to take steps of.
type stepCase struct {
	name string
	cfg  train.Config
}

// stepTiming is the speed of whole training steps.
type stepTiming struct {
	Name           string  `json:"name"`
	Params         int64   `json:"params"`
	Layers         int     `json:"layers"`
	Heads          int     `json:"heads"`
	Width          int     `json:"width"`
	Batch          int     `json:"batch"`
	Context        int     `json:"context"`
	Vocab          int     `json:"vocab"`
	StepMS         float64 `json:"step_ms"` // the median
	Steps          int     `json:"steps"`   // measured
	TokensPerS     float64 `json:"tokens_per_s"`
	GFLOPS         float64 `json:"gflops"` // the model's own arithmetic
	FractionOfPeak float64 `json:"fraction_of_peak"`
	PlannedBytes   int64   `json:"planned_bytes"` // by gotrain plan, the process included

	GPU *gpuTiming `json:"gpu,omitempty"`
}

// gpuTiming is what a step on a GPU tells besides.
type gpuTiming struct {
	FirstStepS float64 `json:"first_step_s"` // from the look for a device to the end of the first step; that is OpenS to StepS
	OpenS      float64 `json:"open_s"`       // the driver, its context, our kernels
	BindS      float64 `json:"bind_s"`       // plans, memory, graphs
	ParamsS    float64 `json:"params_s"`     // the first parameters, drawn by the processor
	StepS      float64 `json:"step_s"`
	UsedBytes  int64   `json:"used_bytes"`    // memory of the GPU at the end, other programs included
	Nodes      int     `json:"graph_nodes"`   // of the graph of a step
	Idle       float64 `json:"idle_fraction"` // of a step, outside its graphs
}

// stepDevice is the device of one step case. Each case opens it anew, so that
// memory and start are its own.
type stepDevice struct {
	device.Device
	exec.Backend
	watched *watchedBackend // nil on the CPU
	began   time.Time       // the look for the device
	opened  time.Time
}

func openForSteps(d device.Device, began time.Time) (*stepDevice, error) {
	b, err := d.Open()
	if err != nil {
		return nil, err
	}
	s := &stepDevice{Device: d, Backend: b, began: began, opened: time.Now()}
	if d.Card != nil {
		if s.watched, err = watch(b); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		s.Backend = s.watched
	}
	return s, nil
}

// benchSteps measures the chosen steps; the device has been looked for since
// began.
func (f *benchFlags) benchSteps(c *cobra.Command, out io.Writer, d device.Device, began time.Time, r *benchReport) error {
	fmt.Fprintf(out, "\n%-11s %10s %-28s %9s %9s %9s  %s\n", "step", "parameters", "shape", "ms", "tokens/s", "GFLOP/s", "of the peak")
	cases, err := f.chosenSteps(d)
	if err != nil {
		return err
	}
	for _, s := range cases {
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		t, err := f.benchStep(s, d, began)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.name, err)
		}
		began = time.Now()
		t.FractionOfPeak = ratio(t.GFLOPS, r.Machine.Peak(f.precision))
		r.Steps = append(r.Steps, t)
		t.print(out)
	}
	return nil
}

func (t stepTiming) print(w io.Writer) {
	fmt.Fprintf(w, "%-11s %10s %-28s %9.2f %9s %9.1f  %10.0f%%\n", t.Name, units.Count(t.Params),
		fmt.Sprintf("batch %d × %d, vocab %d", t.Batch, t.Context, t.Vocab), t.StepMS, units.Count(int64(t.TokensPerS)), t.GFLOPS, 100*t.FractionOfPeak)
	if g := t.GPU; g != nil {
		fmt.Fprintf(w, "%11s first step after %.2f s, %s used, %s planned, graph of %d nodes, GPU idle %.1f%%\n",
			"", g.FirstStepS, units.Bytes(g.UsedBytes), units.Bytes(t.PlannedBytes), g.Nodes, 100*g.Idle)
	}
}

func (f *benchFlags) benchStep(s stepCase, d device.Device, began time.Time) (t stepTiming, err error) {
	opened, err := openForSteps(d, began)
	if err != nil {
		return stepTiming{}, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	return f.timeSteps(s, opened)
}

// setSizes takes what the model's configuration has of layers, heads and width.
func (t *stepTiming) setSizes(m nn.Model) error {
	text, err := json.Marshal(m.Config())
	if err != nil {
		return err
	}
	var sizes struct{ Layers, Heads, Width int }
	err = json.Unmarshal(text, &sizes)
	t.Layers, t.Heads, t.Width = sizes.Layers, sizes.Heads, sizes.Width
	return err
}

// timeSteps trains on random tokens for about f.seconds.
func (f *benchFlags) timeSteps(s stepCase, d *stepDevice) (stepTiming, error) {
	cfg := s.cfg
	cfg.Precision = f.precision
	cfg.Train.Save = "sync" // nothing is saved, so there is no copy to count
	model, err := cfg.NewModel(zoo.Families())
	if err != nil {
		return stepTiming{}, err
	}
	base := device.ResidentMemory()
	engine, err := train.NewEngine(cfg, model, d.Backend)
	if err != nil {
		return stepTiming{}, err
	}
	bound := time.Now()
	if err := engine.Initialize(); err != nil {
		return stepTiming{}, err
	}
	initialized := time.Now()
	context, vocab := cfg.Length(), model.Vocab()
	rows := cfg.Train.Batch * cfg.Train.Accumulate
	batch := randomBatch(rows, context, vocab)
	var times []time.Duration
	var warm time.Duration // in which the first step had the device busy
	for began := time.Now(); len(times) < 4 || time.Since(began).Seconds() < f.seconds; {
		start := time.Now()
		if _, err := engine.Step(batch, train.StepConfig{Step: len(times), Applied: len(times)}); err != nil {
			return stepTiming{}, err
		}
		times = append(times, time.Since(start))
		if d.watched != nil && len(times) == 1 {
			if warm, err = d.watched.busy(); err != nil {
				return stepTiming{}, err
			}
		}
	}
	median := middle(times).Seconds()
	t := stepTiming{Name: s.name, Params: nn.SizeOf(model).Params, Batch: rows, Context: context, Vocab: vocab, Steps: len(times),
		StepMS: 1e3 * median, TokensPerS: float64(rows*context) / median, PlannedBytes: forecast.MemoryOf(engine.Programs(), 1, d.Device, base).Total}
	if err := t.setSizes(model); err != nil {
		return stepTiming{}, err
	}
	t.GFLOPS = t.TokensPerS * nn.FLOPsPerToken(model, context).Exact / 1e9
	if d.watched != nil {
		busy, err := d.watched.busy()
		if err != nil {
			return stepTiming{}, err
		}
		t.GPU = &gpuTiming{OpenS: d.opened.Sub(d.began).Seconds(), BindS: bound.Sub(d.opened).Seconds(), ParamsS: initialized.Sub(bound).Seconds(),
			StepS: times[0].Seconds(), UsedBytes: d.Used(), Nodes: d.watched.nodes()}
		t.GPU.FirstStepS = t.GPU.OpenS + t.GPU.BindS + t.GPU.ParamsS + t.GPU.StepS
		t.GPU.Idle = 1 - (busy-warm).Seconds()/sum(times[1:]).Seconds()
	}
	return t, nil
}

func sum(times []time.Duration) time.Duration {
	var all time.Duration
	for _, t := range times {
		all += t
	}
	return all
}

// middle returns the median, without the first step, which warms up.
func middle(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times[1:]))
	return sorted[len(sorted)/2]
}

// randomBatch is a batch of random tokens.
func randomBatch(rows, length, vocab int) *data.Batch {
	size := data.Sequences{Rows: data.Rows{Batch: rows}, Context: length}
	b := size.NewBatch()
	ids, targets := b.Ints[data.IDs], b.Ints[data.Targets]
	r := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i], targets[i] = r.Int32N(int32(vocab)), r.Int32N(int32(vocab))
	}
	b.Weight = float64(len(ids))
	return b
}

// decodeTiming is the speed of single-token decoding with key/value caches.
type decodeTiming struct {
	Params     int64   `json:"params"`
	TokenMS    float64 `json:"token_ms"` // the median
	TokensPerS float64 `json:"tokens_per_s"`
}

// benchDecode continues a text with GPT-2 124M of random weights.
func (f *benchFlags) benchDecode(c *cobra.Command, out io.Writer, d device.Device, r *benchReport) error {
	backend, err := d.Open()
	if err != nil {
		return err
	}
	defer backend.Close()
	const prompt, tokens = 8, 64
	model, err := gpt2.New(gpt2Small(1024, 50257), nn.Tuning{})
	if err != nil {
		return err
	}
	store := exec.NewStore(backend)
	for _, p := range model.Params() {
		if _, err := store.Ensure(p.Name, ir.F32, p.Shape); err != nil {
			return err
		}
	}
	if err := nn.Initialize(model.Params(), 1, store.WriteAt); err != nil {
		return err
	}
	g, err := generate.New(model, store, generate.Config{Compute: train.Config{Precision: f.precision}.Compute()})
	if err != nil {
		return err
	}
	if err := g.Append(make([]int32, prompt)...); err != nil {
		return err
	}
	var times []time.Duration
	for i := range tokens {
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		start := time.Now()
		if err := g.Append(int32(i)); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	median := middle(times).Seconds()
	r.Decode = &decodeTiming{Params: nn.SizeOf(model).Params, TokenMS: 1e3 * median, TokensPerS: 1 / median}
	fmt.Fprintf(out, "\ndecode   %10s one token at a time %16.2f ms %9.1f tokens/s\n", units.Count(r.Decode.Params), r.Decode.TokenMS, r.Decode.TokensPerS)
	return nil
}
