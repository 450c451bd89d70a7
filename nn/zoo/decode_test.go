package zoo

import (
	"math/rand/v2"
	"slices"
	"testing"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// randomWeights puts normal values into the parameters, large enough that every
// token moves the logits.
func randomWeights(t *testing.T, store *exec.Store, m nn.LanguageModel) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	write(t, store, m, func(p nn.Param) []float32 {
		w := make([]float32, p.Shape.Size())
		for i := range w {
			w[i] = float32(p.Init.Value + 0.25*rng.NormFloat64())
		}
		return w
	})
}

func randomIDs(n, vocab int) []int32 {
	rng := rand.New(rand.NewPCG(3, 4))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.IntN(vocab))
	}
	return ids
}

// fullLogits returns the logits (N, V) of whole sequences; segments may be nil.
func fullLogits(t *testing.T, store *exec.Store, m nn.LanguageModel, batch int, ids, pos, segments []int32) []float32 {
	t.Helper()
	g, logits := nn.Logits(m, nn.Rows{Batch: batch, Length: len(ids) / batch, Segments: segments != nil})
	p, err := g.Lower("logits", logits)
	if err != nil {
		t.Fatal(err)
	}
	s := nntest.Session(t, store, p, plan.Options{})
	setInts(t, s, "ids", ids)
	setInts(t, s, "positions", pos)
	setInts(t, s, "segments", segments)
	run(t, s)
	return output(t, s, 0)
}

// TestDecodeEqualsForward feeds two sequences to the caches in pieces of
// several lengths and compares the logits after each piece with those of the
// whole forward pass.
func TestDecodeEqualsForward(t *testing.T) {
	const batch, length = 2, 12
	pieces := []int{5, 1, 3, 1, 1, 1}
	for name, c := range specs() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, c, nn.Tuning{})
			store := nntest.Open(t)
			randomWeights(t, store, m)
			ids := randomIDs(batch*length, m.Vocab())
			want := fullLogits(t, store, m, batch, ids, positions(batch, length), nil)

			start := 0
			for _, n := range pieces {
				g, logits := nn.Decode(m, batch, n, length)
				p, err := g.Lower("decode", logits)
				if err != nil {
					t.Fatal(err)
				}
				s := nntest.Session(t, store, p, plan.Options{})
				setInts(t, s, "position", []int32{int32(start), int32(start)})
				setInts(t, s, "ids", slices.Concat(ids[start:start+n], ids[length+start:length+start+n]))
				pos := positions(1, length)[start : start+n]
				setInts(t, s, "positions", slices.Concat(pos, pos))
				run(t, s)
				start += n
				got := output(t, s, 0)
				for b := range batch {
					row := b*length + start - 1
					near(t, "logits", got[b*m.Vocab():(b+1)*m.Vocab()], want[row*m.Vocab():(row+1)*m.Vocab()], 1e-5)
				}
			}
		})
	}
}

// TestPackingEqualsSeparate packs two texts and padding into one row: each text
// gets the logits that it gets alone.
func TestPackingEqualsSeparate(t *testing.T) {
	const first, second, padding = 5, 4, 3
	for name, c := range specs() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, c, nn.Tuning{})
			store := nntest.Open(t)
			randomWeights(t, store, m)
			ids := randomIDs(first+second+padding, m.Vocab())
			pos := slices.Concat(positions(1, first), positions(1, second), make([]int32, padding))
			segments := []int32{0, 0, 0, 0, 0, 1, 1, 1, 1, -1, -1, -1}
			got := fullLogits(t, store, m, 1, ids, pos, segments)
			a := fullLogits(t, store, m, 1, ids[:first], positions(1, first), nil)
			b := fullLogits(t, store, m, 1, ids[first:first+second], positions(1, second), nil)
			near(t, "logits", got[:(first+second)*m.Vocab()], slices.Concat(a, b), 1e-5)
		})
	}
}
