package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/train/eval"
	"gotrain/train/units"
)

// evalResult is what eval prints.
type evalResult struct {
	Model string `json:"model"`
	Step  int    `json:"step"`
	eval.TextScore
}

// runText scores texts.
func (f *evalFlags) runText(c *cobra.Command) error {
	if f.batch < 1 {
		return usagef("--batch is %d; use 1 or more", f.batch)
	}
	cfg := data.Config{Paths: f.data, Format: dataFormat(f.format, f.data), TextKey: f.textKey}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	if _, err := data.ExpandPaths(f.data); err != nil {
		return usagef("--data: %w", err)
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	enc, err := m.Encoder(m.Tokenizer, m.bos())
	if err != nil {
		return err
	}
	texts, err := data.Prepare(c.Context(), cfg, enc, nil)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer texts.Close()
	r := evalResult{Model: m.Dir, Step: m.step()}
	r.TextScore, err = eval.Text(m.config, m.Language, m.Store, texts.Train, enc, f.batch)
	if errors.Is(err, eval.ErrNotFinite) {
		return fmt.Errorf("%w; use an earlier checkpoint", err)
	}
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "nll            %.4f nats per token\nppl            %.2f\nbits per byte  %.4f\ntokens         %d scored, of %s of text in %d documents, %s tokens/s\n",
		r.NLL, r.PPL, r.BitsPerByte, r.Tokens, units.Bytes(r.Bytes), r.Documents, units.Count(int64(r.TokensPerS)))
	return err
}

// dataFormat is a value of --format, or what the first file's name tells.
func dataFormat(format string, files []string) data.Format {
	if format != "" {
		return data.Format(format)
	}
	return data.FormatOf(files[0])
}
