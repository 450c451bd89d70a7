package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseTests(t *testing.T) {
	r := parseTests([]byte(`=== RUN   TestDefinition
=== RUN   TestDefinition/cuda/Add/odd/f32
=== RUN   TestDefinition/cuda/Add/odd/bf16
    ops_test.go:44: y[3] is 1, want 2
    ops_test.go:45: and more
=== RUN   TestDefinition/cuda/Cast/wide/f32
    ops_test.go:50: not here
--- FAIL: TestDefinition (0.01s)
    --- PASS: TestDefinition/cuda/Add/odd/f32 (0.00s)
    --- FAIL: TestDefinition/cuda/Add/odd/bf16 (0.00s)
    --- SKIP: TestDefinition/cuda/Cast/wide/f32 (0.00s)
=== RUN   TestGolden
--- PASS: TestGolden (0.00s)
FAIL
`))
	want := suite{Passed: 2, Failed: 1, Skipped: 1, Failures: []failure{{"TestDefinition/cuda/Add/odd/bf16", "ops_test.go:44: y[3] is 1, want 2"}}}
	if !reflect.DeepEqual(r.suite, want) || !r.finished {
		t.Errorf("got %+v, want %+v", r, want)
	}
	if kind := r.culprit(); kind != "" {
		t.Errorf("a wrong result is blamed on %s, as if it had spoilt the others", kind)
	}
}

// TestCulprit blames the kind that spoils the rest of a run, or ends it.
func TestCulprit(t *testing.T) {
	spoilt := `=== RUN   TestDefinition/cuda/Add/a/f32
    x.go:1: y[0] is 1, want 2
=== RUN   TestDefinition/cuda/Muon/a/f32
    x.go:1: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access
=== RUN   TestDefinition/cuda/EMA/a/f32
    x.go:1: cuMemAlloc: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access
    --- FAIL: TestDefinition/cuda/Add/a/f32 (0.00s)
    --- FAIL: TestDefinition/cuda/Muon/a/f32 (0.00s)
    --- FAIL: TestDefinition/cuda/EMA/a/f32 (0.00s)
FAIL
`
	r := parseTests([]byte(spoilt))
	if got := r.culprit(); got != "Muon" {
		t.Errorf("the culprit is %q, want Muon", got)
	}
	r = parseTests([]byte("=== RUN   TestGolden/cuda/RoPE/a\npanic: no\n"))
	if got := r.culprit(); got != "RoPE" {
		t.Errorf("the culprit is %q, want RoPE", got)
	}
	r.died(output{both: []byte("panic: no\n"), err: errors.New("exit status 2")})
	if r.Failed != 1 || r.Failures[0].Test != "TestGolden/cuda/RoPE/a" {
		t.Errorf("a run that died gives %+v", r.suite)
	}
}

func TestCompare(t *testing.T) {
	want := map[int]float64{1: 5, 2: 4, 3: 3}
	for name, c := range map[string]struct {
		got map[int]float64
		ok  bool
	}{
		"equal":   {map[int]float64{2: 4, 3: 3.0005}, true},
		"apart":   {map[int]float64{2: 4, 3: 3.1}, false},
		"NaN":     {map[int]float64{2: math.NaN()}, false},
		"nothing": {map[int]float64{7: 1}, false},
	} {
		if r := compare(name, c.got, want, 1e-3); r.OK != c.ok {
			t.Errorf("%s: %+v", name, r)
		}
	}
	r := compare("equal", map[int]float64{2: 4, 3: 3.0005}, want, 1e-3)
	if r.Steps != 2 || r.First != 4 || r.Last != 3.0005 || math.Abs(r.Worst-0.0005) > 1e-9 {
		t.Errorf("got %+v", r)
	}
}

