package xl

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// golden is a file of scripts/golden/xl.py.
type golden struct {
	Config           Config
	Batch, Length    int
	IDs, Targets     []int32
	Logits, Memories nntest.Tensor
	Loss             float64
	Weights, Grads   map[string]nntest.Tensor
}

// bound is a program that is ready to run.
type bound struct {
	t *testing.T
	*exec.Session
}

// bind is nntest.Bind.
func bind(t *testing.T, store *exec.Store, g *autograd.Graph, grads []*autograd.Node, outputs ...*autograd.Node) bound {
	t.Helper()
	return bound{t, nntest.Bind(t, store, g, grads, outputs...)}
}

func (b bound) run(ints map[string][]int32) []float32 {
	b.t.Helper()
	for name, x := range ints {
		if _, ok := b.Input(name); !ok {
			continue
		}
		if err := b.SetInts(name, x); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := b.Run(); err != nil {
		b.t.Fatal(err)
	}
	out := make([]float32, b.Plan.Program.Outputs[0].Shape.Size())
	if err := b.Output(0, out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// positions count from begin in every row.
func positions(batch, length, begin int) []int32 {
	p := make([]int32, batch*length)
	for i := range p {
		p[i] = int32(begin + i%length)
	}
	return p
}

// TestGolden compares four segments in a row with transformers' TransfoXLLMHeadModel: the
// logits of all, what is remembered, and the loss and gradients of the last. There a
// memory of zeros counts from the first segment on, so that queries reach back into it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			var want golden
			nntest.Read(t, file, &want)
			m, err := New(want.Config, nn.Tuning{})
			if err != nil {
				t.Fatal(err)
			}
			testGolden(t, m, want)
		})
	}
}

func testGolden(t *testing.T, m *Model, want golden) {
	store := nntest.Open(t)
	rows := nn.Rows{Batch: want.Batch, Length: want.Length, Carried: true}
	g, logits := nn.Logits(m, rows)
	forward := bind(t, store, g, nil, logits)
	g = autograd.NewGraph()
	loss, _ := nn.Training(g, m, rows, autograd.LossConfig{})
	backward := bind(t, store, g, g.Grad(loss), loss.Named("loss"))
	for _, p := range m.Params() {
		w, ok := want.Weights[p.Name]
		if !ok {
			t.Fatalf("transformers has no %q", p.Name)
		}
		if err := store.Write(p.State(), w.Floats()); err != nil {
			t.Fatal(err)
		}
		delete(want.Weights, p.Name)
	}
	for name := range want.Weights {
		t.Errorf("%q of transformers has no parameter", name)
	}

	n := want.Batch * want.Length
	segments := len(want.IDs) / n
	wanted := want.Logits.Floats()
	var before []float32 // the memories of the first layer behind segment 3
	for s := range segments {
		ints := map[string][]int32{"ids": want.IDs[s*n : (s+1)*n], "targets": want.Targets[s*n : (s+1)*n], "positions": positions(want.Batch, want.Length, want.Config.Memory)}
		if s == segments-1 {
			if err := backward.SetFloats("loss_weight", []float32{1 / float32(n)}); err != nil {
				t.Fatal(err)
			}
			saved := memories(t, store, m)
			nntest.Near(t, "loss", backward.run(ints), []float32{float32(want.Loss)}, 1e-5, 1e-3)
			for i, x := range saved {
				if err := store.Write(memoryName(i), x); err != nil {
					t.Fatal(err)
				}
			}
		}
		nntest.Near(t, "logits", forward.run(ints), wanted[s*n*m.Vocab():(s+1)*n*m.Vocab()], 1e-4, 1e-3)
		before = memories(t, store, m)[0]
	}
	if len(before) == 0 {
		t.Fatal("nothing is remembered")
	}
	var all []float32
	for _, x := range memories(t, store, m) {
		all = append(all, x...)
	}
	nntest.Near(t, "memories", all, want.Memories.Floats(), 1e-4, 1e-3)
	for _, p := range m.Params() {
		got := make([]float32, p.Shape.Size())
		if err := store.Read(autograd.GradState(p.State()), got); err != nil {
			t.Fatal(err)
		}
		nntest.Near(t, "gradient of "+p.Name, got, want.Grads[p.Name].Floats(), 1e-4, 1e-3)
	}
}

func memoryName(layer int) string {
	return "memory/transformer.layers." + string(rune('0'+layer)) + ".memory"
}

