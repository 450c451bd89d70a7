package seq2seq

import (
	"context"
	"fmt"
	"strings"

	"example.com/gotrain/data/pairs"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/eval/bleu"
	"example.com/gotrain/train/recipe"
)

// translate makes evaluations translate held-out sources.
func (o *opened) translate(j *recipe.Job, c Config, ends []int32) {
	translator := j.Tools[0].(*generate.Translator)
	opt := generate.BeamOptions{Beams: c.Beams, LengthPenalty: 1, Stop: ends}
	first := func(ctx context.Context, n int, each func(x pairs.Example, text string)) error {
		var examples []pairs.Example
		for i := range min(n, o.held.Len()) {
			examples = append(examples, o.held.Example(i))
		}
		return translateAll(ctx, translator, o.encoder, opt, examples, each)
	}
	j.Measure = func(ctx context.Context) (recipe.Measured, error) {
		var corpus bleu.Corpus
		err := first(ctx, c.Translations, func(x pairs.Example, text string) { corpus.Add(text, o.encoder.Text(x.Target)) })
		return recipe.Measured{
			Values: []recipe.Measurement{{Name: "bleu", Value: corpus.BLEU()}, {Name: "chrf", Value: corpus.ChrF()}},
			Notes:  []recipe.Note{{Name: "bleu_signature", Text: bleu.Signature}, {Name: "chrf_signature", Text: bleu.ChrFSignature}},
		}, err
	}
	if c.Shown == 0 {
		return
	}
	j.Show = func(ctx context.Context) (recipe.Shown, error) {
		var b strings.Builder
		err := first(ctx, c.Shown, func(x pairs.Example, text string) {
			fmt.Fprintf(&b, "%s\n  → %s\n  = %s\n", o.encoder.Text(x.Source), text, o.encoder.Text(x.Target))
		})
		return recipe.Shown{Name: "translations", Text: strings.TrimSuffix(b.String(), "\n")}, err
	}
}

// translateAll translates the sources of examples, a batch at a time.
func translateAll(ctx context.Context, t *generate.Translator, enc pairs.Encoder, opt generate.BeamOptions, examples []pairs.Example, each func(x pairs.Example, text string)) error {
	size := t.Config().Batch
	for len(examples) > 0 {
		batch := examples[:min(size, len(examples))]
		examples = examples[len(batch):]
		sources := make([][]int32, len(batch))
		for i, x := range batch {
			sources[i] = x.Source
		}
		out, err := t.Translate(ctx, sources, enc.Start, opt)
		if err != nil {
			return err
		}
		for i, x := range batch {
			each(x, enc.Text(out[i].Tokens))
		}
	}
	return nil
}
