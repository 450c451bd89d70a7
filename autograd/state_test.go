package autograd

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestWrite: a program ends with what it hands on, and the run before that reads the old
// content, in the backward pass too; a state that is declared alone is no part of it.
func TestWrite(t *testing.T) {
	g := NewGraph()
	w := g.Param("w", 2, 2)
	memory := g.Memory("m", 3, 2)
	g.Memory("unused", 3, 2)
	mean := g.Running("mean", 1, 2)
	y := MatMul(Add(g.Floats("x", 3, 2), memory), w, false, true)
	g.Write(memory, y)
	g.Write(mean, Sum(y, 0))
	p, _, err := g.LowerTrain("step", g.Grad(Reshape(Sum(y, 0, 1))), GradStore)
	if err != nil {
		t.Fatal(err)
	}
	assigned := 0
	for i, in := range p.Instrs {
		for j, v := range in.In {
			if in.Kind == ir.Assign && j == 0 {
				continue
			}
			if assigned > 0 && v != nil && v.Root().Class == ir.State && ir.IsMemory(v.Name) {
				t.Errorf("instruction %d %s reads %q behind what writes it", i, in.Kind, v.Name)
			}
		}
		if in.Kind == ir.Assign {
			assigned++
			if mean := in.Attrs.(ir.AssignAttrs).Mean; mean != ir.IsRunning(in.In[0].Name) {
				t.Errorf("%q: mean over ranks %t", in.In[0].Name, mean)
			}
		}
	}
	if assigned != 2 || p.Lookup(ir.State, "memory/unused") != nil {
		t.Errorf("%d states are handed on, want 2; unused is part of the program: %t", assigned, p.Lookup(ir.State, "memory/unused") != nil)
	}
}

// TestWriteRefusals: what cannot be handed on is refused by name.
func TestWriteRefusals(t *testing.T) {
	for want, build := range map[string]func(g *Graph){
		`"w" is no Memory`:            func(g *Graph) { g.Write(g.State("w", 2, 2), g.Floats("x", 2, 2)) },
		`"memory/m" is (2, 2), not`:   func(g *Graph) { g.Write(g.Memory("m", 2, 2), g.Floats("x", 2, 3)) },
		`not i32(2, 2)`:               func(g *Graph) { g.Write(g.Memory("m", 2, 2), g.Ints("x", 2, 2)) },
		`"memory/m" is written twice`: func(g *Graph) { m, x := g.Memory("m", 2, 2), g.Floats("x", 2, 2); g.Write(m, x); g.Write(m, x) },
		`"m" has no axis of samples`:  func(g *Graph) { g.Memory("m") },
	} {
		g := NewGraph()
		build(g)
		if g.Err() == nil || !strings.Contains(g.Err().Error(), want) {
			t.Errorf("%v, want %q", g.Err(), want)
		}
	}
}
