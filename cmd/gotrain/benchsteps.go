package main

import (
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
	"gotrain/nn/zoo"
	"gotrain/train"
)

// stepCase is a configuration to take steps of.
type stepCase struct {
	name string
	cfg  train.Config
}

// reference is a model that PyTorch is measured with too, which applies its
// gradients without clipping.
func reference(name string, batch int, model nn.Config) stepCase {
	cfg := train.DefaultConfig()
	cfg.Model, cfg.Train.Batch = model, batch
	cfg.Optimizer.Clip, cfg.Optimizer.InBackward = 0, true
	return stepCase{name, cfg}
}

func stepCases() []stepCase {
	return []stepCase{
		reference("0.8m", 12, nn.Config{Family: nn.GPT2, Layers: 4, Heads: 4, Width: 128, Context: 64, Vocab: 65}),
		reference("12.3m", 16, nn.Config{Family: nn.GPT2, Layers: 6, Heads: 6, Width: 384, Context: 256, Vocab: 4096}),
		reference("124m", 4, nn.Config{Family: nn.GPT2, Layers: 12, Heads: 12, Width: 768, Context: 64, Vocab: 50257}),
	}
}

// chosenSteps are the steps that the flags ask for.
func (f *benchFlags) chosenSteps() ([]stepCase, error) {
	if f.config != "" {
		cfg, err := train.LoadConfig(f.config, f.set)
		if err != nil {
			return nil, usageError{err}
		}
		if cfg.Model.Vocab == 0 {
			cfg.Model.Vocab = cfg.Tokenizer.Vocab
		}
		f.precision = cfg.Precision
		return []stepCase{{"config", cfg}}, nil
	}
	return slices.DeleteFunc(stepCases(), func(s stepCase) bool {
		return len(f.steps) > 0 && !slices.Contains(f.steps, s.name) && !slices.Contains(f.steps, "all")
	}), nil
}

func stepNames() []string {
	var names []string
	for _, s := range stepCases() {
		names = append(names, s.name)
	}
	return names
}

// stepTiming is the speed of whole training steps.
type stepTiming struct {
	Name           string  `json:"name"`
	Params         int64   `json:"params"`
	Batch          int     `json:"batch"`
	Context        int     `json:"context"`
	Vocab          int     `json:"vocab"`
	StepMS         float64 `json:"step_ms"` // the median
	Steps          int     `json:"steps"`   // measured
	TokensPerS     float64 `json:"tokens_per_s"`
	GFLOPS         float64 `json:"gflops"` // the model's own arithmetic
	FractionOfPeak float64 `json:"fraction_of_peak"`
	PlannedBytes   int64   `json:"planned_bytes"` // by gotrain plan, the process included
}

func (f *benchFlags) benchSteps(c *cobra.Command, out io.Writer, backend exec.Backend, d device, r *benchReport) error {
	fmt.Fprintf(out, "\n%-8s %10s %-28s %9s %9s %9s  %s\n", "step", "parameters", "shape", "ms", "tokens/s", "GFLOP/s", "of the peak")
	cases, err := f.chosenSteps()
	if err != nil {
		return err
	}
	for _, s := range cases {
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		t, err := f.timeSteps(s, backend, d)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.name, err)
		}
		t.FractionOfPeak = t.GFLOPS / r.Machine.peak(f.precision)
		r.Steps = append(r.Steps, t)
		fmt.Fprintf(out, "%-8s %10s %-28s %9.2f %9s %9.1f  %10.0f%%\n", t.Name, countText(t.Params),
			fmt.Sprintf("batch %d × %d, vocab %d", t.Batch, t.Context, t.Vocab), t.StepMS, countText(int64(t.TokensPerS)), t.GFLOPS, 100*t.FractionOfPeak)
	}
	return nil
}

// timeSteps trains on random tokens for about f.seconds.
func (f *benchFlags) timeSteps(s stepCase, backend exec.Backend, d device) (stepTiming, error) {
	cfg := s.cfg
	cfg.Precision = f.precision
	model, err := zoo.New(cfg.Model)
	if err != nil {
		return stepTiming{}, err
	}
	base := residentMemory()
	engine, err := train.NewEngine(cfg, model, backend)
	if err != nil {
		return stepTiming{}, err
	}
	if err := engine.Initialize(); err != nil {
		return stepTiming{}, err
	}
	c := cfg.Model
	rows := cfg.Train.Batch * cfg.Train.Accumulate
	batch := randomBatch(rows, c.Context, c.Vocab)
	var times []time.Duration
	for began := time.Now(); len(times) < 4 || time.Since(began).Seconds() < f.seconds; {
		start := time.Now()
		if _, err := engine.Step(batch, len(times), len(times), 0); err != nil {
			return stepTiming{}, err
		}
		times = append(times, time.Since(start))
	}
	median := middle(times).Seconds()
	t := stepTiming{Name: s.name, Params: nn.SizeOf(model).Params, Batch: rows, Context: c.Context, Vocab: c.Vocab, Steps: len(times),
		StepMS: 1e3 * median, TokensPerS: float64(rows*c.Context) / median, PlannedBytes: planMemory(engine.Programs(), d, base).Total}
	t.GFLOPS = t.TokensPerS * nn.FLOPsPerToken(model, c.Context).Exact / 1e9
	return t, nil
}

// middle returns the median, without the first step, which warms up.
func middle(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times[1:]))
	return sorted[len(sorted)/2]
}

// randomBatch is a batch of random tokens.
func randomBatch(rows, length, vocab int) *data.Batch {
	shape := data.Shape{Batch: rows, Context: length}
	b := shape.NewBatch()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b.Inputs {
		b.Inputs[i], b.Targets[i] = r.Int32N(int32(vocab)), r.Int32N(int32(vocab))
	}
	b.Counted = len(b.Inputs)
	return b
}

// decodeTiming is the speed of single-token decoding with key/value caches.
type decodeTiming struct {
	Params     int64   `json:"params"`
	TokenMS    float64 `json:"token_ms"` // the median
	TokensPerS float64 `json:"tokens_per_s"`
}

// benchDecode continues a text with GPT-2 124M of random weights.
func (f *benchFlags) benchDecode(c *cobra.Command, out io.Writer, backend exec.Backend, r *benchReport) error {
	const prompt, tokens = 8, 64
	model, err := zoo.New(nn.Config{Family: nn.GPT2, Layers: 12, Heads: 12, Width: 768, Context: 1024, Vocab: 50257})
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
	fmt.Fprintf(out, "\ndecode   %10s one token at a time %16.2f ms %9.1f tokens/s\n", countText(r.Decode.Params), r.Decode.TokenMS, r.Decode.TokensPerS)
	return nil
}
