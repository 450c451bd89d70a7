package optim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/autograd/plan"
)

func TestSchedules(t *testing.T) {
	const total, warmup = 110, 10
	for _, tc := range []struct {
		schedule string
		step     int
		want     float64
	}{
		{"constant", 0, 0.1}, {"constant", 9, 1}, {"constant", 109, 1},
		{"linear", 10, 1}, {"linear", 60, 0.55}, {"linear", 110, 0.1},
		{"cosine", 10, 1}, {"cosine", 60, 0.55}, {"cosine", 35, 0.1 + 0.9*0.5*(1+math.Sqrt2/2)}, {"cosine", 200, 0.1},
		{"wsd", 50, 1}, {"wsd", 88, 1}, {"wsd", 99, 0.55}, {"wsd", 110, 0.1},
	} {
		c := Default()
		c.Schedule, c.Warmup, c.MinLR, c.Decay = tc.schedule, warmup, 0.1, 0.2
		if got := c.LRFraction(tc.step, total); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("%s at step %d: %g, want %g", tc.schedule, tc.step, got, tc.want)
		}
	}
}

func TestValidateListsAllFaults(t *testing.T) {
	c := Default()
	c.Kind, c.LR, c.Betas, c.InBackward = "adam", -1, []float64{0.9}, true
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"optimizer.kind", "optimizer.lr", "optimizer.betas", "in_backward needs clip: 0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault about %s in %v", want, err)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

// twoLayers is a graph with a hidden matrix, a bias and a table.
func twoLayers(t *testing.T) ([]*autograd.Node, map[string]Rule) {
	t.Helper()
	g := autograd.NewGraph()
	params := []*autograd.Node{g.Param("table", 8, 4), g.Param("hidden", 4, 4), g.Param("bias", 4)}
	return params, map[string]Rule{"table": {Decay: true}, "hidden": {Decay: true, Matrix: true}, "bias": {}}
}

// updateProgram updates from gradients in state.
func updateProgram(params []*autograd.Node, rules map[string]Rule, cfg Config, guard bool) *ir.Program {
	p := &ir.Program{Name: "update"}
	var grads []autograd.Gradient
	for _, n := range params {
		grads = append(grads, autograd.Gradient{
			Param: p.NewValue(ir.State, n.Name(), ir.F32, n.Shape()...),
			Grad:  p.NewValue(ir.State, autograd.GradState(n.Name()), ir.F32, n.Shape()...),
		})
	}
	if norm := Append(p, grads, rules, cfg, guard); norm != nil {
		p.Outputs = append(p.Outputs, norm)
	}
	return p
}

func TestUpdates(t *testing.T) {
	for _, tc := range []struct {
		kind  string
		kinds []ir.Kind
		state []string
	}{
		{"adamw", []ir.Kind{ir.SumSquares, ir.GradNorm, ir.AdamW, ir.AdamW, ir.AdamW}, []string{"exp_avg.hidden", "exp_avg_sq.bias"}},
		{"lion", []ir.Kind{ir.SumSquares, ir.GradNorm, ir.Lion, ir.Lion, ir.Lion}, []string{"momentum.table"}},
		{"sgd", []ir.Kind{ir.SumSquares, ir.GradNorm, ir.SGD, ir.SGD, ir.SGD}, []string{"momentum.bias"}},
		{"muon", []ir.Kind{ir.SumSquares, ir.GradNorm, ir.AdamW, ir.AdamW, ir.Muon}, []string{"momentum.hidden", "exp_avg.table"}},
	} {
		params, rules := twoLayers(t)
		c := Default()
		c.Kind = tc.kind
		p := updateProgram(params, rules, c, true)
		if err := ir.Verify(p); err != nil {
			t.Errorf("%s: %v", tc.kind, err)
		}
		if len(p.Outputs) != 1 {
			t.Errorf("%s: %d outputs, want the norm", tc.kind, len(p.Outputs))
		}
		for i, in := range p.Instrs {
			if in.Kind != tc.kinds[i] {
				t.Errorf("%s: instruction %d is %s, want %s", tc.kind, i, in.Kind, tc.kinds[i])
			}
			if decay, ok := decayOf(in.Attrs); ok && (decay > 0) != rules[in.In[0].Name].Decay {
				t.Errorf("%s: %s decays by %g", tc.kind, in.In[0].Name, decay)
			}
		}
		for _, name := range tc.state {
			if p.Lookup(ir.State, name) == nil {
				t.Errorf("%s: there is no state %q", tc.kind, name)
			}
			if !IsState(name) {
				t.Errorf("%q is not known as optimizer state", name)
			}
		}
	}
}

