package bench_test

import (
	"fmt"
	"math"
	"testing"

	"example.com/gotrain/autograd/bench"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/ir"
)

func Example() {
	backend, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()
	k := bench.Cases("small")[0]
	t, err := k.Time(backend, ir.F32, 0.001)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(k.Name, t.Bytes, k.Result(t, 100, 10).GFLOPS > 0)
	// Output: MatMul (64, 64) · (64, 128) 81920 true
}

// TestCases runs each case in both precisions.
func TestCases(t *testing.T) {
	backend, err := cpu.New(cpu.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	for _, k := range bench.Cases("small") {
		for _, compute := range []ir.DType{ir.F32, ir.BF16} {
			got, err := k.Time(backend, compute, 0)
			if err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
			if got.Seconds <= 0 || math.IsInf(got.Seconds, 1) || got.Bytes <= 0 {
				t.Errorf("%s: %+v", k.Name, got)
			}
		}
	}
}

// TestSizes: every size has the kinds of the smallest, no others.
func TestSizes(t *testing.T) {
	for _, size := range bench.Sizes() {
		known := map[string]bool{}
		for _, kind := range bench.Kinds() {
			known[kind] = true
		}
		for _, k := range bench.Cases(size) {
			if !known[k.Kind.String()] {
				t.Errorf("%s has a %s, which small lacks", size, k.Kind)
			}
		}
	}
	if bench.Cases("huge") != nil {
		t.Error("there is no such size")
	}
}

func TestResult(t *testing.T) {
	bound := bench.Case{Name: "copy"}.Result(bench.Timing{Seconds: 0.5, Bytes: 4e9}, 100, 16)
	product := bench.Case{FLOPs: 50e9}.Result(bench.Timing{Seconds: 1, Bytes: 1e9}, 100, 16)
	if bound.GBPerS != 8 || bound.FractionOfPeak != 0.5 || bound.GFLOPS != 0 || product.FractionOfPeak != 0.5 || product.MS != 1000 {
		t.Errorf("got %+v and %+v", bound, product)
	}
	if r := (bench.Case{}).Result(bench.Timing{Seconds: 1, Bytes: 1}, 0, 0); r.FractionOfPeak != 0 {
		t.Errorf("of an unknown peak: %+v", r)
	}
}
