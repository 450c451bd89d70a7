package main

import (
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/talk"
	"example.com/gotrain/train/eval"
)

// isEncoder tells whether a model reads a text from both sides.
func isEncoder(m nn.Model) bool { _, ok := m.(nn.TextEncoder); return ok }

// encoderKind is the kind of models that read a text from both sides.
func encoderKind() kind {
	return kind{
		plural: "text encoders",
		has:    isEncoder,
		sample: (*sampleFlags).runEncoder,
		eval:   (*evalFlags).runEncoder,
		asked: func(m *opened, _ *talk.Frame, batch int) (eval.Model, error) {
			s, err := eval.NewCompletions(m.encoder(batch))
			if err != nil {
				return nil, err
			}
			return eval.Answers(s.Score), nil
		},
		score:  func(m *opened) (completions, error) { return eval.NewCompletions(m.encoder(0)) },
		embeds: true,
	}
}

// encoder is the model as a text encoder.
func (o *opened) encoder(batch int) eval.Encoder {
	m, _ := o.Model.(nn.TextEncoder)
	return eval.Encoder{Model: m, Store: o.Store, Tokens: o.Tokenizer, Roles: o.Roles, Compute: o.config.Compute(), Batch: batch}
}
