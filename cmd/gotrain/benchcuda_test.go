//go:build gpu

package main

import (
	"math"
	"strings"
	"testing"

	kernels "example.com/gotrain/autograd/bench"
	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/device"
)

// TestCUDABench measures kernels and a step on small shapes in all precisions.
func TestCUDABench(t *testing.T) {
	for _, precision := range precisions {
		var r benchReport
		mustJSON(t, &r, "bench", "--device", "cuda", "--shapes", "small", "--kernels", "--precision", precision, "--seconds", "0.01")
		if len(r.Kernels) != len(kernels.Cases("small")) {
			t.Errorf("%s: %d kernels measured, want %d", precision, len(r.Kernels), len(kernels.Cases("small")))
		}
		for _, k := range r.Kernels {
			if k.MS <= 0 || k.GBPerS <= 0 {
				t.Errorf("%s: %+v", precision, k)
			}
		}
		mustJSON(t, &r, "bench", "--device", "cuda", "--step=tiny", "--precision", precision, "--seconds", "0.01")
		if len(r.Steps) != 1 || r.Steps[0].GPU == nil {
			t.Fatalf("%s: bench gives %+v", precision, r.Steps)
		}
		g := *r.Steps[0].GPU
		if g.Nodes < 20 || g.Idle < 0 || g.Idle > 1 || g.FirstStepS <= 0 || g.UsedBytes <= 0 {
			t.Errorf("%s: bench gives %+v", precision, g)
		}
	}
}

// TestCUDABenchByInstruction: marks in the graph give each launch its time, whatever the
// other launches take, and the first step has the same bits twice.
func TestCUDABenchByInstruction(t *testing.T) {
	if d, err := device.Find("cuda", 0); err != nil || !strings.Contains(d.Card.Name, "imulator") {
		t.Skip("times are planted in the simulator")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("CUDASIM_TIMES", "product=2,attention=7,attention_segments=0,attention_backward=3")
	var r benchReport
	mustJSON(t, &r, "bench", "--device", "cuda", "--step=tiny", "--precision", "bfloat16", "--seconds", "0.01", "--by-instruction", "--repeat")
	s := r.Steps[0]
	if len(s.Bits) != 2 || s.Bits[0] != s.Bits[1] {
		t.Errorf("the bits are %v", s.Bits)
	}
	if len(s.WayMS) == 0 || s.Chosen == 0 {
		t.Errorf("%d ways chosen, of times %v", s.Chosen, s.WayMS)
	}
	got := map[string]bench.Instruction{}
	for _, k := range s.ByKind {
		got[k.Kind] = k
	}
	// Two layers. The gradient of attention takes two kernels: statistics, and one pass.
	for kind, want := range map[string]float64{"MatMul": 24 * 2, "Attention": 2 * 7, "AttentionBackward": 2 * 2 * 3, "LayerNorm": 0} {
		if k := got[kind]; math.Abs(k.MS-want) > 1e-6 || k.Count == 0 {
			t.Errorf("%s takes %g ms in %d launches, want %g ms", kind, k.MS, k.Count, want)
		}
	}
	if k := got["Attention"]; k.GFLOPS <= 0 || k.GBPerS <= 0 {
		t.Errorf("%+v", k)
	}
}