func TestReadLosses(t *testing.T) {
	got, err := readLosses([]byte(`{"step":1,"split":"train","nll":5.5}` + "\n" + `{"step":1,"split":"validation","nll":6}` + "\n"))
	if err != nil || !reflect.DeepEqual(got, map[int]float64{1: 5.5}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseSMI(t *testing.T) {
	if got, want := parseSMI("NVIDIA H100 80GB HBM3, 580.1, 12"), (card{"NVIDIA H100 80GB HBM3", "580.1", 12 << 20}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parseSMI("No devices were found"); got != (card{}) {
		t.Errorf("got %+v of an error", got)
	}
}

// TestRun kills a command with its children at the limit, and keeps its output.
func TestRun(t *testing.T) {
	c := newChecker(t)
	out := c.run(context.Background(), command{limit: 200 * time.Millisecond, json: true, args: []string{"sh", "-c", "echo begun; sleep 60 & sleep 60"}})
	if out.err == nil || !strings.Contains(out.reason(), "200ms") || string(out.stdout) != "begun\n" {
		t.Errorf("got %q, %v", out.stdout, out.err)
	}
	out = c.run(context.Background(), command{limit: time.Minute, json: true, args: []string{"sh", "-c", "for i in $(seq 200); do echo out; echo err >&2; done"}})
	if n := strings.Count(string(out.both), "out\n") + strings.Count(string(out.both), "err\n"); n != 400 || len(out.stdout) != 800 {
		t.Errorf("%d lines of 400 arrived, %d bytes of 800 on standard output", n, len(out.stdout))
	}
	out = c.run(context.Background(), command{limit: time.Minute, args: []string{"sh", "-c", "echo the reason >&2; exit 3"}})
	if out.reason() != "the reason" {
		t.Errorf("the reason is %q", out.reason())
	}
}

// example is a report of a machine that meets all targets but one.
func example() *report {
	shape := func(headDim string) json.RawMessage { return json.RawMessage(`{"head_dim":` + headDim + `}`) }
	r := &report{Card: card{UsedBytes: 1 << 30}}
	r.Bench = benchReport{
		Machine: machine{GPU: "NVIDIA H100 80GB HBM3", BF16: 1.1e6},
		Kernels: []kernel{{Name: "a", Kind: "Attention", Shape: shape("128"), MS: 2}, {Name: "b", Kind: "Attention", Shape: shape("128"), MS: 1}, {Name: "c", Kind: "Attention", Shape: shape("64"), MS: 9}},
		Steps: []step{
			{Name: "124m-b16", TokensPerS: 100, GFLOPS: 300e3, PlannedBytes: 10 << 30},
			{Name: "124m-b32", TokensPerS: 220, GFLOPS: 600e3, PlannedBytes: 10 << 30},
		},
	}
	r.Bench.Steps[0].GPU.UsedBytes = 11 << 30
	r.Bench.Steps[1].GPU.UsedBytes = 12 << 30 // 11 of ours, a tenth above the plan
	r.Bench.Steps[1].GPU.FirstStepS = 2
	r.Torch = torchReport{
		Kernels: []torchKernel{{Name: "a", MS: map[string]float64{"cudnn": 1.6}}, {Name: "b", MS: map[string]float64{"cudnn": 0.7}}},
		Steps:   []torchStep{{Name: "124m-b32", TokensPerS: 200, UsedBytes: 23 << 30}, {Name: "124m-b64", Error: "out of memory"}},
	}
	return r
}

func TestTargets(t *testing.T) {
	want := map[string]float64{
		"GPT-2 124M, tokens/s against PyTorch":               1.1,
		"GPT-2 124M, MFU":                                    600 / 989.4,
		"memory against PyTorch, the worst step":             0.5,
		"memory off the plan, the worst step":                0.1,
		"GPU idle between graphs, 124M":                      0,
		"seconds to the first step with known kernels, 124M": 2,
		"attention against cuDNN, head size 128, forward":    0.7,
	}
	met := 0
	for _, g := range example().targets() {
		w, measured := want[g.Name]
		if measured != (g.Measured != nil) {
			t.Errorf("%s is measured: %v, want %v", g.Name, g.Measured != nil, measured)
		} else if measured && math.Abs(*g.Measured-w) > 1e-9 {
			t.Errorf("%s is %g, want %g", g.Name, *g.Measured, w)
		}
		if g.Met {
			met++
		}
	}
	if met != len(want)-1 {
		t.Errorf("%d targets are met, want all but the memory of the plan", met)
	}
}

// TestReport writes an empty report and a full one, and reads what is in them.
func TestReport(t *testing.T) {
	for _, r := range []*report{{}, example()} {
		path := filepath.Join(t.TempDir(), "gpu-check.json")
		if err := r.write(path); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var back report
		if err := json.Unmarshal(raw, &back); err != nil || len(back.Targets) == 0 {
			t.Errorf("%v in %s", err, raw)
		}
	}
	var text strings.Builder
	r := example()
	r.Targets = r.targets()
	r.Parts = []partResult{{Name: "torch", Status: "skipped", Note: "PyTorch is not here"}}
	r.print(&text)
	for _, want := range []string{"PyTorch is not here", "124m-b32", "cudnn 1.6000", "missed", "not measured"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
}
