package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/talk"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/recipe/text"
)

// pairKind is the kind of models that give a text for another.
func pairKind() kind {
	return kind{
		plural: "models of an encoder and a decoder",
		has:    func(m nn.Model) bool { _, ok := m.(nn.PairModel); return ok },
		sample: (*sampleFlags).runPairs,
		eval:   (*evalFlags).runPairs,
		asked: func(m *opened, _ *talk.Frame, _ int) (eval.Model, error) {
			s, err := m.pairs()
			if err != nil {
				return nil, err
			}
			return eval.NewPairAnswers(s)
		},
		score: func(m *opened) (completions, error) {
			s, err := m.pairs()
			if err != nil {
				return nil, err
			}
			return eval.NewPairScorer(s)
		},
	}
}

// pairs is the model as it gives a text for another.
func (o *opened) pairs() (eval.PairSubject, error) {
	m, err := nn.AsPairModel(o.Model)
	if err != nil {
		return eval.PairSubject{}, err
	}
	id := o.Identity
	enc, err := text.PairEncoder(o.Tokenizer, &id)
	return eval.PairSubject{Model: m, Store: o.Store, Encoder: enc, Ends: o.EndTokens(), Compute: o.config.Compute()}, err
}

// beamFlags say how a text is searched.
type beamFlags struct {
	beam    int
	penalty float64
}

func (f *beamFlags) add(c *cobra.Command, what string) {
	c.Flags().IntVar(&f.beam, "beam", 4, what+"follow the best `N` texts side by side, 1 takes the likeliest token always")
	c.Flags().Float64Var(&f.penalty, "length-penalty", 1, what+"divide a text's log-likelihood by its length to the power of `X`: longer texts gain above 0, shorter ones below")
}

func (f *beamFlags) options() (generate.BeamOptions, error) {
	if f.beam < 1 || f.beam > 64 {
		return generate.BeamOptions{}, usagef("--beam is %d, outside [1, 64]: 1 takes the likeliest token always", f.beam)
	}
	return generate.BeamOptions{Beams: f.beam, LengthPenalty: f.penalty}, nil
}

// refusePairFlags reports flags of models of pairs that were given to a model of another kind.
func refusePairFlags(c *cobra.Command, names ...string) error {
	for _, name := range append(names, "beam", "length-penalty") {
		if c.Flags().Changed(name) {
			return usagef("--%s is for models of an encoder and a decoder", name)
		}
	}
	return nil
}

// pairBatch is how many texts are translated at once.
const pairBatch = 16

func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}
