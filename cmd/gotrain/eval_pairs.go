package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/eval/bleu"
)

// Metrics of pairs.
const (
	metricNLL  = "nll"
	metricBLEU = "bleu"
	metricChrF = "chrf"
)

// pairsScored is what --json prints.
type pairsScored struct {
	Model string `json:"model"`
	Step  int    `json:"step"`
	eval.TextScore
	Pairs         int      `json:"pairs"`
	Long          int      `json:"long"` // pairs that are longer than the context, which are left out
	Beam          int      `json:"beam,omitempty"`
	BLEU          *float64 `json:"bleu,omitempty"`
	BLEUSignature string   `json:"bleu_signature,omitempty"`
	ChrF          *float64 `json:"chrf,omitempty"`
	ChrFSignature string   `json:"chrf_signature,omitempty"`
}

// runPairs scores the targets of pairs, and what the model makes of their sources.
func (f *evalFlags) runPairs(c *cobra.Command) error {
	if f.batch < 1 {
		return usagef("--batch is %d; use 1 or more", f.batch)
	}
	if len(f.data) == 0 {
		return usageError{require(c, "data")}
	}
	if f.format != "" && f.format != pairs.Format {
		return usagef("--format %s: a model of an encoder and a decoder is scored on pairs, whose files tell by their names and keys what they are", f.format)
	}
	if f.metric != "" && f.metric != metricNLL && f.metric != metricBLEU && f.metric != metricChrF {
		return usagef("--metric is %q; use nll, bleu or chrf", f.metric)
	}
	opt, err := f.options()
	if err != nil {
		return err
	}
	paths, err := data.ExpandPaths(f.data)
	if err != nil {
		return usagef("--data: %w", err)
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.pairs()
	if err != nil {
		return err
	}
	keys := pairs.Default()
	if trained, ok := m.config.Data.Value().(interface{ Keys() pairs.Config }); ok {
		keys.Source, keys.Target = trained.Keys().Source, trained.Keys().Target
	}
	keys.Source, keys.Target = cmp.Or(f.source, keys.Source), cmp.Or(f.target, keys.Target)
	if err := keys.Validate(); err != nil {
		return usageError{err}
	}
	set, _, _, err := pairs.Build(c.Context(), s.Encoder, s.Model.Context(), f.limit, pairs.Split{}, keys.Read(paths, nil, f.encoding))
	if err != nil {
		return interrupted(fmt.Errorf("--data: %w", err))
	}
	r := pairsScored{Model: m.Dir, Step: m.step(), Pairs: set.Len(), Long: set.Stats().Long}
	if r.TextScore, err = s.Pairs(set, f.batch); err != nil {
		return err
	}
	if f.metric != metricNLL {
		corpus, err := translateSet(c.Context(), s, set, opt)
		if err != nil {
			return interrupted(err)
		}
		if f.metric != metricChrF {
			score := corpus.BLEU()
			r.BLEU, r.BLEUSignature = &score, bleu.Signature
		}
		if f.metric != metricBLEU {
			score := corpus.ChrF()
			r.ChrF, r.ChrFSignature = &score, bleu.ChrFSignature
		}
		r.Beam = opt.Beams
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	return r.print(c.OutOrStdout())
}

// translateSet compares what a model makes of the sources of a set with its targets.
func translateSet(ctx context.Context, s eval.PairSubject, set *pairs.Set, opt generate.BeamOptions) (corpus bleu.Corpus, err error) {
	sources := make([][]int32, set.Len())
	for i := range sources {
		sources[i] = set.Example(i).Source
	}
	err = s.Translate(ctx, sources, pairBatch, opt, func(i int, t eval.Translated) error {
		corpus.Add(t.Text, s.Encoder.Text(set.Example(i).Target))
		return nil
	})
	return corpus, err
}

func (r pairsScored) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %.4f nats a token of the targets, perplexity %.3f", "nll", r.NLL, r.PPL)
	if r.BitsPerByte != nil {
		fmt.Fprintf(&b, ", %.4f bits a byte", *r.BitsPerByte)
	}
	fmt.Fprintf(&b, "; %d tokens of %d pairs", r.Tokens, r.Pairs)
	if r.Long > 0 {
		fmt.Fprintf(&b, ", and %d longer than the context left out", r.Long)
	}
	b.WriteString("\n")
	if r.BLEU != nil {
		fmt.Fprintf(&b, "%-6s %.2f  %s\n", "bleu", *r.BLEU, r.BLEUSignature)
	}
	if r.ChrF != nil {
		fmt.Fprintf(&b, "%-6s %.2f  %s\n", "chrf", *r.ChrF, r.ChrFSignature)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
