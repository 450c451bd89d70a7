// Package generatetest has a language model whose logits a test chooses.
package generatetest

import (
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
)

// Script is a model whose logits after the token at position p are row p of a table,
// whatever the tokens are.
type Script struct {
	nn.Core
	vocab, context int
	store          *exec.Store
}

// New returns a Script whose logits are all zero, in a store of its own.
func New(t testing.TB, vocab, context int) *Script {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	backend, err := cpu.New(cpu.Config{Threads: 1})
	fatal(err)
	t.Cleanup(func() { backend.Close() })
	s := &Script{vocab: vocab, context: context, store: exec.NewStore(backend)}
	s.Core, err = nn.NewCore("script", nn.Tuning{}, nn.Style{Layout: autograd.OutIn}, func(b *nn.Builder) {
		b.Embedding("rows", context, vocab)
		b.Embedding("head", vocab, vocab)
	})
	fatal(err)
	for _, p := range s.Params() {
		_, err := s.store.Ensure(p.State(), p.DType, p.Shape)
		fatal(err)
	}
	head := make([]float32, vocab*vocab)
	for i := range vocab {
		head[i*vocab+i] = 1
	}
	fatal(s.store.WriteAt("head.weight", 0, head))
	return s
}

// Store holds the model's parameters.
func (s *Script) Store() *exec.Store { return s.store }

// Say has the model go on after position at with ids.
func (s *Script) Say(at int, ids ...int32) error {
	for i, id := range ids {
		row := make([]float32, s.vocab)
		row[id] = 50
		if err := s.Row(at+i, row); err != nil {
			return err
		}
	}
	return nil
}

// Row sets the logits after the token at a position; those left out are zero.
func (s *Script) Row(position int, logits []float32) error {
	row := make([]float32, s.vocab)
	copy(row, logits)
	return s.store.WriteAt("rows.weight", position*s.vocab, row)
}

// Config is empty.
func (s *Script) Config() any { return &struct{}{} }

// HuggingFace has no counterpart.
func (s *Script) HuggingFace() (map[string]any, error) { return nil, nn.ErrNoCounterpart }

// Vocab is the number of tokens.
func (s *Script) Vocab() int { return s.vocab }

// Context is the number of positions.
func (s *Script) Context() int { return s.context }

// Build looks up the rows of the positions; the head is the identity.
func (s *Script) Build(g *autograd.Graph, in nn.Inputs) (hidden, head *autograd.Node) {
	b := s.Builder(g, in)
	return autograd.Embedding(in.Positions, b.Embedding("rows", s.context, s.vocab)), b.Embedding("head", s.vocab, s.vocab)
}
