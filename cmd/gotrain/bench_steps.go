package main

import (
	"fmt"
	"io"
	"slices"

	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/units"
)

// chosenSteps are the steps that the flags ask for.
func (f *benchFlags) chosenSteps(d device.Device) ([]bench.Step, error) {
	switch {
	case f.config != "":
		cfg, err := loadConfig(f.config, f.set)
		if err != nil {
			return nil, err
		}
		if cfg.Text().Vocab == 0 {
			if err := cfg.SetVocab(cfg.Tokenizer.Vocab); err != nil {
				return nil, err
			}
		}
		f.precision = cfg.Precision
		return []bench.Step{{Name: "config", Config: cfg}}, nil
	case len(f.steps) == 0 || slices.Contains(f.steps, "all"):
		return bench.Steps(f.size(d)), nil
	}
	return bench.Named(f.steps), nil
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
}
