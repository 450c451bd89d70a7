package perceiver_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
	"example.com/gotrain/nn/perceiver"
)

// golden is the file of scripts/golden/perceiver.py, which documents the fields.
type golden struct {
	Config         perceiver.Config
	Batch, Length  int
	IDs, Mask      []int32
	Asked, Targets []int32
	Loss           float64
	Hidden, Masked nntest.Tensor
	Weights, Grads map[string]nntest.Tensor
}

func read(t *testing.T) (g golden) {
	t.Helper()
	nntest.Read(t, "testdata/masked.json.gz", &g)
	return g
}

// load is the model of the file, or of c in place of its configuration, with its weights;
// parameters that it lacks have their first values.
func (g golden) load(t *testing.T, c perceiver.Config) (*perceiver.Model, *exec.Store) {
	t.Helper()
	m, err := perceiver.New(c, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	store := nntest.Open(t)
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := nn.Initialize(m.Params(), 1, store.WriteAt); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params() {
		if w, ok := g.Weights[p.Name]; ok {
			if !p.Shape.Equal(w.Shape) {
				t.Fatalf("%s is %s, transformers has %v", p.Name, p.Shape, w.Shape)
			}
			if err := store.Write(p.State(), w.Floats()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m, store
}

// run runs what graph computes of outputs on the rows of the file.
func (g golden) run(t *testing.T, store *exec.Store, graph *autograd.Graph, grads []*autograd.Node, opt plan.Options, outputs ...*autograd.Node) [][]float32 {
	t.Helper()
	p, _, err := graph.LowerTrain("test", grads, autograd.GradStore, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	s := nntest.Session(t, store, p, opt)
	positions, segments := make([]int32, len(g.IDs)), make([]int32, len(g.IDs))
	for i := range g.IDs {
		positions[i], segments[i] = int32(i%g.Length), g.Mask[i]-1
	}
	for name, values := range map[string][]int32{"ids": g.IDs, "positions": positions, "segments": segments, "asked": g.Asked, "targets": g.Targets} {
		if in, ok := s.Input(name); ok {
			if err := in.SetInts(values); err != nil {
				t.Fatal(err)
			}
		}
	}
	if in, ok := s.Input("share"); ok {
		if err := in.SetFloats([]float32{1 / float32(len(g.Asked))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	var outs [][]float32
	for i := range outputs {
		outs = append(outs, make([]float32, s.Plan.Program.Outputs[i].Shape.Size()))
		if err := s.Output(i, outs[i]); err != nil {
			t.Fatal(err)
		}
	}
	return outs
}

// encode builds what m tells of the rows.
func (g golden) encode(m *perceiver.Model) (*autograd.Graph, nn.Encoded) {
	graph := autograd.NewGraph()
	in := nn.NewEncoderInputs(graph, g.Batch, g.Length)
	in.Asked = graph.Ints("asked", len(g.Asked))
	return graph, m.Encode(graph, in)
}

// near fails t unless every element of got is within tol·(1 + |want|), of those that count.
func near(t *testing.T, what string, got, want []float32, tol float64, counts func(i int) bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); (counts == nil || counts(i)) && !(d <= tol*(1+math.Abs(float64(want[i])))) {
			t.Errorf("%s: element %d is %g, want %g", what, i, got[i], want[i])
			return
		}
	}
}

// TestGolden holds hidden states, logits, loss and gradients against transformers; fused, as
// they stand and recomputed.
func TestGolden(t *testing.T) {
	g := read(t)
	m, store := g.load(t, g.Config)
	if len(m.Params()) != len(g.Weights) {
		t.Errorf("%d parameters, transformers has %d", len(m.Params()), len(g.Weights))
	}
	for _, opt := range []plan.Options{{}, {NoFuse: true}, {Recompute: true}} {
		graph, e := g.encode(m)
		loss, _ := autograd.CrossEntropy(e.Masked, graph.Ints("targets", len(g.Targets)), graph.Floats("share", 1), autograd.LossConfig{})
		outs := g.run(t, store, graph, graph.Grad(loss), opt, e.Hidden, e.Masked, loss)
		near(t, "hidden", outs[0], g.Hidden.Floats(), 1e-5, nil)
		near(t, "logits", outs[1], g.Masked.Floats(), 1e-5, nil)
		near(t, "loss", outs[2], []float32{float32(g.Loss)}, 1e-5, nil)
		for name, want := range g.Grads {
			got := make([]float32, len(want.Floats()))
			if err := store.Read(autograd.GradState(name), got); err != nil {
				t.Fatal(err)
			}
			near(t, "gradient of "+name, got, want.Floats(), 1e-5, nil)
		}
	}
}

// TestPadding: what stands in padding moves nothing.
func TestPadding(t *testing.T) {
	g := read(t)
	m, store := g.load(t, g.Config)
	g.IDs = slices.Clone(g.IDs)
	for i, there := range g.Mask {
		if there == 0 {
			g.IDs[i] = 7
		}
	}
	graph, e := g.encode(m)
	near(t, "hidden", g.run(t, store, graph, nil, plan.Options{}, e.Hidden)[0], g.Hidden.Floats(), 1e-5, nil)
}

// TestHeads: the heads tell what their shapes say of every row, and weights tell which heads
// there are.
func TestHeads(t *testing.T) {
	g := read(t)
	c := g.Config
	c.SetOutputs(nn.Outputs{Pooled: true, Next: true, Labels: []string{"a", "b", "c"}})
	m, store := g.load(t, c)
	graph, e := g.encode(m)
	if e.Masked != nil {
		t.Error("there is a head of masks")
	}
	outs := g.run(t, store, graph, nil, plan.Options{}, e.Pooled, e.Next, e.Classes)
	for i, want := range []int{g.Batch * c.Width, g.Batch * 2, g.Batch * 3} {
		if len(outs[i]) != want {
			t.Errorf("output %d has %d elements, want %d", i, len(outs[i]), want)
		}
	}
	row := c.Width
	if slices.Equal(outs[0][:row], outs[0][row:2*row]) {
		t.Error("two texts have one pooled state")
	}
	again := c
	again.SetOutputs(nn.Outputs{Labels: c.Labels})
	again.Stored(func(param string) bool {
		return slices.ContainsFunc(m.Params(), func(p nn.Param) bool { return p.Name == param })
	})
	if o := again.Outputs(); o.Masked || !o.Pooled || !o.Next || len(o.Labels) != 3 {
		t.Errorf("weights tell of %+v", o)
	}
	for _, p := range m.Params() {
		if _, ofTrunk := g.Weights[p.Name]; again.OfHead(p.Name) == ofTrunk {
			t.Errorf("%s is of a head: %t", p.Name, again.OfHead(p.Name))
		}
	}
}

// TestFaults: each wrong configuration has an error that names the key.
func TestFaults(t *testing.T) {
	good := perceiver.Config{Layers: 1, Heads: 2, Width: 8, Latents: 4, Context: 8, Vocab: 9}
	for want, change := range map[string]func(*perceiver.Config){
		"model.width: 9 does not divide into 2 heads":                   func(c *perceiver.Config) { c.Width = 9 },
		"model.latent_width: 7 does not divide into 2 heads":            func(c *perceiver.Config) { c.LatentWidth = 7 },
		"model.latents: is missing":                                     func(c *perceiver.Config) { c.Latents = 0 },
		"model.widening: -1 is outside":                                 func(c *perceiver.Config) { c.Widening = -1 },
		`model.labels: has one class, "a"`:                              func(c *perceiver.Config) { c.Labels = []string{"a"} },
		"model.pooled: is false, but the heads of next and labels read": func(c *perceiver.Config) { c.Next, c.Pooled = true, nn.Bool(false) },
		"model.vocab: is missing":                                       func(c *perceiver.Config) { c.Vocab = 0 },
	} {
		c := good
		change(&c)
		if _, err := perceiver.New(c, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
