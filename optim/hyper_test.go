package optim

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestHyperOfEachStep compares the constants of steps, of which some were skipped, with
// their formulas: the learning rate goes by the step, the corrections by the updates
// that were made.
func TestHyperOfEachStep(t *testing.T) {
	c := Default()
	c.LR, c.Betas, c.Schedule, c.Warmup, c.MinLR = 0.5, []float64{0.8, 0.6}, "linear", 4, 0.2
	rates := []float64{0.125, 0.25, 0.375, 0.5, 0.5, 0.4, 0.3, 0.2} // up over 4 steps, down to 0.1 at the 9th
	applied := 0
	for step, rate := range rates {
		h := c.Hyper(step, 8, applied, 0.75)
		want := [ir.HyperLen]float32{}
		want[ir.LR], want[ir.NormLimit] = float32(rate), 0.75
		want[ir.BC1], want[ir.BC2] = float32(1-math.Pow(0.8, float64(applied+1))), float32(1-math.Pow(0.6, float64(applied+1)))
		if applied == 0 {
			want[ir.First] = 1
		}
		for i := range want {
			if d := math.Abs(float64(h[i] - want[i])); d > 1e-7 {
				t.Errorf("step %d after %d updates: constant %d is %g, want %g", step, applied, i, h[i], want[i])
			}
		}
		if step > 1 && step != 4 { // the others are skipped
			applied++
		}
	}
}

// TestDefault holds what an optimizer section that says nothing means.
func TestDefault(t *testing.T) {
	want := Config{
		Kind: "adamw", LR: 1e-3, Betas: []float64{0.9, 0.95}, Eps: 1e-8, Momentum: 0.95, Nesterov: true, WeightDecay: 0.1, Clip: 1,
		Schedule: "cosine", Warmup: 50, MinLR: 0.1, Decay: 0.2, MatrixLR: 0.02,
	}
	if got := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestStatesOfEachKind: which states a parameter has, what they take, and that they are
// those which the program names.
func TestStatesOfEachKind(t *testing.T) {
	matrix, table, bias := Rule{Decay: true, Matrix: true}, Rule{Decay: true}, Rule{}
	for _, tc := range []struct {
		kind     string
		momentum float64
		ema      float64
		rule     Rule
		want     []string
	}{
		{"adamw", 0, 0, matrix, []string{"exp_avg", "exp_avg_sq"}},
		{"adamw", 0, 0.9, bias, []string{"exp_avg", "exp_avg_sq", "ema"}},
		{"lion", 0, 0, table, []string{"momentum"}},
		{"sgd", 0, 0, table, nil},
		{"sgd", 0, 0.9, table, []string{"ema"}},
		{"sgd", 0.9, 0.9, table, []string{"momentum", "ema"}},
		{"muon", 0.9, 0, matrix, []string{"momentum"}},
		{"muon", 0, 0, matrix, []string{"momentum"}},
		{"muon", 0.9, 0.9, table, []string{"exp_avg", "exp_avg_sq", "ema"}},
		{"muon", 0.9, 0, bias, []string{"exp_avg", "exp_avg_sq"}},
	} {
		c := Default()
		c.Kind, c.Momentum, c.EMA = tc.kind, tc.momentum, tc.ema
		if got := c.states(tc.rule); !reflect.DeepEqual(got, tc.want) || c.StateBytes(7, tc.rule) != int64(28*len(tc.want)) {
			t.Errorf("%+v: %q, %d bytes", tc, got, c.StateBytes(7, tc.rule))
		}
		params, _ := twoLayers(t)
		rules := map[string]Rule{"table": tc.rule, "hidden": tc.rule, "bias": tc.rule}
		p := updateProgram(params[:2], rules, c, true)
		states := 0
		for _, v := range p.Values {
			if v.Class == ir.State && IsState(v.Name) {
				states++
			}
		}
		if states != 2*len(tc.want) {
			t.Errorf("%+v: the program has %d states", tc, states)
		}
		for _, state := range tc.want {
			if p.Lookup(ir.State, state+".hidden") == nil {
				t.Errorf("%+v: there is no state %s.hidden", tc, state)
			}
		}
	}
}

// TestOrderOfUpdates: the norm first, then updates of one kind after the other in the
// order of the model, then averages; all wait for the clip of the norm, and the norm is
// that of every gradient, once.
func TestOrderOfUpdates(t *testing.T) {
	params, rules := twoLayers(t)
	c := Default()
	c.Kind, c.EMA, c.Clip = "muon", 0.75, 0.5
	p := updateProgram(params, rules, c, false)
	want := []struct {
		kind ir.Kind
		name string
	}{{ir.SumSquares, "grad.table"}, {ir.GradNorm, "hyper"}, {ir.AdamW, "table"}, {ir.AdamW, "bias"}, {ir.Muon, "hidden"},
		{ir.EMA, "ema.table"}, {ir.EMA, "ema.hidden"}, {ir.EMA, "ema.bias"}}
	if len(p.Instrs) != len(want) {
		t.Fatalf("%d instructions, want %d", len(p.Instrs), len(want))
	}
	clip := p.Instrs[1].Out[1]
	for i, in := range p.Instrs {
		if in.Kind != want[i].kind || in.In[0].Name != want[i].name {
			t.Errorf("instruction %d is %s of %s, want %+v", i, in.Kind, in.In[0].Name, want[i])
		}
		if ir.Kinds[in.Kind].Update != ir.NoUpdate && !slices.Contains(in.In, clip) {
			t.Errorf("%s of %s does not wait for the norm", in.Kind, in.In[0].Name)
		}
		if a, ok := in.Attrs.(ir.EMAAttrs); ok && (a.Beta1 != 0.75 || in.In[0].Name != AverageOf(in.In[1].Name)) {
			t.Errorf("the average of %s is %s with %+v", in.In[1].Name, in.In[0].Name, a)
		}
	}
	if a := p.Instrs[1].Attrs.(ir.GradNormAttrs); a.MaxNorm != 0.5 {
		t.Errorf("clipped at %g", a.MaxNorm)
	}
	for i, g := range p.Instrs[0].In {
		if g.Name != "grad."+params[i].Name() {
			t.Errorf("gradient %d of the norm is %s", i, g.Name)
		}
	}
}
