package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/autograd/exec"
	"gotrain/data"
	"gotrain/nn"
	"gotrain/nn/zoo"
	"gotrain/train"
)

// benchFlags choose what to measure.
type benchFlags struct {
	steps     []string
	kernels   bool
	precision string
	device    string
	threads   int
	seconds   float64
	json      bool
}

func newBench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Speed of kernels and of whole steps, against the measured peak",
		Long: `Bench measures the peak arithmetic and the memory bandwidth of this machine, each
kernel against them, and whole training steps of reference models: forward,
backward and AdamW, without gradient clipping. Each figure is the best of several
runs; other programs on the machine lower it.

Reference steps: ` + strings.Join(stepNames(), ", ") + ".",
		Example: `  gotrain bench
  gotrain bench --step=0.8m,12.3m --json
  gotrain bench --kernels --precision bfloat16`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	c.Flags().StringSliceVar(&f.steps, "step", nil, "measure steps only, of `NAMES` (all without a name)")
	c.Flags().Lookup("step").NoOptDefVal = "all"
	c.Flags().BoolVar(&f.kernels, "kernels", false, "measure kernels only")
	c.Flags().StringVar(&f.precision, "precision", "float32", "of matrix products, `NAME` is float32 or bfloat16")
	c.Flags().StringVar(&f.device, "device", "auto", "device `NAME`: auto, cpu, cuda or cuda:N")
	c.Flags().IntVar(&f.threads, "threads", 0, "`N` CPU threads, 0 for all cores")
	c.Flags().Float64Var(&f.seconds, "seconds", 2, "`S` seconds for each step, a tenth of it for each kernel")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "precision", fixed("float32", "bfloat16"))
	complete(c, "device", devices)
	complete(c, "step", fixed(append(stepNames(), "all")...))
	return c
}

// benchReport is what bench prints.
type benchReport struct {
	Processor string         `json:"processor"`
	Precision string         `json:"precision"`
	Machine   machine        `json:"machine"`
	Kernels   []kernelResult `json:"kernels"`
	Steps     []stepTiming   `json:"steps"`
}

func (f *benchFlags) validate() error {
	if f.precision != "float32" && f.precision != "bfloat16" {
		return usagef("--precision is %q; use float32 or bfloat16", f.precision)
	}
	if f.seconds <= 0 {
		return usagef("--seconds is %g; use more than 0", f.seconds)
	}
	if f.threads < 0 {
		return usagef("--threads is %d; use 0 for all cores", f.threads)
	}
	if f.kernels && len(f.steps) > 0 {
		return usagef("--kernels and --step exclude each other; leave both out to measure all")
	}
	for _, name := range f.steps {
		if name != "all" && !slices.Contains(stepNames(), name) {
			return usagef("--step is %q; use %s or all", name, strings.Join(stepNames(), ", "))
		}
	}
	return nil
}

