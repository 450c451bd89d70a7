package autograd_test

import (
	"math"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// TestGradModes runs a program twice in each mode: gradients are those of the run, or
// its sum with what was there. loss = mean(w²), so that the gradient is 2·w/n.
func TestGradModes(t *testing.T) {
	b, err := cpu.New(cpu.Config{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	w := []float32{1, -2, 3, 0.5}
	for mode, runs := range map[autograd.GradMode][3]float64{autograd.GradStore: {1, 1, 1}, autograd.GradAdd: {1, 2, 3}} {
		g := autograd.NewGraph()
		p := g.Param("w", 4)
		loss := autograd.MSE(p, g.Floats("zero", 4))
		program, grads, err := g.LowerTrain("mode", g.Grad(loss), mode, loss)
		if err != nil {
			t.Fatal(err)
		}
		if len(grads) != 1 || grads[0].Param.Name != "w" || grads[0].Grad.Class != ir.State || grads[0].Grad.Root().Name != autograd.GradState("w") {
			t.Errorf("mode %d: gradients %+v", mode, grads)
		}
		built, err := plan.Build(program, plan.Options{Target: b.Target()})
		if err != nil {
			t.Fatal(err)
		}
		arena, err := exec.NewArena(b, max(built.Arena, plan.Align))
		if err != nil {
			t.Fatal(err)
		}
		store := exec.NewStore(b)
		s, err := exec.NewSession(built, store, arena)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Write("w", w); err != nil {
			t.Fatal(err)
		}
		for _, times := range runs {
			if err := s.Run(); err != nil {
				t.Fatal(err)
			}
			got := make([]float32, 4)
			if err := store.Read(autograd.GradState("w"), got); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if want := times * 2 * float64(w[i]) / 4; math.Abs(float64(got[i])-want) > 1e-6 {
					t.Errorf("mode %d: element %d is %g, want %g", mode, i, got[i], want)
				}
			}
		}
	}
}
