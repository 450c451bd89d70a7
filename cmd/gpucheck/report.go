package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
)

// report is gpu-check.json.
type report struct {
	When      string       `json:"when"`
	Small     bool         `json:"small,omitempty"` // sizes of a simulated device
	Card      card         `json:"card"`
	Parts     []partResult `json:"parts"`
	Doctor    []finding    `json:"doctor"`
	Tests     []suite      `json:"tests"`
	First     []step       `json:"first"` // each a step by instruction
	Training  []comparison `json:"training"`
	Ranks     ranksReport  `json:"ranks"`
	Bench     benchReport  `json:"bench"`
	Torch     torchReport  `json:"torch"`
	Sanitizer []sanitized  `json:"sanitizer"`
	Targets   []target     `json:"targets"`
}

type partResult struct {
	Name    string  `json:"name"`
	Status  string  `json:"status"` // ok, failed, skipped, cut
	Seconds float64 `json:"seconds"`
	Note    string  `json:"note"`
}

// good tells whether no part failed. A target that is missed is no failure.
func (r *report) good() bool {
	for _, p := range r.Parts {
		if p.Status == "failed" {
			return false
		}
	}
	return true
}

// dropSuites forgets test binaries.
func (r *report) dropSuites(names ...string) {
	r.Tests = slices.DeleteFunc(r.Tests, func(s suite) bool { return slices.Contains(names, s.Name) })
}

// read reads an earlier report, if there is one.
func (r *report) read(path string) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, r)
	}
	if err != nil {
		return fmt.Errorf("%s of an earlier run: %w; remove it", path, err)
	}
	return nil
}

