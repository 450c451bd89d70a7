package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// curves evaluates both runs of each pair, one after the other.
func (f *figureFlags) curves(c *cobra.Command, sides [2]ladder.Side) (curves []ladder.Curve, err error) {
	for i := range sides[0].Rungs {
		for _, side := range sides {
			r := side.Rungs[i]
			fmt.Fprintf(c.ErrOrStderr(), "evaluating %s\n", r.Config.Run.Dir)
			nll, err := f.byPosition(c, r.Config)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Config.Run.Dir, err)
			}
			curves = append(curves, ladder.Curve{Run: r.Config.Run.Dir, Side: side.Name, N: r.N, D: r.D, NLL: nll})
		}
	}
	return curves, nil
}

// leastStride is the shortest way from one window to the next.
const leastStride = 16

// byPosition is the loss of a run on its held-out text.
func (f *figureFlags) byPosition(c *cobra.Command, cfg config.Config) ([]float64, error) {
	m, err := (&modelFlags{model: cfg.Run.Dir, device: f.device, command: c}).open()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Language == nil {
		return nil, errors.New("the model of a run is no language model")
	}
	tokens, err := m.heldOut(c)
	if err != nil {
		return nil, err
	}
	stride := max(leastStride, (len(tokens)-1-m.Language.Context())/f.windows+1)
	return generate.ByPosition(c.Context(), m.Language, m.Store, generate.Config{Compute: m.config.Compute()}, tokens, stride, f.batch)
}

// heldOut is the text that the model's run holds out.
func (o *opened) heldOut(c *cobra.Command) ([]int32, error) {
	texts, ok := o.config.Texts()
	if !ok {
		return nil, errNoHeldOut
	}
	enc, err := o.Encoder(o.Tokenizer, o.bos())
	if err != nil {
		return nil, err
	}
	if texts.Known, err = text.Ledger(recipe.Env{Config: o.config, From: o.Dir, FS: vfs.OS{}}); err != nil {
		return nil, err
	}
	prepared, err := data.Prepare(c.Context(), texts, enc, nil)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	if prepared.Validation == nil {
		return nil, errNoHeldOut
	}
	windows := data.Sequences{Rows: data.Rows{Batch: 1}, Context: o.Language.Context(), VocabSize: o.Language.Vocab()}
	held, err := data.NewEval(prepared.Validation, windows, nil)
	if err != nil {
		return nil, err
	}
	var tokens []int32
	batch := held.NewBatch()
	for position := uint64(0); ; position += held.Stride() {
		err := held.Fill(batch, position)
		if errors.Is(err, io.EOF) {
			return tokens, nil
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, batch.Ints[data.IDs]...) // consecutive windows; the last ends with padding
	}
}
