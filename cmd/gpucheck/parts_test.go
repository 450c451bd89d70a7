package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script writes an executable shell script.
func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o777); err != nil {
		t.Fatal(err)
	}
}

// newChecker is a checker of an empty folder, without a limit of time.
func newChecker(t *testing.T) *checker {
	c := &checker{dir: t.TempDir(), work: t.TempDir(), log: io.Discard, stdout: io.Discard, stderr: io.Discard, seconds: 1, budget: budget{now: time.Now}}
	c.start = c.execute
	return c
}

// TestKernels puts a kind aside that ends the process, and counts the rest.
func TestKernels(t *testing.T) {
	c := newChecker(t)
	script(t, filepath.Join(c.dir, "autograd/optest/optest.test"), `
case "$*" in
  *skip*Muon*) echo "=== RUN   TestGolden/cuda/Add/a"; echo "--- PASS: TestGolden/cuda/Add/a (0.00s)"; echo PASS ;;
  *) echo "=== RUN   TestGolden/cuda/Muon/a"; printf "panic: at the disco\n\ngoroutine 1:\n" >&2; exit 2 ;;
esac`)
	note, err := c.kernels(t.Context())
	if err == nil || !strings.Contains(note, "1 passed, 1 failed") || !strings.Contains(note, "survive Muon") {
		t.Errorf("got %q, %v", note, err)
	}
	if s := c.report.Tests[0]; len(s.Failures) != 1 || s.Failures[0].Message != "panic: at the disco" {
		t.Errorf("got %+v", s)
	}
}

// TestTorch gives PyTorch what bench has measured and reads what it says.
func TestTorch(t *testing.T) {
	c := newChecker(t)
	c.python = filepath.Join(c.dir, "python")
	if note, err := c.torch(t.Context()); err != errSkipped {
		t.Errorf("without Python: %q, %v", note, err)
	}
	script(t, c.python, `
case $2 in
  probe) echo "PyTorch 9" ;;
  kernels) grep -q '"kernels":\[{"name":"a"' "$3" && echo '{"kernels": [{"name": "a", "ms": {"flash": 2}}]}' ;;
  step) echo '{"steps": [{"name": "'"$4"'", "attention": "'"$8"'", "tokens_per_s": 5}, {"name": "'"$4"'", "attention": "cudnn", "error": "no '"$9"'"}]}' ;;
esac`)
	if note, err := c.torch(t.Context()); err != errSkipped || !strings.Contains(note, "bench first") {
		t.Errorf("without results of bench: %q, %v", note, err)
	}
	c.report = *example()
	c.report.Torch = torchReport{}
	note, err := c.torch(t.Context())
	if err != nil || !strings.Contains(note, "PyTorch 9: 1 kernels, 2 steps") {
		t.Errorf("got %q, %v", note, err)
	}
	if ms := c.report.torchKernel("a")["flash"]; ms != 2 {
		t.Errorf("the kernel takes %g ms, want 2", ms)
	}
	if s, ok := c.report.torchStep("124m-b32"); !ok || s.TokensPerS != 5 || s.Attention != "flash" {
		t.Errorf("got %+v", s)
	}
}

// TestCheck keeps the parts of an earlier run, and drops what runs anew.
func TestCheck(t *testing.T) {
	c := newChecker(t)
	c.python = "no-python-here"
	out := t.TempDir()
	earlier := example()
	earlier.Parts = []partResult{{Name: "bench", Status: "ok"}, {Name: "torch", Status: "failed"}}
	if err := earlier.write(filepath.Join(out, "gpu-check.json")); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.check(out, []string{"torch"}); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	if len(c.report.Parts) != 2 || c.report.Parts[1].Status != "skipped" || len(c.report.Bench.Steps) != 2 || len(c.report.Torch.Steps) != 0 {
		t.Errorf("got %+v", c.report)
	}
	if _, err := c.check(out, []string{"speed"}); err == nil || !strings.Contains(err.Error(), "sanitizer") {
		t.Errorf("a part that does not exist: %v", err)
	}
}

// TestCheckWithoutDevice ends behind doctor: nothing else can run.
func TestCheckWithoutDevice(t *testing.T) {
	var told strings.Builder
	c := newChecker(t)
	c.python, c.stderr = "no-python-here", &told
	script(t, filepath.Join(c.dir, "bin/gotrain-cuda"), `echo '{"findings": [{"name": "gpu", "ok": false, "detail": "cuda:0 A100, no kernels"}]}'`)
	ok, err := c.check(t.TempDir(), nil)
	if ok || err != nil || len(c.report.Parts) != 1 || c.report.Parts[0].Status != "failed" || !strings.Contains(told.String(), "the other parts need a GPU") {
		t.Errorf("got %v, %v, parts %+v\n%s", ok, err, c.report.Parts, told.String())
	}
}