func TestNoNormWithoutClipAndGuard(t *testing.T) {
	params, rules := twoLayers(t)
	c := Default()
	c.Clip, c.InBackward = 0, true
	if p := updateProgram(params, rules, c, true); len(p.Outputs) != 0 || p.Instrs[0].Kind == ir.SumSquares {
		t.Error("updates in the backward pass wait for a norm")
	}
}

func TestHyper(t *testing.T) {
	c := Default()
	h := c.Hyper(0, 100, 0, 3)
	if h[ir.First] != 1 || h[ir.NormLimit] != 3 || math.Abs(float64(h[ir.BC1])-0.1) > 1e-7 || math.Abs(float64(h[ir.BC2])-0.05) > 1e-7 {
		t.Errorf("first step: %v", h)
	}
	h = c.Hyper(60, 100, 4, 0)
	if h[ir.First] != 0 || math.Abs(float64(h[ir.BC1])-(1-math.Pow(0.9, 5))) > 1e-7 {
		t.Errorf("fifth update: %v", h)
	}
}

// TestSumsOverRanks wants every gradient summed and awaited before its use, and
// gradients in state summed in their place.
func TestSumsOverRanks(t *testing.T) {
	params, rules := twoLayers(t)
	built, err := plan.Build(updateProgram(params, rules, Default(), true), plan.Options{Layout: plan.Layout{Rank: mesh.Of(0, 2)}})
	if err != nil {
		t.Fatal(err)
	}
	p := built.Program
	awaited := map[*ir.Value]bool{}
	for _, in := range p.Instrs {
		switch in.Kind {
		case ir.AllReduce:
			if x, y := in.In[0], in.Out[0]; y.Root() != x {
				t.Errorf("the sum of %q is not in its place", x.Name)
			}
		case ir.Await:
			awaited[in.Out[0]] = true
		case ir.SumSquares:
			for _, g := range in.In {
				if !awaited[g] {
					t.Errorf("the norm takes %q before its sum", g.Name)
				}
			}
		}
	}
	if len(awaited) != len(params) {
		t.Errorf("%d of %d gradients are summed", len(awaited), len(params))
	}
}

// TestOwners builds the updates of all ranks, of which the last owns nothing: each
// updates and keeps the state of its own parameters, takes the norm of all, and
// starts the same collectives in the same order as the others, for every optimizer.
func TestOwners(t *testing.T) {
	owner := map[string]int{"table": 1, "hidden": 0, "bias": 1}
	const ranks = 3
	for _, kind := range []string{"adamw", "lion", "sgd", "muon"} {
		for _, inBackward := range []bool{false, true} {
			c := Default()
			c.Kind, c.EMA = kind, 0.9
			if inBackward {
				c.InBackward, c.Clip = true, 0
			}
			var first []string
			var bytes int64
			for rank := range ranks {
				params, rules := twoLayers(t)
				built, err := plan.Build(updateProgram(params, rules, c, !inBackward), plan.Options{Layout: plan.Layout{Rank: mesh.Of(rank, ranks), Owner: owner}})
				if err != nil {
					t.Fatal(err)
				}
				var started []string
				for _, in := range built.Program.Instrs {
					if ir.Kinds[in.Kind].Collective {
						to, _ := in.Attrs.(ir.RootAttrs)
						started = append(started, fmt.Sprintf("%s %s %d", in.Kind, in.In[0].Root().Name, to.Root))
					}
					if len(ir.Kinds[in.Kind].Mutates) > 0 && in.Kind != ir.EMA && owner[in.In[0].Name] != rank {
						t.Errorf("%s: rank %d updates %q", kind, rank, in.In[0].Name)
					}
				}
				for _, v := range built.Program.Values {
					if v.Class == ir.State && v.Base == nil && IsState(v.Name) {
						bytes += v.Bytes()
					}
				}
				if rank == 0 {
					first = started
				}
				if !slices.Equal(started, first) {
					t.Errorf("%s: rank %d starts %q, rank 0 %q", kind, rank, started, first)
				}
			}
			if sums := 3; !inBackward && len(first) != 2*sums+1 || inBackward && len(first) != 2*sums {
				t.Errorf("%s: collectives are %q", kind, first)
			}
			params, rules := twoLayers(t)
			for _, p := range params {
				bytes -= c.StateBytes(p.Shape().Size(), rules[p.Name()])
			}
			if bytes != 0 {
				t.Errorf("%s: the ranks keep %d bytes of state more than one process", kind, bytes)
			}
		}
	}
}

// decayOf returns the weight decay of an update.
func decayOf(attrs ir.Attrs) (float32, bool) {
	switch a := attrs.(type) {
	case ir.AdamWAttrs:
		return a.Decay, true
	case ir.SGDAttrs:
		return a.Decay, true
	case ir.LionAttrs:
		return a.Decay, true
	case ir.MuonAttrs:
		return a.Decay, true
	}
	return 0, false
}
