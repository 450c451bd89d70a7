package optest

import (
	"math"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// TestTanh compares the composition with its definition, and its gradient with 1 - tanh².
func TestTanh(t *testing.T) {
	b := open(t, backends()[0], 1)
	x := arg{shape: []int{2, 4}, floats: []float32{-20, -1.5, -0.25, 0, 0.125, 0.5, 2, 20}}
	c := unary("Tanh", ir.Softmax, func(p []*node) *node { return autograd.Tanh(p[0]) }, x)
	d := newDerivative(t, b, &c)
	d.check(d.forward.Run())
	d.check(d.forward.Output(0, d.y))
	grad := d.analytic(0)
	for i, v := range x.floats {
		want := math.Tanh(float64(v))
		slope := 2 * (want - float64(d.target[i])) / 8 * (1 - want*want)
		if math.Abs(float64(d.y[i])-want) > 1e-6 || math.Abs(float64(grad[i])-slope) > 1e-6 {
			t.Errorf("tanh(%v) = %v, gradient %v; want %v, %v", v, d.y[i], grad[i], want, slope)
		}
	}
}

// TestProfileGroups: launches that are alike and follow each other are one group, with its instructions, its key and a time;
// a profile leaves the result as a run does.
func TestProfileGroups(t *testing.T) {
	b := open(t, backends()[0], 1)
	store := exec.NewStore(b)
	p := &ir.Program{Name: "test"}
	x := p.NewValue(ir.Input, "x", ir.F32, 2, 3)
	add := func(a *ir.Value) *ir.Value {
		y := p.NewValue(ir.Temp, "", ir.F32, 2, 3)
		p.Emit(&ir.Instr{Kind: ir.Add, In: []*ir.Value{a, x}, Out: []*ir.Value{y}, Block: -1})
		return y
	}
	twice := add(x)
	thrice := add(twice)
	row := p.NewValue(ir.Temp, "", ir.F32, 3)
	p.Emit(&ir.Instr{Kind: ir.ColumnSum, In: []*ir.Value{thrice, nil}, Out: []*ir.Value{row}, Block: -1})
	y := add(thrice)
	for _, name := range []string{"a", "b"} {
		p.Emit(&ir.Instr{Kind: ir.EMA, Attrs: ir.EMAAttrs{Beta1: 0.5}, In: []*ir.Value{p.NewValue(ir.State, name, ir.F32, 2, 3), y, nil}, Block: -1})
	}
	p.Outputs = []*ir.Value{y, row}
	pl, err := plan.Build(p, plan.Options{Target: b.Target()})
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(b, max(pl.Arena, plan.Align))
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(pl, store, arena)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Inputs()[0].SetFloats([]float32{1, 2, 3, 4, 5, 6}); err != nil {
		t.Fatal(err)
	}
	groups, err := s.Profile(2)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		key              string
		instrs, launches int
	}{
		{"Add f32(2, 3) f32(2, 3) → f32(2, 3)", 2, 2}, {"ColumnSum f32(2, 3) → f32(3)", 1, 1}, {"Add f32(2, 3) f32(2, 3) → f32(2, 3)", 1, 1}, {"EMA f32(2, 3) f32(2, 3) → ", 2, 2},
	}
	if len(groups) != len(want) {
		t.Fatalf("%d groups, want %d", len(groups), len(want))
	}
	for i, g := range groups {
		if w := want[i]; g.Key() != w.key || len(g.Instrs) != w.instrs || g.Launches != w.launches || g.Time < 0 {
			t.Errorf("group %d: %s of %d instructions in %d launches, %v; want %+v", i, g.Key(), len(g.Instrs), g.Launches, g.Time, w)
		}
	}
	sum := make([]float32, 6)
	if err := s.Output(0, sum); err != nil {
		t.Fatal(err)
	}
	for i, v := range []float32{4, 8, 12, 16, 20, 24} {
		if sum[i] != v {
			t.Errorf("results %v", sum)
		}
	}
}
