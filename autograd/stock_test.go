package autograd_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// mlp is mean((relu(x·w1)·w2 - target)²) with x (rows, in), w1 (in, hidden),
// w2 (hidden, out).
type mlp struct {
	rows, in, hidden, out int
	x, w1, w2, target     []float32
}

// TestStockGorgonia compares loss and gradients of a small network with those of
// Gorgonia's own ops on its own machine.
func TestStockGorgonia(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	m := mlp{rows: 5, in: 4, hidden: 7, out: 3}
	m.x, m.w1, m.w2, m.target = draw(m.rows*m.in), draw(m.in*m.hidden), draw(m.hidden*m.out), draw(m.rows*m.out)
	got, want := m.ours(t), m.stock(t)
	for i, name := range []string{"loss", "gradient of w1", "gradient of w2"} {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%s has %d elements, Gorgonia's %d", name, len(got[i]), len(want[i]))
		}
		for j, w := range want[i] {
			if g := got[i][j]; math.Abs(float64(g-w)) > 1e-5*(1+math.Abs(float64(w))) {
				t.Errorf("%s[%d] is %v, Gorgonia's is %v", name, j, g, w)
			}
		}
	}
}

// ours returns the loss and the gradients of w1 and w2.
func (m *mlp) ours(t *testing.T) [3][]float32 {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	g := autograd.NewGraph()
	w1, w2 := g.Param("w1", m.in, m.hidden), g.Param("w2", m.hidden, m.out)
	h := autograd.Activation(autograd.MatMul(g.Floats("x", m.rows, m.in), w1, false, false), ir.ReLU)
	loss := autograd.MSE(autograd.MatMul(h, w2, false, false), g.Floats("target", m.rows, m.out))
	p, err := g.Lower("mlp", append([]*autograd.Node{loss}, g.Grad(loss)...)...)
	check(err)
	b, err := cpu.New(cpu.Config{})
	check(err)
	defer b.Close()
	pl, err := plan.Build(p, plan.Options{Target: b.Target()})
	check(err)
	store := exec.NewStore(b)
	arena, err := exec.NewArena(b, pl.Arena)
	check(err)
	s, err := exec.NewSession(pl, store, arena)
	check(err)
	check(store.Write("w1", m.w1))
	check(store.Write("w2", m.w2))
	check(s.SetFloats("x", m.x))
	check(s.SetFloats("target", m.target))
	check(s.Run())
	results := [3][]float32{make([]float32, 1), make([]float32, len(m.w1)), make([]float32, len(m.w2))}
	for i, r := range results {
		check(s.Output(i, r))
	}
	return results
}

// stock is ours by Gorgonia's ops and its TapeMachine.
func (m *mlp) stock(t *testing.T) [3][]float32 {
	g := gorgonia.NewGraph()
	matrix := func(name string, rows, cols int, data []float32) *gorgonia.Node {
		backing := append([]float32(nil), data...)
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(rows, cols), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(backing))))
	}
	w1, w2 := matrix("w1", m.in, m.hidden, m.w1), matrix("w2", m.hidden, m.out, m.w2)
	h := gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Mul(matrix("x", m.rows, m.in, m.x), w1))))
	y := gorgonia.Must(gorgonia.Mul(h, w2))
	distance := gorgonia.Must(gorgonia.Sub(y, matrix("target", m.rows, m.out, m.target)))
	loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(distance))))
	if _, err := gorgonia.Grad(loss, w1, w2); err != nil {
		t.Fatal(err)
	}
	machine := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w1, w2))
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	results := [3][]float32{{loss.Value().Data().(float32)}}
	for i, w := range []*gorgonia.Node{w1, w2} {
		grad, err := w.Grad()
		if err != nil {
			t.Fatal(err)
		}
		results[i+1] = grad.Data().([]float32)
	}
	return results
}
