package distill

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
)

// lossCase is what PyTorch says (scripts/golden/distill.py).
type lossCase struct {
	Divergence         string
	Beta, Temperature  float64
	Top                int
	Teacher, X, W      []float32
	Kept               []int32
	LogProbs, Each, Dx []float32
}

// TestLossesOfPyTorch: what is kept of the teacher, the divergence of each token, and its gradient
// are those of PyTorch.
func TestLossesOfPyTorch(t *testing.T) {
	const n, d, v = 4, 3, 7
	var cases []lossCase
	text, err := os.ReadFile("testdata/losses.json")
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil || len(cases) != 16 {
		t.Fatal(len(cases), err)
	}
	for i, c := range cases {
		var kept []int32
		var logs []float32
		var m Most
		for row := range n {
			m.pick(c.Teacher[row*v:][:v], c.Top, c.Temperature, c.Top < v)
			kept, logs = append(kept, m.Tokens...), append(logs, m.LogProbs...)
		}
		if !slices.Equal(kept, c.Kept) {
			t.Errorf("case %d keeps %v, want %v", i, kept, c.Kept)
		}
		g := autograd.NewGraph()
		x := g.Param("x", n, d)
		q := autograd.LinearTopLogProb(x, g.Floats("w", v, d), g.Ints("kept", n, c.Top), float32(c.Temperature))
		o := &Config{Divergence: c.Divergence, Beta: c.Beta}
		each := autograd.Scale(autograd.Reshape(o.divergence(g.Floats("logs", n, len(logs)/n), q), n), float32(c.Temperature*c.Temperature))
		grad := g.Grad(autograd.Reshape(autograd.Sum(each)))
		got := run(t, g, []*autograd.Node{each, grad[0]}, c, kept, logs)
		for name, both := range map[string][2][]float32{"log-probability": {logs, c.LogProbs}, "divergence": {got[0], c.Each}, "gradient": {got[1], c.Dx}} {
			for j, want := range both[1] {
				if e := math.Abs(float64(both[0][j] - want)); e > 1e-5*max(1, math.Abs(float64(want))) {
					t.Errorf("case %d, %s of %d at %g: %s %d is %g, in PyTorch %g", i, c.Divergence, c.Top, c.Temperature, name, j, both[0][j], want)
				}
			}
		}
	}
}

// run computes outputs of g on the numbers of a case.
func run(t *testing.T, g *autograd.Graph, outputs []*autograd.Node, c lossCase, kept []int32, logs []float32) (all [][]float32) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := g.Lower("loss", outputs...)
	check(err)
	b, err := cpu.New(cpu.Config{Threads: 1})
	check(err)
	defer b.Close()
	built, err := plan.Build(p, plan.Options{Target: b.Target()})
	check(err)
	arena, err := exec.NewArena(b, max(built.Arena, plan.Align))
	check(err)
	store := exec.NewStore(b)
	s, err := exec.NewSession(built, store, arena)
	check(err)
	check(store.Write("x", c.X))
	check(s.SetFloats("w", c.W))
	check(s.SetFloats("logs", logs))
	check(s.SetInts("kept", kept))
	check(s.Run())
	for i, n := range outputs {
		values := make([]float32, n.Shape().Size())
		check(s.Output(i, values))
		all = append(all, values)
	}
	return all
}

// TestPick: equals go by their ids, and what is not kept is counted together.
func TestPick(t *testing.T) {
	var m Most
	for range 2 { // the second time in the same memory
		m.pick([]float32{1, 3, 2, 3, 1, 0}, 4, 1, true)
		if !slices.Equal(m.Tokens, []int32{1, 3, 2, 0}) || len(m.LogProbs) != 5 {
			t.Fatalf("%+v", m)
		}
	}
	sum := 2*math.Exp(3) + math.Exp(2) + 2*math.Exp(1) + 1
	if want := math.Log((math.Exp(1) + 1) / sum); math.Abs(float64(m.LogProbs[4])-want) > 1e-6 {
		t.Errorf("the others have %g, want %g", m.LogProbs[4], want)
	}
	m.pick([]float32{900, -900}, 1, 1, true)
	if m.LogProbs[0] != 0 || m.LogProbs[1] != leastRest {
		t.Errorf("of a certain token: %v", m.LogProbs)
	}
}
