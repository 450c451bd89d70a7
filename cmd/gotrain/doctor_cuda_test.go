//go:build gpu

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/gotrain/cuda/backend"
	"example.com/gotrain/train/device"
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

// doctor warns of a driver that is older than the kernels, at the device and at the
// library; a run on it ends with the same words.
func TestCUDADoctorOldDriver(t *testing.T) {
	if card, err := backend.CardAt(0); err != nil || !strings.Contains(card.Name, "imulator") {
		t.Skip("only the simulator has drivers of every version")
	}
	start := func(args ...string) (string, string) {
		var out, told strings.Builder
		c := exec.Command(os.Args[0], args...)
		c.Env = append(os.Environ(), rankVariable+"=1", "CUDASIM_DRIVER=12080")
		c.Stdout, c.Stderr = &out, &told
		_ = c.Run() // the texts tell
		return out.String(), told.String()
	}
	var r struct{ Findings []device.Finding }
	out, told := start("doctor", "--json", "--run", t.TempDir())
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v\n%s", err, told)
	}
	const old = "it is for CUDA 12.8, the kernels need NVIDIA's driver 580 or later"
	warned := map[string]bool{}
	for _, f := range r.Findings {
		if !f.OK && strings.Contains(f.Detail, old) {
			warned[f.Name] = f.Cure != ""
		}
	}
	if !warned["gpu"] || !warned["libcuda"] || len(warned) != 2 {
		t.Errorf("doctor warns of %v", r.Findings)
	}
	if _, told := start("bench", "--device", "cuda"); !strings.Contains(told, old) {
		t.Errorf("bench on the device tells %q", told)
	}
}
