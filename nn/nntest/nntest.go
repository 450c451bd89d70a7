// Package nntest is what golden tests of families share: tensors of files, a store on the
// CPU, programs of graphs, and how near two tensors are.
package nntest

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
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

// Pixels are pictures (B, C, H, W) as a matrix, a row a pixel.
func (g Tensor) Pixels() []float32 {
	b, c, pixels := g.Shape[0], g.Shape[1], g.Shape[2]*g.Shape[3]
	x, y := g.Floats(), make([]float32, b*c*pixels)
	for i := range x {
		picture, channel, pixel := i/(c*pixels), i/pixels%c, i%pixels
		y[(picture*pixels+pixel)*c+channel] = x[i]
	}
	return y
}

// Read decodes a golden file, gzipped JSON.
func Read(t *testing.T, file string, to any) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(to); err != nil {
		t.Fatal(err)
	}
}

// Run sets inputs, runs s and returns its outputs.
func Run(t *testing.T, s *exec.Session, floats map[string][]float32) (outputs [][]float32) {
	t.Helper()
	for name, x := range floats {
		if err := s.SetFloats(name, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	for i, v := range s.Plan.Program.Outputs {
		out := make([]float32, v.Shape.Size())
		if err := s.Output(i, out); err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, out)
	}
	return outputs
}

// Write fills the parameters with the weights of a golden file, all of which are to be there.
func Write(t *testing.T, store *exec.Store, params []nn.Param, weights map[string]Tensor) {
	t.Helper()
	used := map[string]bool{}
	for _, p := range params {
		w, ok := weights[p.Name]
		if !ok {
			t.Fatalf("the golden file has no %q", p.Name)
		}
		if err := store.Write(p.State(), w.Floats()); err != nil {
			t.Fatal(err)
		}
		used[p.Name] = true
	}
	for name := range weights {
		if !used[name] {
			t.Errorf("%q of the golden file has no parameter", name)
		}
	}
}

// NearGrads compares the gradients in the store.
func NearGrads(t *testing.T, store *exec.Store, params []nn.Param, grads map[string]Tensor, tolerance, floor float64) {
	t.Helper()
	for _, p := range params {
		got := make([]float32, p.Shape.Size())
		if err := store.Read(autograd.GradState(p.State()), got); err != nil {
			t.Fatal(err)
		}
		Near(t, "gradient of "+p.Name, got, grads[p.Name].Floats(), tolerance, floor)
	}
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

// Random returns a store on the CPU with the parameters of m: their first values of a seed times
// a factor, by which a model is sure of something.
func Random(t *testing.T, m nn.Model, seed uint64, factor float32) *exec.Store {
	t.Helper()
	store := Open(t)
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := nn.Initialize(m.Params(), seed, func(name string, at int, values []float32) error {
		for i := range values {
			values[i] *= factor
		}
		return store.WriteAt(name, at, values)
	}); err != nil {
		t.Fatal(err)
	}
	return store
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
	return Session(t, store, p, plan.Options{})
}

// Session plans p for store, with an arena of its own.
func Session(t *testing.T, store *exec.Store, p *ir.Program, opt plan.Options) *exec.Session {
	t.Helper()
	opt.Target = store.Backend().Target()
	built, err := plan.Build(p, opt)
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
