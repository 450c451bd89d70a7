package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	kernels "example.com/gotrain/autograd/bench"
	"example.com/gotrain/train/bench"
)

// benchFlags choose what to measure.
type benchFlags struct {
	steps     []string
	kernels   []string
	decode    bool
	split     bool
	repeat    bool
	config    string
	set       []string
	precision string
	device    string
	shapes    string
	threads   int
	seconds   float64
	json      bool

	configured []bench.Step // the step of the configuration; set by settle
}

func newBench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Speed of kernels and of whole steps, against the measured peak",
		Long: `Bench measures the peak arithmetic and the memory bandwidth of this machine, each
kernel against them, and whole training steps of reference models: forward,
backward and AdamW, without gradient clipping. Each figure is the best of several
runs, of steps and tokens the median; other programs on the machine lower it.

On a GPU the peak is that of its clocks, not measured. A kernel is measured in
batches of 20 ms, recorded as one CUDA graph, over arguments larger than the
caches; in bfloat16 its activations are stored so. Steps run as in training,
and tell besides: the time from opening the device to the end of the first step,
the memory of the GPU that is used then, the nodes of the step's graph, and the
share of a step in which the GPU waits for the processor. cuBLASLt's algorithms and
epilogues are chosen by timing, as in a run.

With --by-instruction each step tells where its time goes: of each kind of instruction,
and of each kind and shape, the launches, the time, and what it reaches of the peak. On a
GPU the times lie between events in the graph of the step.

Kinds of kernels: ` + strings.Join(kernels.Kinds(), ", ") + `.
Reference steps: ` + strings.Join(bench.Names(), ", ") + ".",
		Example: `  gotrain bench
  gotrain bench --device cuda --precision bfloat16 --step=124m-b32
  gotrain bench --step=0.8m,12.3m --json
  gotrain bench --step=0.8m --by-instruction
  gotrain bench --kernels --precision bfloat16
  gotrain bench --decode
  gotrain bench --config configs/opticks.yaml --set model.context=512`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	c.Flags().StringSliceVar(&f.steps, "step", nil, "measure steps only, of `NAMES` (all without a name)")
	c.Flags().Lookup("step").NoOptDefVal = "all"
	c.Flags().StringSliceVar(&f.kernels, "kernels", nil, "measure kernels only, of `KINDS` (all without a kind)")
	c.Flags().Lookup("kernels").NoOptDefVal = "all"
	c.Flags().BoolVar(&f.decode, "decode", false, "measure single-token decoding of GPT-2 124M only")
	c.Flags().BoolVar(&f.split, "by-instruction", false, "with --step or --config, tell where the time of a step goes")
	c.Flags().BoolVar(&f.repeat, "repeat", false, "with --step or --config, take the first step twice and compare the bits")
	c.Flags().StringVar(&f.config, "config", "", "measure the step of a configuration `FILE` only, on random tokens")
	c.Flags().StringArrayVar(&f.set, "set", nil, "with --config, override a key, `path.to.key=VALUE`; may be repeated")
	c.Flags().StringVar(&f.precision, "precision", "", "of matrix products, `NAME` is float32, tf32 or bfloat16 (default: the configuration's, else float32)")
	c.Flags().StringVar(&f.device, "device", "auto", "device `NAME`: auto, cpu, cuda or cuda:N")
	c.Flags().StringVar(&f.shapes, "shapes", "", "shapes of kernels and steps, `NAME` is small, cpu or gpu (default: the device's)")
	c.Flags().IntVar(&f.threads, "threads", 0, "`N` CPU threads, 0 for all cores")
	c.Flags().Float64Var(&f.seconds, "seconds", 2, "`S` seconds for each step, a tenth of it for each kernel")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "precision", fixed(precisions...))
	complete(c, "device", devices)
	complete(c, "shapes", fixed(kernels.Sizes()...))
	complete(c, "kernels", fixed(append(kernels.Kinds(), "all")...))
	complete(c, "step", fixed(append(bench.Names(), "all")...))
	return c
}

func (f *benchFlags) validate() error {
	if err := checkPrecision(f.precision); err != nil {
		return err
	}
	if f.seconds <= 0 {
		return usagef("--seconds is %g; use more than 0", f.seconds)
	}
	if f.threads < 0 {
		return usagef("--threads is %d; use 0 for all cores", f.threads)
	}
	chosen := 0
	for _, on := range []bool{len(f.steps) > 0, len(f.kernels) > 0, f.decode, f.config != ""} {
		if on {
			chosen++
		}
	}
	if chosen > 1 {
		return usagef("--step, --kernels, --decode and --config exclude each other; leave all out to measure everything")
	}
	if (f.split || f.repeat) && len(f.steps) == 0 && f.config == "" {
		return usagef("--by-instruction and --repeat are of steps; name them with --step, or give --config")
	}
	if f.shapes != "" && !slices.Contains(kernels.Sizes(), f.shapes) {
		return usagef("--shapes is %q; use small, cpu or gpu", f.shapes)
	}
	if f.config == "" && len(f.set) > 0 {
		return usagef("--set changes the keys of a configuration; give one with --config")
	}
	for _, kind := range f.kernels {
		if kind != "all" && !slices.Contains(kernels.Kinds(), kind) {
			return usagef("--kernels is %q; use %s or all", kind, strings.Join(kernels.Kinds(), ", "))
		}
	}
	for _, name := range f.steps {
		if name != "all" && !slices.Contains(bench.Names(), name) {
			return usagef("--step is %q; use %s or all", name, strings.Join(bench.Names(), ", "))
		}
	}
	return nil
}