// memories are those of the layers.
func memories(t *testing.T, store *exec.Store, m *Model) (all [][]float32) {
	t.Helper()
	for i := range m.Config().(*Config).Layers {
		x := make([]float32, store.Get(memoryName(i)).Shape.Size())
		if err := store.Read(memoryName(i), x); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

func randomize(t *testing.T, store *exec.Store, m *Model) {
	t.Helper()
	if err := nn.Initialize(m.Params(), 3, func(state string, offset int, values []float32) error {
		for i := range values {
			values[i] *= 6
		}
		return store.WriteAt(state, offset, values)
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSegmentsAreAWindow: one layer that reads segments of 16 tokens with a memory of 48
// tells of the last of four what one that reads a window of 64 does, and tokens that are
// decoded one by one over a cache tell the same; of several layers the memory of the lower
// ones is theirs of the window too, where no token sees more there.
func TestSegmentsAreAWindow(t *testing.T) {
	for _, layers := range []int{1, 3} {
		m, err := New(Config{Layers: layers, Heads: 2, Width: 24, Context: 16, Memory: 48, Vocab: 29}, nn.Tuning{})
		if err != nil {
			t.Fatal(err)
		}
		store := nntest.Open(t)
		g, logits := nn.Logits(m, nn.Rows{Batch: 2, Length: 64})
		whole := bind(t, store, g, nil, logits)
		g, logits = nn.Logits(m, nn.Rows{Batch: 2, Length: 16, Carried: true})
		segment := bind(t, store, g, nil, logits)
		g, logits = nn.Decode(m, 2, 1, m.Context())
		token := bind(t, store, g, nil, logits)
		randomize(t, store, m)

		rng := rand.New(rand.NewPCG(1, 2))
		ids := make([]int32, 128)
		for i := range ids {
			ids[i] = rng.Int32N(29)
		}
		want := whole.run(map[string][]int32{"ids": ids, "positions": positions(2, 64, 0)})
		v := 29
		for s := range 4 {
			part := append(append([]int32{}, ids[16*s:16*s+16]...), ids[64+16*s:64+16*s+16]...)
			got := segment.run(map[string][]int32{"ids": part, "positions": positions(2, 16, 16*s)})
			nntest.Near(t, "first row", got[:16*v], want[16*s*v:16*(s+1)*v], 1e-5, 1e-3)
			nntest.Near(t, "second row", got[16*v:], want[(64+16*s)*v:(64+16*s+16)*v], 1e-5, 1e-3)
		}
		for i := range 64 {
			got := token.run(map[string][]int32{"ids": {ids[i], ids[64+i]}, "positions": {int32(i), int32(i)}, "position": {int32(i), int32(i)}})
			nntest.Near(t, "token", got, append(append([]float32{}, want[i*v:(i+1)*v]...), want[(64+i)*v:(65+i)*v]...), 1e-5, 1e-3)
		}
	}
}

// TestDocumentsDoNotMix: what a token may not reach back to changes nothing, in the memory
// as in the segment.
func TestDocumentsDoNotMix(t *testing.T) {
	m, err := New(Config{Layers: 2, Heads: 2, Width: 16, Context: 8, Memory: 8, Vocab: 11}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	store := nntest.Open(t)
	g, logits := nn.Logits(m, nn.Rows{Batch: 1, Length: 8, Carried: true})
	segment := bind(t, store, g, nil, logits)
	randomize(t, store, m)
	second := func(first []int32, reach []int32) []float32 {
		for i := range 2 {
			if err := store.Write(memoryName(i), make([]float32, 8*16)); err != nil {
				t.Fatal(err)
			}
		}
		segment.run(map[string][]int32{"ids": first, "positions": positions(1, 8, 0)})
		return segment.run(map[string][]int32{"ids": {1, 2, 3, 4, 5, 6, 7, 8}, "positions": reach})
	}
	one, other := []int32{1, 1, 1, 1, 1, 1, 1, 1}, []int32{9, 8, 7, 6, 5, 4, 3, 2}
	alone := positions(1, 8, 0)
	a, b := second(one, alone), second(other, alone)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("a document that is forgotten changes logit %d from %g to %g", i, a[i], b[i])
		}
	}
	a, b = second(one, positions(1, 8, 8)), second(other, positions(1, 8, 8))
	if same := a[0] == b[0]; same {
		t.Error("what is remembered changes nothing")
	}
}

// TestConfig: what does not fit is refused with its key.
func TestConfig(t *testing.T) {
	good := Config{Layers: 2, Heads: 2, Width: 16, Context: 8, Memory: 8}
	for want, change := range map[string]func(c *Config){
		"model.memory: -1 is outside": func(c *Config) { c.Memory = -1 },
		"model.width: 15":             func(c *Config) { c.Width, c.Heads = 15, 3 },
		"model.same_length: every":    func(c *Config) { c.SameLength, c.Memory = true, 0 },
		"model.width: 18 does not":    func(c *Config) { c.Width, c.Heads = 18, 4 },
		"model.activation":            func(c *Config) { c.Activation = "tanh" },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
