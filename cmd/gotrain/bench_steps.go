package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/units"
)

// settle reads the configuration, if there is one, and decides the precision: what the
// flag says, else what the configuration does, else float32.
func (f *benchFlags) settle() error {
	if f.config == "" {
		f.precision = cmp.Or(f.precision, precisions[0])
		return nil
	}
	cfg, err := loadConfig(f.config, f.set)
	if err != nil {
		return err
	}
	f.precision = cmp.Or(f.precision, cfg.Precision)
	cfg.Precision = f.precision
	if cfg.Text().Vocab == 0 {
		if err := cfg.SetVocab(cfg.Tokenizer.Vocab); err != nil {
			return err
		}
	}
	f.configured = []bench.Step{{Name: "config", Config: cfg}}
	return nil
}

// chosenSteps are the steps that the flags ask for.
func (f *benchFlags) chosenSteps(d device.Device) []bench.Step {
	switch {
	case f.config != "":
		return f.configured
	case len(f.steps) == 0 || slices.Contains(f.steps, "all"):
		return bench.Steps(f.size(d))
	}
	return bench.Named(f.steps)
}

func printStep(w io.Writer, t bench.Timing) {
	fmt.Fprintf(w, "%-11s %10s %-28s %9.2f %9s %9.1f  %10.0f%%\n", t.Name, units.Count(t.Params),
		fmt.Sprintf("batch %d × %d, vocab %d", t.Batch, t.Context, t.Vocab), t.StepMS, units.Count(int64(t.TokensPerS)), t.GFLOPS, 100*t.FractionOfPeak)
	if g := t.GPU; g != nil {
		fmt.Fprintf(w, "%11s first step after %.2f s, %s used, %s planned, graph of %d nodes, GPU idle %.1f%%\n",
			"", g.FirstStepS, units.Bytes(g.UsedBytes), units.Bytes(t.PlannedBytes), g.Nodes, 100*g.Idle)
		if t.Chosen > 0 {
			fmt.Fprintf(w, "%11s %d kernels chosen by timing in %s, which saves %.1f%% of their time\n", "", t.Chosen, units.Seconds(t.ChosenS), 100*t.ChosenSaves)
		}
	}
	if len(t.Bits) > 0 {
		what := "the same bits twice"
		if t.Bits[0] != t.Bits[1] {
			what = "OTHER BITS at the second try"
		}
		fmt.Fprintf(w, "%11s first step: %s, %s\n", "", what, t.Bits[0])
	}
	printInstructions(w, t)
}

// printInstructions tells where the time of a step goes: kinds, then shapes.
func printInstructions(w io.Writer, t bench.Timing) {
	for _, part := range []struct {
		name string
		all  []bench.Instruction
	}{{"by kind", t.ByKind}, {"by kind and shape", t.ByInstruction}} {
		if len(part.all) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%9s %6s %8s %10s %9s %9s  %s\n", "ms", "share", "launches", "GFLOP/s", "GB/s", "of the peak", part.name)
		for _, i := range part.all {
			gflops := "-"
			if i.GFLOPS > 0 {
				gflops = fmt.Sprintf("%.1f", i.GFLOPS)
			}
			fmt.Fprintf(w, "%9.3f %5.1f%% %8d %10s %9.1f %10.0f%%  %s\n", i.MS, 100*i.Share, i.Count, gflops, i.GBPerS, 100*i.FractionOfPeak, strings.TrimSpace(i.Kind+" "+i.What))
		}
	}
}