func (r *report) write(path string) error {
	r.Targets = r.targets()
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	// In one step, so that an end in the middle leaves the former.
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// target is what gotrain is to reach on an H100.
type target struct {
	Name     string   `json:"name"`
	Wanted   string   `json:"wanted"`
	Measured *float64 `json:"measured"` // null: not measured
	Met      bool     `json:"met"`
}

// goal is a target with its measurement, NaN for none.
type goal struct {
	name, wanted string
	measured     float64
	met          func(x float64) bool
}

func atLeast(bound float64) func(float64) bool { return func(x float64) bool { return x >= bound } }
func atMost(bound float64) func(float64) bool  { return func(x float64) bool { return x <= bound } }

func (r *report) targets() []target {
	goals := []goal{
		{"GPT-2 124M, tokens/s against PyTorch", "≥ 1.1", r.bestSpeed("124m-") / r.bestTorchSpeed("124m-"), atLeast(1.1)},
		{"GPT-2 124M, MFU", "≥ 0.50", r.bestMFU("124m-"), atLeast(0.5)},
		{"GPT-2 1558M, tokens/s against PyTorch", "-", r.bestSpeed("1558m-") / r.bestTorchSpeed("1558m-"), atLeast(0)},
		{"GPT-2 1558M, MFU", "≥ 0.55", r.bestMFU("1558m-"), atLeast(0.55)},
		{"memory against PyTorch, the worst step", "≤ 1", r.worstMemory(), atMost(1)},
		{"memory off the plan, the worst step", "≤ 0.05", r.worstPlan(), atMost(0.05)},
		{"GPU idle between graphs, 124M", "< 0.03", r.worst("124m-", func(s step) float64 { return s.GPU.Idle }), atMost(0.03)},
		{"seconds to the first step with known kernels, 124M", "< 3", r.worst("124m-", func(s step) float64 { return s.GPU.FirstStepS - s.ChosenS }), atMost(3)},
		{"attention against cuDNN, head size 128, forward", "≥ 0.6", r.attention("Attention", 128, "cudnn"), atLeast(0.6)},
		{"attention against cuDNN, head size 128, backward", "≥ 0.6", r.attention("AttentionBackward", 128, "cudnn"), atLeast(0.6)},
	}
	var all []target
	for _, g := range goals {
		t := target{Name: g.name, Wanted: g.wanted}
		if !math.IsNaN(g.measured) && !math.IsInf(g.measured, 0) {
			t.Measured, t.Met = &g.measured, g.met(g.measured)
		}
		all = append(all, t)
	}
	return all
}

// worst is the largest of what of gives for the steps whose names begin with
// prefix, NaN without any.
func (r *report) worst(prefix string, of func(step) float64) float64 {
	worst := math.NaN()
	for _, s := range slices.Concat(r.First, r.Bench.Steps) {
		if x := of(s); strings.HasPrefix(s.Name, prefix) && !(x <= worst) && !math.IsNaN(x) {
			worst = x
		}
	}
	return worst
}

func (r *report) bestSpeed(prefix string) float64 {
	return r.worst(prefix, func(s step) float64 { return s.TokensPerS })
}

func (r *report) bestMFU(prefix string) float64 { return r.worst(prefix, r.mfu) }

// mfu is the share of the card's data sheet where it is known, as others state
// it, else of what its highest clock gives.
func (r *report) mfu(s step) float64 {
	if peak := dataSheet(r.Bench.Machine.GPU); peak > 0 {
		return s.GFLOPS / peak
	}
	return s.Fraction
}

func (r *report) bestTorchSpeed(prefix string) float64 {
	best := math.NaN()
	for _, s := range r.Torch.Steps {
		if strings.HasPrefix(s.Name, prefix) && s.TokensPerS > 0 && !(s.TokensPerS <= best) {
			best = s.TokensPerS
		}
	}
	return best
}

// torchStep finds the fastest of PyTorch's measurements of a step.
func (r *report) torchStep(name string) (torchStep, bool) {
	var best torchStep
	for _, s := range r.Torch.Steps {
		if s.Name == name && s.TokensPerS > best.TokensPerS {
			best = s
		}
	}
	return best, best.TokensPerS > 0
}

// used is the memory of a step's process, without what others used before.
func (r *report) used(s step) float64 { return float64(s.GPU.UsedBytes - r.Card.UsedBytes) }

func (r *report) worstMemory() float64 {
	return r.worst("", func(s step) float64 {
		t, ok := r.torchStep(s.Name)
		if !ok || t.UsedBytes == 0 {
			return math.NaN()
		}
		return r.used(s) / float64(t.UsedBytes-r.Card.UsedBytes)
	})
}

func (r *report) worstPlan() float64 {
	if r.Small {
		return math.NaN() // of a small model the driver's context is nearly all, and that is an estimate
	}
	return r.worst("", func(s step) float64 { return math.Abs(r.used(s)/float64(s.PlannedBytes) - 1) })
}

// torchKernel is PyTorch's time for one of our kernels, by implementation.
func (r *report) torchKernel(name string) map[string]float64 {
	for _, k := range r.Torch.Kernels {
		if k.Name == name {
			return k.MS
		}
	}
	return nil
}

// attention is the speed against an implementation, the worst of all lengths.
func (r *report) attention(kind string, headDim int, implementation string) float64 {
	worst := math.NaN()
	for _, k := range r.Bench.Kernels {
		var shape struct {
			HeadDim int `json:"head_dim"`
		}
		if json.Unmarshal(k.Shape, &shape) != nil || k.Kind != kind || shape.HeadDim != headDim {
			continue
		}
		if theirs := r.torchKernel(k.Name)[implementation]; theirs > 0 && !(theirs/k.MS >= worst) {
			worst = theirs / k.MS
		}
	}
	return worst
}

// dataSheet is the bfloat16 peak of a card in GFLOP/s without sparsity, as NVIDIA
// states it; 0 where it is not known here.
func dataSheet(gpu string) float64 {
	for _, c := range []struct {
		name   string
		gflops float64
	}{{"H100 80GB HBM3", 989.4e3}, {"H200", 989.4e3}, {"A100-SXM4-80GB", 311.9e3}, {"B200", 2250e3}} {
		if strings.Contains(gpu, c.name) {
			return c.gflops
		}
	}
	return 0
}
