package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// benchReport is what gotrain bench --json prints, as far as it is compared.
type benchReport struct {
	Machine machine  `json:"machine"`
	Kernels []kernel `json:"kernels"`
	Steps   []step   `json:"steps"`
}

type machine struct {
	GPU       string  `json:"gpu"`
	F32       float64 `json:"peak_f32_gflops"`
	BF16      float64 `json:"peak_bf16_gflops"`
	Bandwidth float64 `json:"bandwidth_gb_per_s"`
}

// kernel is a measured instruction. Shape stays as it is, for PyTorch's side.
type kernel struct {
	Name     string          `json:"name"`
	Kind     string          `json:"kind"`
	Shape    json.RawMessage `json:"shape"`
	MS       float64         `json:"ms"`
	GFLOPS   float64         `json:"gflops,omitempty"`
	GBPerS   float64         `json:"gb_per_s"`
	Fraction float64         `json:"fraction_of_peak"`
	WayMS    wayTimes        `json:"way_ms,omitempty"`
}

// wayTimes are the milliseconds of each way to compute something, by what and by name.
type wayTimes map[string]map[string]float64

// instruction is what the launches of one kind, or of one kind and shape, take in a step.
type instruction struct {
	Kind     string  `json:"kind"`
	What     string  `json:"what"`
	Count    int     `json:"count"`
	MS       float64 `json:"ms"`
	Share    float64 `json:"share"`
	GFLOPS   float64 `json:"gflops,omitempty"`
	GBPerS   float64 `json:"gb_per_s"`
	Fraction float64 `json:"fraction_of_peak"`
}

type step struct {
	Name         string  `json:"name"`
	Params       int64   `json:"params"`
	Layers       int     `json:"layers"`
	Heads        int     `json:"heads"`
	Width        int     `json:"width"`
	Batch        int     `json:"batch"`
	Context      int     `json:"context"`
	Vocab        int     `json:"vocab"`
	StepMS       float64 `json:"step_ms"`
	TokensPerS   float64 `json:"tokens_per_s"`
	GFLOPS       float64 `json:"gflops"`
	Fraction     float64 `json:"fraction_of_peak"`
	PlannedBytes int64   `json:"planned_bytes"`
	Chosen       int     `json:"chosen,omitempty"`
	ChosenS      float64 `json:"chosen_s,omitempty"`
	ChosenSaves  float64 `json:"chosen_saves,omitempty"`

	WayMS         wayTimes      `json:"way_ms,omitempty"`
	ByKind        []instruction `json:"by_kind,omitempty"`
	ByInstruction []instruction `json:"by_instruction,omitempty"`
	Bits          []string      `json:"bits,omitempty"`

	GPU struct {
		FirstStepS float64 `json:"first_step_s"`
		OpenS      float64 `json:"open_s"`
		BindS      float64 `json:"bind_s"`
		ParamsS    float64 `json:"params_s"`
		StepS      float64 `json:"step_s"`
		UsedBytes  int64   `json:"used_bytes"`
		Nodes      int     `json:"graph_nodes"`
		Idle       float64 `json:"idle_fraction"`
	} `json:"gpu"`
}

// Steps to measure, and what each may take, its start included.
var (
	stepNames      = []string{"124m-b16", "124m-b32", "124m-b64", "124m-50257", "1558m-b8", "1558m-b16"}
	smallStepNames = []string{"tiny"}
	kernelKinds    = []string{"MatMul", "Attention", "AttentionBackward", "LayerNorm", "LayerNormBackward", "Activation", "AdamW", "LinearCrossEntropy"}
)

const (
	kernelLimit = 2 * time.Minute
	stepLimit   = 2 * time.Minute
)

// benchFlags are those of every measurement.
func (c *checker) benchFlags(seconds float64) []string {
	flags := []string{"bench", "--json", "--device", "cuda", "--precision", "bfloat16", "--seconds", fmt.Sprint(seconds)}
	if c.small {
		flags = append(flags, "--shapes", "small")
	}
	return flags
}

// firstSteps are those whose time is split, the one with which the bits are compared
// first.
var (
	firstSteps      = []string{"124m-b16", "1558m-b8"}
	smallFirstSteps = []string{"tiny"}
)

// first takes one step of each of two models and tells where its time goes; of the smaller
// one whether its bits are the same twice.
func (c *checker) first(ctx context.Context) (string, error) {
	names := firstSteps
	if c.small {
		names = smallFirstSteps
	}
	var problems []error
	for i, name := range names {
		flags := append(c.benchFlags(min(c.seconds, 1)), "--step="+name, "--by-instruction")
		if i == 0 {
			flags = append(flags, "--repeat")
		}
		var r benchReport
		if err := c.gotrain(ctx, stepLimit, flags...).json(&r); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		c.report.First = append(c.report.First, r.Steps...)
		if c.report.Bench.Machine == (machine{}) {
			c.report.Bench.Machine = r.Machine
		}
		for _, s := range r.Steps {
			if len(s.Bits) == 2 && s.Bits[0] != s.Bits[1] {
				problems = append(problems, fmt.Errorf("%s: the first step, taken twice, has other bits", s.Name))
			}
		}
	}
	var notes []string
	for _, s := range c.report.First {
		notes = append(notes, fmt.Sprintf("%s %.1f ms, MFU %.1f%%", s.Name, s.StepMS, 100*c.report.mfu(s)))
	}
	return measured(strings.Join(notes, "; "), problems)
}