func (f *benchFlags) run(c *cobra.Command) error {
	if err := f.validate(); err != nil {
		return err
	}
	backend, err := openDevice(f.device, f.threads)
	if err != nil {
		return err
	}
	defer backend.Close()
	name, _ := processor()
	r := benchReport{Processor: name, Precision: f.precision, Kernels: []kernelResult{}, Steps: []stepTiming{}}
	r.Machine = measureMachine(f.threads)
	out := c.OutOrStdout()
	if f.json {
		out = io.Discard
	}
	fmt.Fprintf(out, "%s, %d threads, %s\npeak  %.1f GFLOP/s float32, %.1f GFLOP/s bfloat16, %.1f GB/s copied\n",
		r.Processor, r.Machine.Threads, r.Machine.ISA, r.Machine.F32, r.Machine.BF16, r.Machine.Bandwidth)
	if len(f.steps) == 0 {
		if err := f.benchKernels(c, out, backend, &r); err != nil {
			return err
		}
	}
	if !f.kernels {
		if err := f.benchSteps(c, out, backend, &r); err != nil {
			return err
		}
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	return nil
}

func (f *benchFlags) benchKernels(c *cobra.Command, out io.Writer, backend exec.Backend, r *benchReport) error {
	fmt.Fprintf(out, "\n%-44s %9s %9s %9s  %s\n", "kernel", "ms", "GFLOP/s", "GB/s", "of the peak")
	for _, k := range kernelCases() {
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		seconds, err := timeKernel(k, backend, f.precision == "bfloat16", f.seconds/10)
		if err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		result := k.result(seconds, r.Machine, f.precision)
		r.Kernels = append(r.Kernels, result)
		result.print(out)
	}
	return nil
}

// stepCase is a reference model and its batch.
type stepCase struct {
	name  string
	model nn.Config
	batch int
}

// stepCases are the models that PyTorch is measured with too.
func stepCases() []stepCase {
	return []stepCase{
		{"0.8m", nn.Config{Family: nn.GPT2, Layers: 4, Heads: 4, Width: 128, Context: 64, Vocab: 65}, 12},
		{"12.3m", nn.Config{Family: nn.GPT2, Layers: 6, Heads: 6, Width: 384, Context: 256, Vocab: 4096}, 16},
		{"124m", nn.Config{Family: nn.GPT2, Layers: 12, Heads: 12, Width: 768, Context: 64, Vocab: 50257}, 4},
	}
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
	StepMS         float64 `json:"step_ms"` // the fastest
	Steps          int     `json:"steps"`   // measured
	TokensPerS     float64 `json:"tokens_per_s"`
	GFLOPS         float64 `json:"gflops"` // the model's own arithmetic
	FractionOfPeak float64 `json:"fraction_of_peak"`
}

func (f *benchFlags) benchSteps(c *cobra.Command, out io.Writer, backend exec.Backend, r *benchReport) error {
	fmt.Fprintf(out, "\n%-8s %10s %-28s %9s %9s %9s  %s\n", "step", "parameters", "shape", "ms", "tokens/s", "GFLOP/s", "of the peak")
	for _, s := range stepCases() {
		if len(f.steps) > 0 && !slices.Contains(f.steps, s.name) && !slices.Contains(f.steps, "all") {
			continue
		}
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		t, err := f.timeSteps(s, backend)
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

// timeSteps trains on random tokens for about f.seconds and takes the fastest
// step.
func (f *benchFlags) timeSteps(s stepCase, backend exec.Backend) (stepTiming, error) {
	cfg := train.DefaultConfig()
	cfg.Model, cfg.Precision, cfg.Train.Batch = s.model, f.precision, s.batch
	cfg.Optimizer.Clip, cfg.Optimizer.InBackward = 0, true
	model, err := zoo.New(cfg.Model)
	if err != nil {
		return stepTiming{}, err
	}
	engine, err := train.NewEngine(cfg, model, backend)
	if err != nil {
		return stepTiming{}, err
	}
	if err := engine.Initialize(); err != nil {
		return stepTiming{}, err
	}
	batch := randomBatch(s.batch, s.model.Context, s.model.Vocab)
	t := stepTiming{Name: s.name, Params: nn.SizeOf(model).Params, Batch: s.batch, Context: s.model.Context, Vocab: s.model.Vocab}
	best := time.Duration(1<<63 - 1)
	for began := time.Now(); t.Steps < 3 || time.Since(began).Seconds() < f.seconds; t.Steps++ {
		start := time.Now()
		if _, err := engine.Step(batch, t.Steps, t.Steps, 0); err != nil {
			return t, err
		}
		best = min(best, time.Since(start))
	}
	tokens := float64(s.batch * s.model.Context)
	t.StepMS, t.TokensPerS = 1e3*best.Seconds(), tokens/best.Seconds()
	t.GFLOPS = t.TokensPerS * nn.FLOPsPerToken(model, s.model.Context).Exact / 1e9
	return t, nil
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
