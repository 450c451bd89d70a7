package nn

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd"
)

// TextEncoder is a model that reads a text from both sides: each token sees all others
// of its row.
type TextEncoder interface {
	Model
	// Vocab is V, the number of tokens that it knows.
	Vocab() int
	// Context is the most tokens of a row.
	Context() int
	// Outputs are what the model tells of a text.
	Outputs() Outputs
	// Encode adds the forward pass to g, with all outputs of the model.
	Encode(g *autograd.Graph, in EncoderInputs) Encoded
}

// AsTextEncoder returns m as a text encoder, or an error for a model of another kind.
func AsTextEncoder(m Model) (TextEncoder, error) {
	if e, ok := m.(TextEncoder); ok {
		return e, nil
	}
	return nil, fmt.Errorf("a model of family %s does not read a text from both sides", m.Family())
}

// Outputs are what a text encoder tells beside the hidden states of its tokens; each has a
// head.
type Outputs struct {
	Masked bool     // the tokens behind masks
	Pooled bool     // a state of the whole text, which Next and Labels need
	Next   bool     // whether the second of two texts goes on with the first
	Labels []string // the classes of a text
}

// EncoderConfig is the configuration of a family of text encoders. A model has the
// heads of some outputs, and a base may go on with others: those it lacks begin anew.
type EncoderConfig interface {
	TextConfig
	Outputs() Outputs
	SetOutputs(Outputs)
	// OfHead tells whether a parameter belongs to a head that a model may lack.
	OfHead(param string) bool
	// Stored gives the configuration the heads of weights, of which has tells whether
	// they hold a parameter.
	Stored(has func(param string) bool)
}

// Outputs wants heads that fit each other, of which pooled is set.
func (f *Faults) Outputs(pooled *bool, next bool, labels []string) {
	if !IsSet(pooled) && (next || len(labels) > 0) {
		f.Add("pooled", "is false, but the heads of next and labels read the pooled state: leave it out")
	}
	if len(labels) == 1 {
		f.Add("labels", "has one class, %q: there is nothing to tell apart; name two at least", labels[0])
	}
	for i, label := range labels {
		if slices.Contains(labels[:i], label) {
			f.Add("labels", "%q stands there twice: take one out", label)
		}
	}
}

// EncoderInputs are what a text encoder reads beside Inputs, whose Cache is nil.
type EncoderInputs struct {
	Inputs
	Kinds *autograd.Node // "kinds" (N) int32: 0 in the first text of a row, 1 in the second; nil is 0
	Asked *autograd.Node // "asked" (A) int32, in [0, N): the tokens whose Masked is computed; nil is all
}

// Encoded is what a forward pass of a text encoder gives. What the model has no head for
// is nil.
type Encoded struct {
	Hidden  *autograd.Node // (N, D)
	Masked  *autograd.Node // (A, V): logits of the token at each asked place
	Pooled  *autograd.Node // (B, D)
	Next    *autograd.Node // (B, 2): logits of "goes on with the first" and of "does not"
	Classes *autograd.Node // (B, labels): logits
}

// NewEncoderInputs declares "ids", "positions", "segments" and "kinds" for batch rows of
// length tokens.
func NewEncoderInputs(g *autograd.Graph, batch, length int) EncoderInputs {
	in := EncoderInputs{Inputs: NewInputs(g, batch, length), Kinds: g.Ints("kinds", batch*length)}
	in.Segments = g.Ints("segments", batch*length)
	return in
}

// First takes the state of the first token of each row: x (N, D) → (B, D).
func (b *Builder) First(x *autograd.Node) *autograd.Node {
	d := x.Shape().Cols()
	x = autograd.Reshape(x, b.Batch, b.Length, d)
	return autograd.Reshape(autograd.Slice(x, 1, 0, 1), b.Batch, d)
}
