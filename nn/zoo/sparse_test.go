package zoo

import (
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/nntest"
)

// sparseSpecs are a model of one block of each family with attention options.
func sparseSpecs(o *nn.AttentionOptions) map[string]nn.Spec {
	return map[string]nn.Spec{
		"gpt2":  {Family: gpt2.Name, Config: &gpt2.Config{Layers: 1, Heads: 2, Width: 16, Context: 320, Vocab: 31, Attention: o}},
		"llama": {Family: llama.Name, Config: &llama.Config{Layers: 1, Heads: 2, KVHeads: 1, Width: 16, Context: 320, Vocab: 31, Attention: o}},
	}
}

// twoLayers gives a model of sparseSpecs another block.
func twoLayers(spec nn.Spec) {
	switch c := spec.Config.(type) {
	case *gpt2.Config:
		c.Layers = 2
	case *llama.Config:
		c.Layers = 2
	}
}

var sparseOptions = []nn.AttentionOptions{
	{Kind: "strided", Stride: 2},
	{Kind: "fixed", Stride: 2},
	{Kind: "local_global"},
}

// TestSparseAttentionSees holds for every block of tokens which others move its logits:
// those that the pattern names, and never a later one.
func TestSparseAttentionSees(t *testing.T) {
	const length, block = 320, 64
	for _, o := range sparseOptions {
		for name, spec := range sparseSpecs(&o) {
			m := newModel(t, spec, nn.Tuning{})
			store := nntest.Open(t)
			randomWeights(t, store, m)
			ids, pos := randomIDs(length, m.Vocab()), positions(1, length)
			before := fullLogits(t, store, m, 1, ids, pos, nil)
			pattern := o.WithDefaults().Sparsity(0)
			for changed := range length / block {
				at := changed*block + 30
				other := slices.Clone(ids)
				other[at] = (other[at] + 1) % int32(m.Vocab())
				after := fullLogits(t, store, m, 1, other, pos, nil)
				for row := range length {
					v := m.Vocab()
					moved := !slices.Equal(before[row*v:][:v], after[row*v:][:v])
					if want := row >= at && pattern.Sees(row/block, changed); moved != want {
						t.Fatalf("%s, %s: token %d moves the logits of %d: %t", name, o.Kind, at, row, moved)
					}
				}
			}
		}
	}
}

// TestFullPatternIsDense: a pattern in which all blocks see each other gives the bits of
// all pairs.
func TestFullPatternIsDense(t *testing.T) {
	dense, full := sparseSpecs(nil), sparseSpecs(&nn.AttentionOptions{Kind: "fixed", Stride: 2, Global: 2})
	for name := range dense {
		var logits [][]float32
		for _, spec := range []nn.Spec{dense[name], full[name]} {
			m := newModel(t, spec, nn.Tuning{})
			store := nntest.Open(t)
			randomWeights(t, store, m)
			logits = append(logits, fullLogits(t, store, m, 2, randomIDs(600, m.Vocab()), positions(2, 300), nil))
		}
		if !slices.Equal(logits[0], logits[1]) {
			t.Errorf("%s: a full pattern gives other logits than all pairs", name)
		}
	}
}

// TestLatentSees: behind the first layer, which sees all before, tokens see those of their own
// group: a later token changes nothing before it, an earlier one all behind it.
func TestLatentSees(t *testing.T) {
	const length = 160
	for name, spec := range sparseSpecs(&nn.AttentionOptions{Kind: nn.Latent, Latents: 64}) {
		twoLayers(spec)
		m := newModel(t, spec, nn.Tuning{})
		for layer, want := range []ir.Sparsity{{}, {Pattern: ir.LocalGlobal, Block: 64, Local: 1}} {
			if got := attentionsOf(t, m)[layer]; got != want {
				t.Errorf("%s: layer %d attends by %+v, want %+v", name, layer, got, want)
			}
		}
		store := nntest.Open(t)
		randomWeights(t, store, m)
		ids, v := randomIDs(length, m.Vocab()), m.Vocab()
		before := fullLogits(t, store, m, 1, ids, positions(1, length), nil)
		for _, at := range []int{0, 63, 64, 127, 150} {
			other := slices.Clone(ids)
			other[at] = (other[at] + 1) % int32(v)
			after := fullLogits(t, store, m, 1, other, positions(1, length), nil)
			for row := range length {
				if moved := !slices.Equal(before[row*v:][:v], after[row*v:][:v]); moved != (row >= at) {
					t.Fatalf("%s: token %d moves the logits of %d: %t", name, at, row, moved)
				}
			}
		}
	}
}

// attentionsOf are the patterns of a model's layers.
func attentionsOf(t *testing.T, m nn.LanguageModel) (all []ir.Sparsity) {
	t.Helper()
	g, logits := nn.Logits(m, nn.Rows{Batch: 1, Length: 64})
	p, err := g.Lower("logits", logits)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range p.Instrs {
		if in.Kind == ir.Attention {
			all = append(all, in.Attrs.(ir.AttentionAttrs).Sparse)
		}
	}
	return all
}

// TestSparseDecode: prompts in pieces and single tokens give the logits of the whole
// sequence.
func TestSparseDecode(t *testing.T) {
	const length = 200
	for _, o := range append(sparseOptions, nn.AttentionOptions{Kind: nn.Latent, Latents: 64}) {
		for name, spec := range sparseSpecs(&o) {
			twoLayers(spec)
			m := newModel(t, spec, nn.Tuning{})
			store := nntest.Open(t)
			randomWeights(t, store, m)
			ids, v := randomIDs(length, m.Vocab()), m.Vocab()
			want := fullLogits(t, store, m, 1, ids, positions(1, length), nil)
			start := 0
			for _, n := range []int{64, 50, 1, 70, 1, 1} {
				g, logits := nn.Decode(m, 1, n, length)
				p, err := g.Lower("decode", logits)
				if err != nil {
					t.Fatal(err)
				}
				s := nntest.Session(t, store, p, plan.Options{})
				setInts(t, s, "position", []int32{int32(start)})
				setInts(t, s, "ids", ids[start:start+n])
				setInts(t, s, "positions", positions(1, length)[start:start+n])
				run(t, s)
				start += n
				near(t, name+" "+o.Kind, output(t, s, 0), want[(start-1)*v:start*v], 1e-5)
			}
		}
	}
}
