package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/labelled"
	"example.com/gotrain/train/eval"
)

// runEncoder scores texts by pseudo-likelihood, or the classes of examples.
func (f *evalFlags) runEncoder(c *cobra.Command) error {
	if len(f.data) == 0 {
		return usageError{require(c, "data")}
	}
	for _, flag := range []string{"stride", "base-too", "template", "date", "no-bos"} {
		if c.Flags().Changed(flag) {
			return usagef("--%s goes with language models", flag)
		}
	}
	if f.batch < 1 {
		return usagef("--batch is %d; use 1 or more", f.batch)
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
	e := m.encoder(f.batch)
	if len(e.Model.Outputs().Labels) > 0 {
		return f.scoreClasses(c, m, e, paths)
	}
	p, err := eval.NewPseudo(e)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	cfg := data.Config{Paths: f.data, Format: dataFormat(f.format, f.data), TextKey: f.textKey, Encoding: f.encoding}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	corpus, err := data.OpenCorpus(cfg)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	s, err := p.Texts(c.Context(), func(yield func([]byte, error) bool) {
		for doc, err := range corpus.Documents() {
			if !yield(doc.Text, err) {
				return
			}
		}
	})
	if c.Context().Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), struct {
			Model string `json:"model"`
			eval.PseudoScore
		}{m.Dir, s})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "pseudo nll  %.4f nats per token, each masked by itself\npseudo ppl  %.3f\naccuracy    %.2f%%\ntokens      %d of text in %d documents\n",
		s.NLL, s.PPL, 100*s.Accuracy, s.Tokens, s.Documents)
	return err
}

// scoreClasses compares the classes of examples with those that the model tells.
func (f *evalFlags) scoreClasses(c *cobra.Command, m *opened, e eval.Encoder, paths []string) error {
	keys := labelled.Keys{Text: f.textKey, Label: "label"}
	if d, ok := m.config.Data.Value().(interface{ Keys() labelled.Keys }); ok { // as it was trained
		trained := d.Keys()
		keys.Label, keys.Pair = trained.Label, trained.Pair
		if !c.Flags().Changed("text-key") {
			keys.Text = trained.Text
		}
	}
	for flag, key := range map[string]*string{"label-key": &keys.Label, "pair-key": &keys.Pair} {
		if c.Flags().Changed(flag) {
			*key = map[string]string{"label-key": f.labelKey, "pair-key": f.pairKey}[flag]
		}
	}
	k, err := eval.NewClassifier(e)
	if err != nil {
		return fmt.Errorf("--model: %w", err)
	}
	r, err := k.Examples(c.Context(), labelled.Read(paths, f.encoding, keys))
	if c.Context().Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), struct {
			Model string `json:"model"`
			eval.ClassReport
		}{m.Dir, r})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "accuracy  %.2f%%\nF1        %.4f, the mean of the classes'\nnll       %.4f nats\ntexts     %d, of which %d were cut\n", 100*r.Accuracy, r.F1, r.NLL, r.Texts, r.Cut)
	for _, label := range k.Labels {
		s := r.Classes[label]
		fmt.Fprintf(&b, "  %-16s precision %.4f  recall %.4f  F1 %.4f  texts %d\n", label, s.Precision, s.Recall, s.F1, s.Texts)
	}
	_, err = fmt.Fprint(c.OutOrStdout(), b.String())
	return err
}
