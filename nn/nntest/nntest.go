// Package nntest is what golden tests of families share: tensors of files, a store on the
// CPU, programs of graphs, and how near two tensors are.
package nntest

import (
	"encoding/binary"
	"math"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
)

// Tensor is a tensor of a golden file: little-endian float32, in base64.
type Tensor struct {
	Shape []int
	Data  []byte
}

// Floats are its elements.
func (g Tensor) Floats() []float32 {
	out := make([]float32, len(g.Data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(g.Data[4*i:]))
	}
	return out
}

// Open returns a store on the CPU, which is closed with the test.
func Open(t *testing.T) *exec.Store {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return exec.NewStore(b)
}

// Bind plans what g computes of outputs, with the gradients in the store if there are any.
func Bind(t *testing.T, store *exec.Store, g *autograd.Graph, grads []*autograd.Node, outputs ...*autograd.Node) *exec.Session {
	t.Helper()
	p, err := g.Lower("test", outputs...)
	if grads != nil {
		p, _, err = g.LowerTrain("test", grads, autograd.GradStore, outputs...)
	}
	if err != nil {
		t.Fatal(err)
	}
	built, err := plan.Build(p, plan.Options{Target: store.Backend().Target()})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(store.Backend(), built.Arena)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(built, store, arena)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Near fails where two tensors differ by more than tolerance of the largest element, or of
// floor where that is larger.
func Near(t *testing.T, what string, got, want []float32, tolerance, floor float64) {
	t.Helper()
	largest, worst := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got[i]-w)))
		if got[i] != got[i] {
			worst = math.Inf(1)
		}
	}
	if len(got) != len(want) || worst > tolerance*max(largest, floor) {
		t.Errorf("%s: off by %g of %g", what, worst, largest)
	}
}
