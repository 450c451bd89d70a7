package source_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"example.com/gotrain/cuda/kernels/source"
)

func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{source.Options: {Data: []byte("-O3")}}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func TestKernels(t *testing.T) {
	dir := files("norm.cu", `
#include "common.cuh"
// KERNEL(commented, 256)(int x)
template <class T> __device__ void norm(const T *x) {}
KERNEL(norm_f32, 256)(const float *x, float* y, int rows,
                      long long n /* elements, all */, const float eps) {
  norm(x);
}
KERNEL ( norm_finish, 1024 )
(const Segment* table) { }
`, "add.cu", "KERNEL(zero, 32)() {}")
	got, err := source.Kernels(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []source.Kernel{
		{Name: "norm_f32", File: "norm", Params: "ppilf", Threads: 256},
		{Name: "norm_finish", File: "norm", Params: "p", Threads: 1024},
		{Name: "zero", File: "add", Params: "", Threads: 32},
	}
	if !slices.Equal(got, want) {
		t.Errorf("Kernels = %+v, want %+v", got, want)
	}
}

func TestKernelsRejects(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\n\nKERNEL(a, 256)(double x) {}", `a.cu:3: kernel a: parameter "double x": the types are`},
		{"KERNEL(a, 256)(unsigned x) {}", "the types are"},
		{"KERNEL(a, 256)(int) {}", "no name or no type"},
		{"KERNEL(a, THREADS)(int x) {}", "a.cu:1: a kernel is declared as"},
		{"#define K(T) KERNEL(a_##T, 256)(const T* x)", "a.cu:1: a kernel is declared as"},
		{"KERNEL(a, 2048)(int x) {}", "1 to 1024 threads"},
		{"KERNEL(a, 1)() {}\nKERNEL(a, 2)() {}", "kernel a is in a.cu and in a.cu"},
	} {
		_, err := source.Kernels(files("a.cu", c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, want an error with %q", c.text, err, c.want)
		}
	}
}

func TestDigest(t *testing.T) {
	base := []string{"a.cu", `#include "b.cuh"`, "b.cuh", `#include "c.cuh"`, "c.cuh", "int c;", "d.cuh", "unused", "e.cu", ""}
	digest := func(pairs ...string) string {
		d, err := source.Digest(files(append(slices.Clone(base), pairs...)...), "a")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := digest()
	for _, c := range []struct {
		file, text string
		changes    bool
	}{
		{"a.cu", `#include "b.cuh" `, true},
		{"c.cuh", "int d;", true}, // included through b.cuh
		{source.Options, "-O2", true},
		{"d.cuh", "changed", false},
		{"e.cu", "changed", false},
	} {
		if changed := digest(c.file, c.text) != first; changed != c.changes {
			t.Errorf("a changed %s changes the digest: %v, want %v", c.file, changed, c.changes)
		}
	}
	if _, err := source.Digest(files("a.cu", `#include "gone.cuh"`), "a"); err == nil {
		t.Error("a missing include gives no error")
	}
}

// A report has the most of all chips, and static shared memory without what chips
// from sm_90 on reserve.
func TestParseReport(t *testing.T) {
	got, err := source.ParseReport(`# a comment
kernel     chip   registers stack local shared
norm_f32   sm_80         40     0     0    128
norm_f32   sm_90a        32     0     0   1152
norm_f32   sm_100        38     0     0   1280
scale      sm_80         16     0     0      0
scale      sm_90a        20     0     0      0
dynamic    sm_90a        20     0     0   1024
`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]source.Usage{"norm_f32": {Registers: 40, Shared: 256}, "scale": {Registers: 20}, "dynamic": {Registers: 20}}
	if !maps.Equal(got, want) {
		t.Errorf("the report says %v, want %v", got, want)
	}
	for _, text := range []string{"kernel chip registers\nscale sm_80 16\n", "kernel chip registers shared\nscale sm_90a 16 128\n", "kernel chip registers shared\nscale sm_80 many 0\n"} {
		if _, err := source.ParseReport(text); err == nil {
			t.Errorf("%q gives no error", text)
		}
	}
}
