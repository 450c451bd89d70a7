//go:build gpu

package main

import (
	"testing"

	kernels "example.com/gotrain/autograd/bench"
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
