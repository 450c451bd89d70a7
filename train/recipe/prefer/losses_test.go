package prefer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/train/recipe"
)

// lossCase is what TRL says of samples (scripts/parity/prefer.py).
type lossCase struct {
	Kind      string
	Config    json.RawMessage
	First     []float32
	Second    []float32
	RefFirst  []float32 `json:"ref_first"`
	RefSecond []float32 `json:"ref_second"`
	Labels    []float32
	Margins   []float32
	Loss      float64
	Gradients [2][]float32
}

// objective gives the configuration of a case to an objective, by the names of the section.
func (c lossCase) objective(t *testing.T) Objective {
	var k struct {
		Beta, Gamma float64
		Loss        string
		Smoothing   float64 `json:"label_smoothing"`
		Free        bool    `json:"reference_free"`
		Desirable   float64 `json:"desirable_weight"`
		Undesirable float64 `json:"undesirable_weight"`
	}
	if err := json.Unmarshal(c.Config, &k); err != nil {
		t.Fatal(err)
	}
	return map[string]Objective{
		"dpo": &DPO{k.Beta, k.Loss, k.Smoothing, k.Free}, "kto": &KTO{k.Beta, k.Desirable, k.Undesirable},
		"orpo": &ORPO{k.Beta}, "simpo": &SimPO{k.Beta, k.Gamma, k.Smoothing},
	}[c.Kind]
}

func readCases(t *testing.T) (cases []lossCase) {
	text, err := os.ReadFile("testdata/losses.json")
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil || len(cases) < 15 {
		t.Fatal(len(cases), err)
	}
	return cases
}

// TestLossesOfTRL compares each loss and its gradients with those of TRL's trainers. Places
// without a sample change neither.
func TestLossesOfTRL(t *testing.T) {
	const padding = 3
	for i, c := range readCases(t) {
		o := c.objective(t)
		n := len(c.First)
		padded := func(x []float32) []float32 { return append(append([]float32{}, x...), make([]float32, padding)...) }
		g := autograd.NewGraph()
		k := n + padding
		x := Compared{Rows: 1, First: g.Param("first", k), Second: g.Param("second", k), Label: g.Floats("labels", k)}
		x.Present = autograd.Mul(x.Label, x.Label)
		inputs := map[string][]float32{"labels": padded(c.Labels)}
		if c.RefFirst != nil {
			x.RefFirst, x.RefSecond = g.Floats("ref_first", k), g.Floats("ref_second", k)
			inputs["ref_first"], inputs["ref_second"] = padded(c.RefFirst), padded(c.RefSecond)
		}
		var loss *autograd.Node
		if o != nil {
			loss = mean(x, o, n)
		} else {
			var own Reward
			if err := json.Unmarshal(c.Config, &own); err != nil {
				t.Fatal(err)
			}
			inputs["margins"] = padded(c.Margins)
			each := own.perSample(x.First, x.Second, g.Floats("margins", k))
			loss = autograd.Reshape(autograd.Scale(autograd.Sum(x.only(each)), 1/float32(n)))
		}
		got := compute(t, g, loss, map[string][]float32{"first": padded(c.First), "second": padded(c.Second)}, inputs)
		if math.Abs(float64(got[0][0])-c.Loss) > 1e-6*max(1, math.Abs(c.Loss)) {
			t.Errorf("case %d, %s %s: loss %.8f, in TRL %.8f", i, c.Kind, c.Config, got[0][0], c.Loss)
		}
		for side, want := range c.Gradients {
			for j, w := range padded(want) {
				if e := got[1+side][j]; math.Abs(float64(e-w)) > 1e-5*max(1, math.Abs(float64(w))) {
					t.Errorf("case %d, %s %s: gradient %d of side %d is %g, in TRL %g", i, c.Kind, c.Config, j, side, e, w)
				}
			}
		}
	}
}

// mean is the loss of n samples as the recipe has it.
func mean(x Compared, o Objective, n int) *autograd.Node {
	each, _ := o.PerSample(x)
	none := autograd.Scale(autograd.Add(x.First, x.Second), 0) // of what a loss has as a constant
	return autograd.Reshape(autograd.Scale(autograd.Sum(autograd.Add(x.only(each), none)), 1/float32(n)))
}

// compute returns a loss and its gradients by the parameters.
func compute(t *testing.T, g *autograd.Graph, loss *autograd.Node, params, inputs map[string][]float32) [][]float32 {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	outputs := append([]*autograd.Node{loss}, g.Grad(loss)...)
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
	for name, values := range params {
		check(store.Write(name, values))
	}
	for _, in := range s.Inputs() {
		check(in.SetFloats(inputs[in.Name()]))
	}
	check(s.Run())
	var all [][]float32
	for i, n := range outputs {
		values := make([]float32, n.Shape().Size())
		check(s.Output(i, values))
		all = append(all, values)
	}
	return all
}

