package bert_test

import (
	"fmt"
	"slices"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/nn/nntest"
)

var shares = []string{"none", "heads", "key_value", "layers"}

// mixed is a small BERT of which attention is given, nil for all pairs.
func mixed(t *testing.T, o *nn.AttentionOptions) *bert.Model {
	t.Helper()
	m, err := bert.New(bert.Config{Layers: 2, Heads: 2, Width: 16, FFN: 24, Context: 12, Vocab: 29, Attention: o, InitStd: 0.2}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// stored is memory with the first values of m; set may replace those of a parameter.
func stored(t *testing.T, m *bert.Model, set func(p nn.Param, values []float32)) *exec.Store {
	t.Helper()
	store := nntest.Open(t)
	for _, p := range m.Params() {
		if _, err := store.Ensure(p.State(), ir.F32, p.Shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := nn.Initialize(m.Params(), 7, store.WriteAt); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params() {
		values := make([]float32, p.Shape.Size())
		if err := store.Read(p.State(), values); err != nil {
			t.Fatal(err)
		}
		set(p, values)
		if err := store.WriteAt(p.State(), 0, values); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// texts are rows of length tokens, of which so many in each are there.
func texts(length int, there ...int) golden {
	g := golden{Batch: len(there), Length: length, Asked: []int32{1, int32(length) + 2}, Targets: []int32{3, 5}}
	for row, n := range there {
		for i := range length {
			id, mask := int32(0), int32(0)
			if i < n {
				id, mask = int32((7*i+5*row)%29), 1
			}
			g.IDs, g.Kinds, g.Mask = append(g.IDs, id), append(g.Kinds, 0), append(g.Mask, mask)
		}
	}
	return g
}

// hidden are the states of all tokens.
func (g golden) hidden(t *testing.T, m nn.TextEncoder, store *exec.Store) []float32 {
	t.Helper()
	graph := autograd.NewGraph()
	p, err := graph.Lower("hidden", told(graph, m, g.Batch, g.Length, len(g.Asked))["hidden"])
	if err != nil {
		t.Fatal(err)
	}
	return g.run(t, store, p, plan.Options{})[0]
}

// TestLinformerIdentity: mixtures that are the identity, as many as there are tokens, give
// what all pairs do.
func TestLinformerIdentity(t *testing.T) {
	for _, share := range shares {
		dense := mixed(t, nil)
		want := texts(12, 12, 12).hidden(t, dense, stored(t, dense, func(nn.Param, []float32) {}))
		m := mixed(t, &nn.AttentionOptions{Kind: "linformer", Rank: 12, Share: share})
		count := 0
		store := stored(t, m, func(p nn.Param, values []float32) {
			if p.Shape[1:].Equal(ir.Shape{12}) && p.Shape[0]%12 == 0 {
				count++
				for i := range values {
					values[i] = 0
					if i/12%12 == i%12 {
						values[i] = 1
					}
				}
			}
		})
		if want := map[string]int{"none": 4, "heads": 4, "key_value": 2, "layers": 1}[share]; count != want {
			t.Errorf("%s: %d matrices of mixtures, want %d", share, count, want)
		}
		near(t, share, texts(12, 12, 12).hidden(t, m, store), want, 1e-5, nil)
	}
}

// TestLinformerPadding: neither what stands in padding nor how much of it there is moves a
// token.
func TestLinformerPadding(t *testing.T) {
	for _, share := range shares {
		m := mixed(t, &nn.AttentionOptions{Kind: "linformer", Rank: 4, Share: share})
		store := stored(t, m, func(nn.Param, []float32) {})
		long, other, short := texts(12, 5, 7), texts(12, 5, 7), texts(7, 5, 7)
		for i, there := range other.Mask {
			if there == 0 {
				other.IDs[i] = 9
			}
		}
		want, got := long.hidden(t, m, store), other.hidden(t, m, store)
		near(t, share+" with other padding", got, want, 0, func(i int) bool { return long.Mask[i/16] > 0 })
		var cut []float32
		for row := range 2 {
			cut = append(cut, want[row*12*16:][:7*16]...)
		}
		near(t, share+" with less padding", short.hidden(t, m, store), cut, 1e-6, func(i int) bool { return short.Mask[i/16] > 0 })
	}
}

// TestLinformerGradients compares derivatives by some elements of every parameter with
// differences of losses.
func TestLinformerGradients(t *testing.T) {
	for _, share := range shares {
		m := mixed(t, &nn.AttentionOptions{Kind: "linformer", Rank: 4, Share: share})
		store := stored(t, m, func(nn.Param, []float32) {})
		g := texts(12, 12, 9)
		graph := autograd.NewGraph()
		loss := g.loss(graph, m)
		p, _, err := graph.LowerTrain("train", graph.Grad(loss), autograd.GradStore, loss)
		if err != nil {
			t.Fatal(err)
		}
		value := func() float64 { return float64(g.run(t, store, p, plan.Options{})[0][0]) }
		for _, p := range m.Params() {
			value()
			grad, x := make([]float32, p.Shape.Size()), make([]float32, p.Shape.Size())
			if err := store.Read(autograd.GradState(p.Name), grad); err != nil {
				t.Fatal(err)
			}
			if err := store.Read(p.State(), x); err != nil {
				t.Fatal(err)
			}
			i := slices.Index(grad, slices.Max(grad))
			const step = 1e-2
			var at [2]float64
			for side, d := range []float32{step, -step} {
				moved := slices.Clone(x)
				moved[i] += d
				if err := store.WriteAt(p.State(), 0, moved); err != nil {
					t.Fatal(err)
				}
				at[side] = value()
			}
			if err := store.WriteAt(p.State(), 0, x); err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprintf("%s: %s[%d], %g in parts of the difference", share, p.Name, i, grad[i]), []float32{grad[i] / float32((at[0]-at[1])/(2*step))}, []float32{1}, 2e-2, nil)
		}
	}
}

// TestSparseEncoder: with a pattern of blocks a token moves those that see it on either
// side, and no other.
func TestSparseEncoder(t *testing.T) {
	m, err := bert.New(bert.Config{Layers: 1, Heads: 2, Width: 16, Context: 256, Vocab: 29, InitStd: 0.2,
		Attention: &nn.AttentionOptions{Kind: "local_global", Local: 2}}, nn.Tuning{})
	if err != nil {
		t.Fatal(err)
	}
	store := stored(t, m, func(nn.Param, []float32) {})
	g := texts(256, 256)
	before := g.hidden(t, m, store)
	g.IDs[200] = (g.IDs[200] + 1) % 29 // of block 3, which blocks 0 and 2 see
	after := g.hidden(t, m, store)
	for at := range 256 {
		moved := !slices.Equal(before[16*at:][:16], after[16*at:][:16])
		if want := at/64 != 1; moved != want {
			t.Fatalf("token 200 moves token %d: %t", at, moved)
		}
	}
}
