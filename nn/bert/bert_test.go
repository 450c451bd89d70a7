package bert_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/nntest"
)

// golden is a file of scripts/golden/bert.py, which documents the fields.
type golden struct {
	Config             json.RawMessage
	Batch, Length      int
	IDs, Kinds, Mask   []int32
	Asked, Targets     []int32
	Next, Labels       []int32
	Loss               float64
	Told, Saved, Grads map[string]nntest.Tensor
}

func read(t *testing.T, name string) (g golden) {
	t.Helper()
	nntest.Read(t, filepath.Join("testdata", name+".json.gz"), &g)
	return g
}

var names = []string{"pretraining", "masked", "masked_untied", "trunk", "trunk_without_pooler", "classes"}

func families() nn.Families { return nn.Families{bert.Family()} }

// directory is a model as transformers saves it.
func (g golden) directory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var tensors []safetensors.Tensor
	for name, saved := range g.Saved {
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: saved.Shape, Data: saved.Data})
	}
	f, err := os.Create(filepath.Join(dir, hub.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := safetensors.Write(f, tensors, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, hub.ConfigFile), g.Config, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// load is the model in dir with its weights.
func load(t *testing.T, dir string) (nn.TextEncoder, *exec.Store) {
	t.Helper()
	d, err := hub.Describe(dir, families())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Notes) > 0 {
		t.Errorf("notes %q", d.Notes)
	}
	m, err := families().New(d.Spec, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	store := nntest.Open(t)
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := hub.LoadParams(store, dir, m.Params()); err != nil {
		t.Fatal(err)
	}
	e, err := nn.AsTextEncoder(m)
	if err != nil {
		t.Fatal(err)
	}
	return e, store
}

// near fails t unless every element of got is within tol·(1 + |want|), of rows that count.
func near(t *testing.T, what string, got, want []float32, tol float64, counts func(i int) bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if counts != nil && !counts(i) {
			continue
		}
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol*(1+math.Abs(float64(want[i])))) {
			t.Errorf("%s: element %d is %g, want %g", what, i, got[i], want[i])
			return
		}
	}
}

