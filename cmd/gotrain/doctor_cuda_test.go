//go:build gpu

package main

import (
	"strings"
	"testing"

	"gotrain/train/device"
)

// doctor lists each device with its memory and peak, and each library.
func TestCUDADoctor(t *testing.T) {
	var r struct{ Findings []device.Finding }
	mustJSON(t, &r, "doctor", "--run", t.TempDir())
	found := map[string]device.Finding{}
	for _, f := range r.Findings {
		if f.Name == "gpu" && !strings.Contains(f.Detail, "cuda:0 ") {
			continue // a further device
		}
		found[f.Name] = f
		if !f.OK && f.Cure == "" {
			t.Errorf("the warning about %s has no cure", f.Name)
		}
	}
	for name, wants := range map[string][]string{
		"gpu":         {"cuda:0 ", "compute capability", "driver for CUDA", "GiB free of", "TFLOP/s bfloat16", "TB/s"},
		"libcuda":     {"libcuda.so.1, version", "functions"},
		"libcublasLt": {"libcublasLt.so.", "version", "functions"},
		"libnccl":     {"libnccl.so.2, version", "functions"},
	} {
		for _, want := range wants {
			if !found[name].OK || !strings.Contains(found[name].Detail, want) {
				t.Errorf("doctor says of %s: %+v, without %q", name, found[name], want)
			}
		}
	}
}