// TestKTOByRow: the mean of answers to other prompts is that of each row.
func TestKTOByRow(t *testing.T) {
	g := autograd.NewGraph()
	x := Compared{Rows: 2, First: g.Param("first", 4), Second: g.Param("second", 4), RefFirst: g.Floats("a", 4), RefSecond: g.Floats("b", 4), Label: g.Floats("labels", 4)}
	x.Present = autograd.Mul(x.Label, x.Label)
	_, shown := (&KTO{Beta: 1, Desirable: 1, Undesirable: 1}).PerSample(x)
	i := indexOf(shown, "kl")
	loss := autograd.Reshape(autograd.Sum(autograd.Add(shown[i].Sum, autograd.Scale(autograd.Add(x.First, x.Second), 0))))
	got := compute(t, g, loss, map[string][]float32{"first": {0, 0, 0, 0}, "second": {3, 5, -8, 0}},
		map[string][]float32{"a": make([]float32, 4), "b": {0, 0, 0, 0}, "labels": {1, -1, -1, 0}})
	if got[0][0] != 8 { // 4 for each of the first row's two, nothing below 0
		t.Errorf("Σ kl is %g, want 8", got[0][0])
	}
}

func indexOf(shown []recipe.Metric, name string) int {
	for i, m := range shown {
		if m.Name == name {
			return i
		}
	}
	return -1
}

// TestKeysOfObjectives: every objective reads the keys of the section, by TRL's names, and none
// by another; what is left out has its default.
func TestKeysOfObjectives(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       any
	}{
		{"dpo", "{}", &DPO{Beta: 0.1, Loss: "sigmoid"}},
		{"dpo", "{beta: 0.25, loss: ipo, label_smoothing: 0.125, reference_free: true}", &DPO{0.25, "ipo", 0.125, true}},
		{"kto", "{}", &KTO{0.1, 1, 1}},
		{"kto", "{beta: 0.25, desirable_weight: 2, undesirable_weight: 3}", &KTO{0.25, 2, 3}},
		{"orpo", "{}", &ORPO{0.1}},
		{"orpo", "{beta: 0.25}", &ORPO{0.25}},
		{"simpo", "{}", &SimPO{2, 0.5, 0}},
		{"simpo", "{beta: 0.25, gamma: 4, label_smoothing: 0.125}", &SimPO{0.25, 4, 0.125}},
		{"reward", "{}", &Reward{}},
		{"reward", "{center: 0.25}", &Reward{0.25}},
	} {
		i := slices.IndexFunc(Recipes(), func(r recipe.Recipe) bool { return r.Name == c.name })
		got := Recipes()[i].Config()
		if err := yaml.UnmarshalWithOptions([]byte(c.text), got, yaml.Strict()); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s: %+v, %v; want %+v", c.name, c.text, got, err, c.want)
		}
	}
}

// TestFaultsOfKeys: what is said of values that make no sense.
func TestFaultsOfKeys(t *testing.T) {
	const positive, half, small = "; use a positive number, such as 0.1", "; use a number in [0, 0.5)", "; use 0 or a small positive number, such as 0.01"
	for _, c := range []struct {
		config interface{ Validate() error }
		want   string
	}{
		{&DPO{Loss: Sigmoid}, "recipe.beta is 0" + positive},
		{&DPO{Beta: 0.1, Loss: "sigmoidal"}, `recipe.loss is "sigmoidal"; use sigmoid, ipo or hinge`},
		{&DPO{Beta: 0.1, Loss: IPO, Smoothing: 0.1}, "recipe.label_smoothing is for loss sigmoid; ipo has none"},
		{&DPO{Beta: 0.1, Loss: Sigmoid, Smoothing: 0.5}, "recipe.label_smoothing is 0.5" + half},
		{&DPO{Beta: math.Inf(1), Loss: Sigmoid}, "recipe.beta is +Inf" + positive},
		{&KTO{Beta: 0.1}, "recipe.desirable_weight 0 and undesirable_weight 0: use positive numbers, one of them perhaps 0"},
		{&KTO{Beta: 0.1, Desirable: -1, Undesirable: 2}, "recipe.desirable_weight -1 and undesirable_weight 2: use positive numbers, one of them perhaps 0"},
		{&KTO{Desirable: 1, Undesirable: 1}, "recipe.beta is 0" + positive},
		{&ORPO{}, "recipe.beta is 0" + positive},
		{&SimPO{Beta: 2, Gamma: -1}, "recipe.gamma is -1; use 0 or a positive number"},
		{&SimPO{Beta: 2, Smoothing: -0.1}, "recipe.label_smoothing is -0.1" + half},
		{&SimPO{Beta: math.NaN()}, "recipe.beta is NaN" + positive},
		{&KTO{Beta: 0.1, Desirable: 1}, ""}, {&KTO{Beta: 0.1, Undesirable: 1}, ""}, {&SimPO{Beta: 2, Smoothing: 0.49}, ""},
		{&Reward{-1}, "recipe.center is -1" + small}, {&Reward{math.Inf(1)}, "recipe.center is +Inf" + small}, {&Reward{}, ""}, {&Reward{1}, ""},
	} {
		if got := fmt.Sprint(c.config.Validate()); got != cmp.Or(c.want, "<nil>") {
			t.Errorf("%+v: %q, want %q", c.config, got, c.want)
		}
	}
	for _, r := range Recipes() {
		if err := r.Config().(interface{ Validate() error }).Validate(); err != nil {
			t.Errorf("the defaults of %s: %v", r.Name, err)
		}
	}
}