// run runs p on the golden inputs and returns its outputs.
func (g golden) run(t *testing.T, store *exec.Store, p *ir.Program, opt plan.Options) [][]float32 {
	t.Helper()
	opt.Target = store.Backend().Target()
	built, err := plan.Build(p, opt)
	if err != nil {
		t.Fatal(err)
	}
	arena, err := exec.NewArena(store.Backend(), built.Arena)
	if err != nil {
		t.Fatal(err)
	}
	s, err := exec.NewSession(built, store, arena)
	if err != nil {
		t.Fatal(err)
	}
	positions, segments := make([]int32, len(g.IDs)), make([]int32, len(g.IDs))
	for i := range g.IDs {
		positions[i], segments[i] = int32(i%g.Length), g.Mask[i]-1
	}
	for name, values := range map[string][]int32{"ids": g.IDs, "positions": positions, "segments": segments, "kinds": g.Kinds, "asked": g.Asked,
		"targets": g.Targets, "next": g.Next, "labels": g.Labels} {
		if in, ok := s.Input(name); ok {
			if err := in.SetInts(values); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, count := range map[string]int{"per_asked": len(g.Asked), "per_row": g.Batch} {
		if in, ok := s.Input(name); ok {
			if err := in.SetFloats([]float32{1 / float32(count)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	var outs [][]float32
	for i, v := range p.Outputs {
		outs = append(outs, make([]float32, v.Shape.Size()))
		if err := s.Output(i, outs[i]); err != nil {
			t.Fatal(err)
		}
	}
	return outs
}

// told are the outputs of m, with the golden names.
func told(g *autograd.Graph, m nn.TextEncoder, batch, length, asked int) map[string]*autograd.Node {
	in := nn.NewEncoderInputs(g, batch, length)
	if m.Outputs().Masked {
		in.Asked = g.Ints("asked", asked)
	}
	e := m.Encode(g, in)
	all := map[string]*autograd.Node{"hidden": e.Hidden, "masked": e.Masked, "pooled": e.Pooled, "next_logits": e.Next, "classes": e.Classes}
	for name, n := range all {
		if n == nil {
			delete(all, name)
		}
	}
	return all
}

// TestGolden holds what models tell of two texts a row, loss and gradients against
// transformers, from the files that it saves; fused, as they stand and recomputed.
func TestGolden(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			g := read(t, name)
			m, store := load(t, g.directory(t))
			for _, opt := range []plan.Options{{}, {NoFuse: true}, {Recompute: true}} {
				g.check(t, m, store, opt)
			}
		})
	}
}

func (g golden) check(t *testing.T, m nn.TextEncoder, store *exec.Store, opt plan.Options) {
	t.Helper()
	graph := autograd.NewGraph()
	outs := told(graph, m, g.Batch, g.Length, len(g.Asked))
	for name, want := range g.Told {
		n := outs[name]
		if n == nil {
			t.Fatalf("the model does not tell %s", name)
		}
		p, err := graph.Lower(name, n)
		if err != nil {
			t.Fatal(err)
		}
		counts := func(i int) bool { return name != "hidden" || g.Mask[i/m.Params()[0].Shape[1]] > 0 }
		near(t, name, g.run(t, store, p, opt)[0], want.Floats(), 1e-4, counts)
	}
	if len(g.Grads) == 0 {
		return
	}
	graph = autograd.NewGraph()
	loss := g.loss(graph, m)
	p, _, err := graph.LowerTrain("train", graph.Grad(loss), autograd.GradStore, loss)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss", g.run(t, store, p, opt)[0], []float32{float32(g.Loss)}, 1e-5, nil)
	if len(g.Grads) != len(m.Params()) {
		t.Errorf("%d gradients, %d parameters", len(g.Grads), len(m.Params()))
	}
	for name, want := range g.Grads {
		got := make([]float32, len(want.Data)/4)
		if err := store.Read(autograd.GradState(name), got); err != nil {
			t.Fatal(err)
		}
		near(t, "gradient of "+name, got, want.Floats(), 1e-5, nil)
	}
}

// loss is the sum of the means of the golden losses.
func (g golden) loss(graph *autograd.Graph, m nn.TextEncoder) (sum *autograd.Node) {
	outs := told(graph, m, g.Batch, g.Length, len(g.Asked))
	add := func(logits string, targets string, n int, weight string) {
		if outs[logits] == nil {
			return
		}
		loss, _ := autograd.CrossEntropy(outs[logits], graph.Ints(targets, n), graph.Floats(weight, 1), autograd.LossConfig{})
		if sum != nil {
			loss = autograd.Add(sum, loss)
		}
		sum = loss
	}
	add("masked", "targets", len(g.Targets), "per_asked")
	if m.Outputs().Next {
		add("next_logits", "next", g.Batch, "per_row")
	}
	add("classes", "labels", g.Batch, "per_row")
	return sum
}

// TestSaved: what is saved is read back to the same configuration, parameters and values.
func TestSaved(t *testing.T) {
	for _, name := range names {
		g := read(t, name)
		m, store := load(t, g.directory(t))
		dir := filepath.Join(t.TempDir(), name)
		if err := hub.Save(vfs.OS{}, dir, m, store, nil); err != nil {
			t.Fatal(err)
		}
		again, store2 := load(t, dir)
		a, _ := json.Marshal(m.Config())
		b, _ := json.Marshal(again.Config())
		if string(a) != string(b) {
			t.Errorf("%s: %s, read back %s", name, a, b)
		}
		for _, p := range m.Params() {
			x, y := make([]float32, p.Shape.Size()), make([]float32, p.Shape.Size())
			if err := store.Read(p.State(), x); err != nil {
				t.Fatal(err)
			}
			if err := store2.Read(p.State(), y); err != nil {
				t.Fatal(err)
			}
			near(t, name+" "+p.Name, y, x, 0, nil)
		}
	}
}

// TestStored reads weights as BERTs are published with: norms called gamma and beta, the
// tied decoder beside its table, numbers of positions, and other heads than the
// configuration says.
func TestStored(t *testing.T) {
	g := read(t, "pretraining")
	g.Config = []byte(strings.Replace(string(g.Config), "BertForPreTraining", "BertForMaskedLM", 1))
	saved := map[string]nntest.Tensor{
		"cls.predictions.decoder.weight": g.Saved["bert.embeddings.word_embeddings.weight"],
		"cls.predictions.decoder.bias":   g.Saved["cls.predictions.bias"],
	}
	for name, value := range g.Saved {
		if strings.Contains(name, "LayerNorm") {
			name = strings.NewReplacer(".weight", ".gamma", ".bias", ".beta").Replace(name)
		}
		saved[name] = value
	}
	g.Saved = saved
	m, store := load(t, g.directory(t))
	if o := m.Outputs(); !o.Masked || !o.Pooled || !o.Next || o.Labels != nil {
		t.Errorf("the model tells %+v", o)
	}
	g.check(t, m, store, plan.Options{})
}

// TestBase: a base goes on with other heads. Those that it has not keep their first
// values, those that the model has not are left out.
func TestBase(t *testing.T) {
	g := read(t, "pretraining")
	dir := g.directory(t)
	m, store := load(t, dir)
	c := m.Config().(*bert.Config)
	c.SetOutputs(nn.Outputs{Pooled: true, Labels: []string{"no", "yes"}})
	other, err := bert.New(*c, nn.Tuning{Role: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range other.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := nn.Initialize(other.Params(), 7, store.WriteAt); err != nil {
		t.Fatal(err)
	}
	first := make([]float32, 2*24)
	if err := store.Read("other.classifier.weight", first); err != nil {
		t.Fatal(err)
	}
	if err := hub.LoadBase(store, dir, other); err != nil {
		t.Fatal(err)
	}
	for _, p := range other.Params() {
		got := make([]float32, p.Shape.Size())
		if err := store.Read(p.State(), got); err != nil {
			t.Fatal(err)
		}
		want := g.Saved[p.Name].Floats()
		switch p.Name {
		case "classifier.weight":
			want = first
		case "classifier.bias":
			want = make([]float32, 2)
		}
		near(t, p.Name, got, want, 0, nil)
	}
}

// TestFaults: each wrong configuration has an error that names the key.
func TestFaults(t *testing.T) {
	good := bert.Config{Layers: 1, Heads: 2, Width: 8, Context: 8, Vocab: 9}
	for want, change := range map[string]func(*bert.Config){
		"model.width: 9 does not divide into 2 heads":                   func(c *bert.Config) { c.Width = 9 },
		`model.labels: has one class, "a"`:                              func(c *bert.Config) { c.Labels = []string{"a"} },
		`model.labels: "a" stands there twice`:                          func(c *bert.Config) { c.Labels = []string{"a", "b", "a"} },
		"model.pooled: is false, but the heads of next and labels read": func(c *bert.Config) { c.Next, c.Pooled = true, nn.Bool(false) },
		"model.vocab: is missing":                                       func(c *bert.Config) { c.Vocab = 0 },
	} {
		c := good
		change(&c)
		if _, err := bert.New(c, nn.Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, tt := range []struct{ key, value, want string }{
		{"architectures", `["BertForTokenClassification"]`, `"BertForTokenClassification" is not supported`},
		{"is_decoder", "true", "is_decoder: true is not supported"},
		{"position_embedding_type", `"relative_key"`, "positions are a table"},
		{"problem_type", `"regression"`, "a text has one class"},
		{"id2label", `{"1": "a", "2": "b"}`, `id2label: "2" is not one of the numbers 0 to 1`},
	} {
		text := `{"model_type": "bert", "architectures": ["BertForSequenceClassification"]}`
		if tt.key == "architectures" {
			text = `{"model_type": "bert"}`
		}
		text = strings.TrimSuffix(text, "}") + `, "` + tt.key + `": ` + tt.value + "}"
		if _, err := families().Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", text, err, tt.want)
		}
	}
}
