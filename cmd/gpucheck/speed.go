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
	GPU          struct {
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

// bench measures each kind of kernel and each step in a process of its own.
func (c *checker) bench(ctx context.Context) (string, error) {
	common := []string{"bench", "--json", "--device", "cuda", "--precision", "bfloat16", "--seconds", fmt.Sprint(c.seconds)}
	steps := c.steps()
	if c.small {
		common = append(common, "--shapes", "small")
	}
	var problems []string
	b := &c.report.Bench
	for _, kind := range kernelKinds {
		var r benchReport
		if err := c.gotrain(ctx, kernelLimit, append(common, "--kernels="+kind)...).json(&r); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", kind, err))
			continue
		}
		b.Machine, b.Kernels = r.Machine, append(b.Kernels, r.Kernels...)
	}
	for _, name := range steps {
		var r benchReport
		if err := c.gotrain(ctx, stepLimit, append(common, "--step="+name)...).json(&r); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		b.Machine, b.Steps = r.Machine, append(b.Steps, r.Steps...)
	}
	return measured(fmt.Sprintf("%d kernels, %d steps", len(b.Kernels), len(b.Steps)), problems)
}

// measured is the note and the error of a part that measured; the log tells of
// all problems.
func measured(note string, problems []string) (string, error) {
	switch len(problems) {
	case 0:
		return note, nil
	case 1:
		return note + "; " + problems[0], errors.New(problems[0])
	}
	return fmt.Sprintf("%s; %d failed, first %s", note, len(problems), problems[0]), errors.New(strings.Join(problems, "; "))
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

// bothAttentions is the step that PyTorch does with flash attention and with
// cuDNN's; the others are with flash attention, to compile once only.
const bothAttentions = "124m-b32"

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
	probe := c.run(ctx, command{limit: 2 * time.Minute, json: true, args: []string{path, "torch_gpt2.py", "probe"}})
	if probe.err != nil {
		return skipped("%s", probe.reason())
	}
	if len(c.report.Bench.Kernels)+len(c.report.Bench.Steps) == 0 {
		return skipped("there is nothing to compare with: run bench first")
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
	var problems []string
	measure := func(limit time.Duration, args ...string) {
		var r torchReport
		out := c.run(ctx, command{limit: limit, json: true, args: append([]string{path, "torch_gpt2.py"}, args...)})
		if err := out.json(&r); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", strings.Join(args, " "), err))
			return
		}
		c.report.Torch.Kernels = append(c.report.Torch.Kernels, r.Kernels...)
		c.report.Torch.Steps = append(c.report.Torch.Steps, r.Steps...)
	}
	measure(torchKernelLimit, "kernels", cases)
	for _, s := range c.report.Bench.Steps {
		if !slices.Contains(c.steps(), s.Name) {
			continue
		}
		args := []string{"step", cases, s.Name, "--seconds", fmt.Sprint(c.seconds), "--attention", "flash"}
		if s.Name == bothAttentions {
			args = append(args, "cudnn")
		}
		measure(torchStepLimit, args...)
	}
	return measured(fmt.Sprintf("%s: %d kernels, %d steps", c.report.Torch.Torch, len(c.report.Torch.Kernels), len(c.report.Torch.Steps)), problems)
}
