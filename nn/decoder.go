package nn

import (
	"errors"

	"example.com/gotrain/autograd"
)

// Decoder is what the language models of all families have beside their layers and
// their files: the Model of a family embeds it and adds HuggingFace. C is the family's
// configuration and P a pointer to it. It is read-only and safe for concurrent use.
type Decoder[C any, P interface {
	*C
	TextConfig
}] struct {
	Core
	config  C // with all defaults filled in
	forward func(P, *Builder) (hidden, head *autograd.Node)
}

// NewDecoder returns the model of c, whose defaults it fills in; style and forward, which
// builds the layers as LanguageModel.Build returns them, get it with these. The error has
// all faults of c and t at once.
func NewDecoder[C any, P interface {
	*C
	TextConfig
}](family string, c C, t Tuning, style func(P) Style, forward func(P, *Builder) (hidden, head *autograd.Node)) (Decoder[C, P], error) {
	d := Decoder[C, P]{config: c, forward: forward}
	p := P(&d.config)
	if err := errors.Join(Complete(p), t.Validate()); err != nil {
		return Decoder[C, P]{}, err
	}
	p.SetDefaults()
	var err error
	d.Core, err = NewCore(family, t, style(p), func(b *Builder) {
		b.Inputs = NewInputs(b.Graph, 1, 1)
		forward(p, b)
	})
	return d, err
}

// Config returns a pointer to a copy of the configuration with all defaults filled in.
func (d *Decoder[C, P]) Config() any { c := d.config; return &c }

// Vocab is the number of tokens that the model knows.
func (d *Decoder[C, P]) Vocab() int { return P(&d.config).Text().Vocab }

// Context is the most tokens of a sequence.
func (d *Decoder[C, P]) Context() int { return P(&d.config).Text().Context }

// Build adds the forward pass to g; see LanguageModel.
func (d *Decoder[C, P]) Build(g *autograd.Graph, in Inputs) (hidden, head *autograd.Node) {
	return d.forward(&d.config, d.Builder(g, in))
}