// bench measures each kind of kernel and each step in a process of its own.
func (c *checker) bench(ctx context.Context) (string, error) {
	var problems []error
	b := &c.report.Bench
	for _, kind := range kernelKinds {
		var r benchReport
		if err := c.gotrain(ctx, kernelLimit, append(c.benchFlags(c.seconds), "--kernels="+kind)...).json(&r); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", kind, err))
			continue
		}
		b.Machine, b.Kernels = r.Machine, append(b.Kernels, r.Kernels...)
	}
	for _, name := range c.steps() {
		var r benchReport
		if err := c.gotrain(ctx, stepLimit, append(c.benchFlags(c.seconds), "--step="+name)...).json(&r); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		b.Machine, b.Steps = r.Machine, append(b.Steps, r.Steps...)
	}
	return measured(fmt.Sprintf("%d kernels, %d steps", len(b.Kernels), len(b.Steps)), problems)
}

// measured is the note and the error of a part that measured; the log tells of all
// problems. Where there was only too little time, that is the error.
func measured(note string, problems []error) (string, error) {
	if len(problems) == 0 {
		return note, nil
	}
	worst := problems[0]
	for _, p := range problems {
		if !errors.Is(p, errCut) {
			worst = p
			break
		}
	}
	if note != "" {
		note += "; "
	}
	note += worst.Error()
	if n := len(problems) - 1; n > 0 {
		note += fmt.Sprintf("; %d more did not end well", n)
	}
	if errors.Is(worst, errCut) {
		return note, worst
	}
	var failed []error
	for _, p := range problems {
		if !errors.Is(p, errCut) {
			failed = append(failed, p)
		}
	}
	return note, errors.Join(failed...)
}

// steps are those that were asked for.
func (c *checker) steps() []string {
	switch {
	case c.stepNames != "":
		return strings.Split(c.stepNames, ",")
	case c.small:
		return smallStepNames
	}
	return stepNames
}

// torchReport is what torch_gpt2.py prints.
type torchReport struct {
	Torch   string        `json:"torch"`
	Kernels []torchKernel `json:"kernels"`
	Steps   []torchStep   `json:"steps"`
}

type torchKernel struct {
	Name  string             `json:"name"`  // ours
	MS    map[string]float64 `json:"ms"`    // by implementation: cublas, flash, cudnn, …
	Error string             `json:"error"` // of those that are missing
}

type torchStep struct {
	Name          string  `json:"name"` // ours
	Attention     string  `json:"attention"`
	StepMS        float64 `json:"step_ms"`
	TokensPerS    float64 `json:"tokens_per_s"`
	FirstStepS    float64 `json:"first_step_s"`
	PeakAllocated int64   `json:"peak_allocated_bytes"`
	PeakReserved  int64   `json:"peak_reserved_bytes"`
	UsedBytes     int64   `json:"used_bytes"`
	Error         string  `json:"error"`
}

// torchStepName is the step that PyTorch does, with flash attention and with cuDNN's: each
// takes it a minute or more to compile. Where it was not measured, it is the first.
const torchStepName = "124m-b32"

const (
	torchKernelLimit = 5 * time.Minute
	torchStepLimit   = 6 * time.Minute // torch.compile takes minutes for 48 layers
)

// torch measures PyTorch on what bench has measured.
func (c *checker) torch(ctx context.Context) (string, error) {
	path, err := exec.LookPath(c.python)
	if err != nil {
		return skipped("%s is not here", c.python)
	}
	if len(c.report.Bench.Kernels)+len(c.report.Bench.Steps) == 0 {
		return skipped("there is nothing to compare with: run bench first")
	}
	probe := c.run(ctx, command{limit: 2 * time.Minute, json: true, args: []string{path, "torch_gpt2.py", "probe"}})
	if probe.cut {
		return "", errCut
	}
	if probe.err != nil {
		return skipped("%s", probe.reason())
	}
	c.report.Torch.Torch = strings.TrimSpace(string(probe.stdout))
	cases := filepath.Join(c.work, "bench.json")
	raw, err := json.Marshal(c.report.Bench)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(cases, raw, 0o666); err != nil {
		return "", err
	}
	var problems []error
	measure := func(limit time.Duration, args ...string) {
		var r torchReport
		out := c.run(ctx, command{limit: limit, json: true, args: append([]string{path, "torch_gpt2.py"}, args...)})
		if err := out.json(&r); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", strings.Join(args, " "), err))
			return
		}
		c.report.Torch.Kernels = append(c.report.Torch.Kernels, r.Kernels...)
		c.report.Torch.Steps = append(c.report.Torch.Steps, r.Steps...)
	}
	measure(torchKernelLimit, "kernels", cases, "--seconds", fmt.Sprint(c.seconds))
	if name := c.torchStep(); name != "" {
		measure(torchStepLimit, "step", cases, name, "--seconds", fmt.Sprint(c.seconds), "--attention", "flash", "cudnn")
	}
	return measured(fmt.Sprintf("%s: %d kernels, %d steps", c.report.Torch.Torch, len(c.report.Torch.Kernels), len(c.report.Torch.Steps)), problems)
}

// torchStep is the step to compare, "" where none was measured.
func (c *checker) torchStep() string {
	steps := c.report.Bench.Steps
	if slices.ContainsFunc(steps, func(s step) bool { return s.Name == torchStepName }) {
		return torchStepName
	}
	if len(steps) == 0 {
		return ""
	}
	return steps[0].Name
}
