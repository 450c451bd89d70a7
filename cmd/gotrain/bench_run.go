package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	kernels "example.com/gotrain/autograd/bench"
	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/units"
	"example.com/gotrain/train/ways"
)

// benchReport is what bench prints.
type benchReport struct {
	Processor string           `json:"processor"`
	Precision string           `json:"precision"`
	Machine   device.Machine   `json:"machine"`
	Kernels   []kernels.Result `json:"kernels"`
	Steps     []bench.Timing   `json:"steps"`
	Decode    *bench.Decoding  `json:"decode,omitempty"`
}

func (f *benchFlags) run(c *cobra.Command) error {
	began := time.Now()
	if err := f.validate(); err != nil {
		return err
	}
	if err := f.settle(); err != nil {
		return err
	}
	d, err := device.Find(f.device, f.threads)
	if err != nil {
		return err
	}
	name, _ := device.Processor()
	r := benchReport{Processor: name, Precision: f.precision, Machine: d.Measure(), Kernels: []kernels.Result{}, Steps: []bench.Timing{}}
	out := c.OutOrStdout()
	if f.json {
		out = io.Discard
	}
	fmt.Fprintf(out, "%s\npeak  %s\n", r.Processor, r.Machine)
	all := len(f.steps) == 0 && len(f.kernels) == 0 && !f.decode && f.config == ""
	if all || len(f.kernels) > 0 {
		if err := f.measureKernels(c.Context(), out, d, &r); err != nil {
			return err
		}
		began = time.Now()
	}
	if all || len(f.steps) > 0 || f.config != "" {
		if err := f.measureSteps(c.Context(), out, d, began, &r); err != nil {
			return err
		}
	}
	if all || f.decode {
		speed, err := f.options(r.Machine).Decode(c.Context(), d)
		if err != nil {
			return err
		}
		r.Decode = &speed
		fmt.Fprintf(out, "\ndecode   %10s one token at a time %16.2f ms %9.1f tokens/s\n", units.Count(speed.Params), speed.TokenMS, speed.TokensPerS)
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	return nil
}

func (f *benchFlags) options(m device.Machine) bench.Options {
	kept, err := ways.Usual()
	if err != nil {
		kept = ways.File{} // no home: nothing is timed
	}
	return bench.Options{Precision: f.precision, Seconds: f.seconds, Peak: m.Peak(f.precision), Bandwidth: m.Bandwidth,
		ByInstruction: f.split, Repeat: f.repeat, Ways: kept}
}

// size is what --shapes names: the device's own size by default.
func (f *benchFlags) size(d device.Device) string {
	switch {
	case f.shapes != "":
		return f.shapes
	case d.Card != nil:
		return "gpu"
	}
	return "cpu"
}

// measureKernels measures the chosen kernels.
func (f *benchFlags) measureKernels(ctx context.Context, out io.Writer, d device.Device, r *benchReport) error {
	backend, err := d.Open()
	if err != nil {
		return err
	}
	defer backend.Close()
	fmt.Fprintf(out, "\n%-52s %9s %9s %9s  %s\n", "kernel", "ms", "GFLOP/s", "GB/s", "of the peak")
	for _, k := range kernels.Cases(f.size(d)) {
		if len(f.kernels) > 0 && !slices.Contains(f.kernels, "all") && !slices.Contains(f.kernels, k.Kind.String()) {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t, err := k.Time(backend, config.Config{Precision: f.precision}.Compute(), f.seconds/10)
		if err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
		result := k.Result(t, r.Machine.Peak(f.precision), r.Machine.Bandwidth)
		r.Kernels = append(r.Kernels, result)
		gflops := "-"
		if result.GFLOPS > 0 {
			gflops = fmt.Sprintf("%.1f", result.GFLOPS)
		}
		fmt.Fprintf(out, "%-52s %9.3f %9s %9.1f  %10.0f%%\n", k.Name, result.MS, gflops, result.GBPerS, 100*result.FractionOfPeak)
	}
	return nil
}

// measureSteps measures the chosen steps; the device has been looked for since began.
func (f *benchFlags) measureSteps(ctx context.Context, out io.Writer, d device.Device, began time.Time, r *benchReport) error {
	fmt.Fprintf(out, "\n%-11s %10s %-28s %9s %9s %9s  %s\n", "step", "parameters", "shape", "ms", "tokens/s", "GFLOP/s", "of the peak")
	for _, s := range f.chosenSteps(d) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t, err := f.options(r.Machine).Measure(s, d, began)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
		began = time.Now()
		r.Steps = append(r.Steps, t)
		printStep(out, t)
	}
	return nil
}
