package zoo

import (
	"slices"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/nntest"
)

// TestDropoutTrainsOnly checks that dropout changes the training loss from step
// to step, repeats for equal steps, and is absent from evaluation.
func TestDropoutTrainsOnly(t *testing.T) {
	for _, name := range []string{"gpt2", "llama dropout", "lstm", "gru"} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, specs()[name], nn.Tuning{})
			store := nntest.Open(t)
			randomWeights(t, store, m)
			shape := nn.Rows{Batch: 2, Length: 12}
			ids, vocab := randomIDs(24, m.Vocab()), m.Vocab()
			losses := func(g *autograd.Graph, nll *autograd.Node, steps ...int32) [][]float32 {
				p, err := g.Lower("losses", nll)
				if err != nil {
					t.Fatal(err)
				}
				s := nntest.Session(t, store, p, plan.Options{})
				setInts(t, s, "ids", ids)
				setInts(t, s, "positions", positions(2, 12))
				setInts(t, s, "targets", randomIDs(24, vocab))
				if err := s.SetFloats("loss_weight", []float32{1. / 24}); err != nil {
					t.Fatal(err)
				}
				var all [][]float32
				for _, step := range steps {
					setInts(t, s, "rng", []int32{7, 0, 24 * step, 0})
					run(t, s)
					all = append(all, output(t, s, 0))
				}
				return all
			}
			g := autograd.NewGraph()
			_, nll := nn.Training(g, m, shape, autograd.LossConfig{})
			train := losses(g, nll, 1, 2, 1)
			if slices.Equal(train[0], train[1]) {
				t.Error("two steps drop the same elements")
			}
			if !slices.Equal(train[0], train[2]) {
				t.Error("one step drops different elements the second time")
			}
			g = autograd.NewGraph()
			_, nll = nn.Evaluation(g, m, shape)
			if eval := losses(g, nll, 1, 2); !slices.Equal(eval[0], eval[1]) || slices.Equal(eval[0], train[0]) {
				t.Error("evaluation drops elements")
			}
		})
	}
}
