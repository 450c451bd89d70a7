package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/eval"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/units"
)

// evalResult is what eval prints.
type evalResult struct {
	Model string `json:"model"`
	Step  int    `json:"step"`
	eval.TextScore
	Base *baseResult `json:"base,omitempty"` // with --base-too
}

// baseResult is that of the model that another was tuned from, on the same tokens.
type baseResult struct {
	Model string `json:"model"`
	eval.TextScore
}

// score scores m, closes it, and with --base-too scores its base.
func (f *evalFlags) score(m *opened, of func(*opened) (eval.TextScore, error)) (evalResult, error) {
	r := evalResult{Model: m.Dir, Step: m.step()}
	base := f.modelFlags
	if f.baseToo {
		var err error
		if base.model, err = f.base(); err != nil {
			return r, err
		}
	}
	base.adapter, base.precision = "", m.config.Precision
	vocab := m.Language.Vocab()
	var err error
	if r.TextScore, err = of(m); err != nil || !f.baseToo {
		return r, notFinite(err)
	}
	if err := m.Close(); err != nil {
		return r, err
	}
	b, err := base.openLanguage()
	if err != nil {
		return r, fmt.Errorf("--base-too: %w", err)
	}
	defer b.Close()
	if v := b.Language.Vocab(); v < vocab {
		return r, usagef("--base-too: the base %s has %d tokens, the model %d: it cannot read those that were added", b.Dir, v, vocab)
	}
	r.Base = &baseResult{Model: b.Dir}
	r.Base.TextScore, err = of(b)
	return r, notFinite(err)
}

// base is the directory of the model that another was tuned from.
func (f *evalFlags) base() (string, error) {
	if f.adapter != "" {
		return f.model, nil
	}
	place, err := hub.Locate(f.model)
	if err != nil {
		return "", usagef("--model: %w", err)
	}
	if place.Adapter {
		return place.Base, nil
	}
	cfg, _, err := save.ConfigOf(place.Dir, tables())
	if err != nil {
		return "", err
	}
	if cfg.Base == "" {
		return "", usagef("--base-too: %s was not tuned from a base; name one with --model and what was tuned with --adapter", f.model)
	}
	return cfg.Base, nil
}

// notFinite adds the cure to eval.ErrNotFinite.
func notFinite(err error) error {
	if errors.Is(err, eval.ErrNotFinite) {
		return fmt.Errorf("%w; use an earlier checkpoint", err)
	}
	return err
}

// print writes the result; of tells what the bytes are of.
func (f *evalFlags) print(c *cobra.Command, r evalResult, of string, args ...any) error {
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	bits := func(s eval.TextScore) string {
		if s.BitsPerByte == nil {
			return "none: no byte was scored"
		}
		return fmt.Sprintf("%.4f", *s.BitsPerByte)
	}
	var b strings.Builder
	if r.Base == nil {
		fmt.Fprintf(&b, "nll            %.4f nats per token\nppl            %.2f\nbits per byte  %s\n", r.NLL, r.PPL, bits(r.TextScore))
	} else {
		row := func(name, base, model, difference string) {
			fmt.Fprintf(&b, "%-14s %12s %12s %12s\n", name, base, model, difference)
		}
		row("", "base", "model", "difference")
		row("nll", fmt.Sprintf("%.4f", r.Base.NLL), fmt.Sprintf("%.4f", r.NLL), fmt.Sprintf("%+.4f", r.NLL-r.Base.NLL))
		row("ppl", fmt.Sprintf("%.2f", r.Base.PPL), fmt.Sprintf("%.2f", r.PPL), fmt.Sprintf("%+.2f", r.PPL-r.Base.PPL))
		if r.BitsPerByte != nil && r.Base.BitsPerByte != nil {
			row("bits per byte", bits(r.Base.TextScore), bits(r.TextScore), fmt.Sprintf("%+.4f", *r.BitsPerByte-*r.Base.BitsPerByte))
		}
	}
	fmt.Fprintf(&b, "tokens         %d scored, of %s %s, %s tokens/s\n", r.Tokens, units.Bytes(r.Bytes), fmt.Sprintf(of, args...), units.Count(int64(r.TokensPerS)))
	_, err := c.OutOrStdout().Write([]byte(b.String()))
	return err
}
