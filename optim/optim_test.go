package optim

import (
	"math"
	"strings"
	"testing"

	"gotrain/autograd"
	"gotrain/autograd/ir"
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
func twoLayers(t *testing.T) ([]*autograd.Node, map[string]Group) {
	t.Helper()
	g := autograd.NewGraph()
	params := []*autograd.Node{g.Param("table", 8, 4), g.Param("hidden", 4, 4), g.Param("bias", 4)}
	return params, map[string]Group{"table": {Decay: true}, "hidden": {Decay: true, Matrix: true}, "bias": {}}
}

func TestUpdateProgram(t *testing.T) {
	for _, tc := range []struct {
		kind  string
		kinds []ir.Kind
		state []string
	}{
		{"adamw", []ir.Kind{ir.GradNorm, ir.AdamW, ir.AdamW, ir.AdamW}, []string{"exp_avg.hidden", "exp_avg_sq.bias"}},
		{"lion", []ir.Kind{ir.GradNorm, ir.Lion, ir.Lion, ir.Lion}, []string{"momentum.table"}},
		{"sgd", []ir.Kind{ir.GradNorm, ir.SGD, ir.SGD, ir.SGD}, []string{"momentum.bias"}},
		{"muon", []ir.Kind{ir.GradNorm, ir.AdamW, ir.AdamW, ir.Muon}, []string{"momentum.hidden", "exp_avg.table"}},
	} {
		params, groups := twoLayers(t)
		c := Default()
		c.Kind = tc.kind
		p := UpdateProgram(params, groups, c, true, 1)
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
			if in.Kind != ir.GradNorm && (in.Decay > 0) != groups[in.In[0].Name].Decay {
				t.Errorf("%s: %s decays by %g", tc.kind, in.In[0].Name, in.Decay)
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
	params, groups := twoLayers(t)
	c := Default()
	c.Clip, c.InBackward = 0, true
	if p := UpdateProgram(params, groups, c, true, 1); len(p.Outputs) != 0 || p.Instrs[0].Kind == ir.GradNorm {
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
	params, groups := twoLayers(t)
	p := UpdateProgram(params, groups, Default(), true, 2)
	if err := ir.Verify(p); err != nil {
		t.Fatal(err)
	}
	awaited := map[*ir.Value]bool{}
	for _, in := range p.Instrs {
		switch in.Kind {
		case ir.AllReduce:
			if x, y := in.In[0], in.Out[0]; y.Root() != x {
				t.Errorf("the sum of %q is not in its place", x.Name)
			}
		case ir.Await:
			awaited[in.Out[0]] = true
		case ir.GradNorm:
			for _, g := range in.In[1:] {
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
