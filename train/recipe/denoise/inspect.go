package denoise

import (
	"context"
	"fmt"
	"io"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// inspect shows a row as the model gets it.
func inspect(ctx context.Context, env recipe.Env, v recipe.View) (recipe.Inspection, error) {
	o, err := openTokens(ctx, &env)
	if err != nil {
		return nil, err
	}
	enc := tokenizers.NewEncoder(o.tokens, nil, o.encoder.End)
	texts, _ := env.Config.Texts()
	prepared, err := data.Prepare(ctx, texts, enc, env.Progress)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	s, eval, err := batches(env.Config, prepared, enc, o)
	if err != nil {
		return nil, err
	}
	if v.Split != "train" {
		if s = eval; s == nil {
			return nil, fmt.Errorf("%w: --split validation: the configuration holds no text out; set data.validation or data.validation_paths", recipe.ErrView)
		}
		if n := s.Of.Windows(); v.Sample >= n {
			return nil, fmt.Errorf("%w: --sample is %d; the held-out text has rows 0 to %d", recipe.ErrView, v.Sample, n-1)
		}
	}
	w := &work{batch: s.Of.NewBatch()}
	if err := s.read(w, v.Sample); err != nil {
		return nil, err
	}
	return &shownRow{
		Split: v.Split, Sample: v.Sample, From: w.batch.From[0].String(), Rows: s.Of.Windows(),
		ShownPair: text.NewShownPair(o.tokens, w.source, w.target, s.start),
	}, nil
}

// shownRow is one row of a batch.
type shownRow struct {
	Split  string `json:"split"`
	Sample uint64 `json:"sample"`
	From   string `json:"from"`
	Rows   uint64 `json:"rows"` // in a pass over the text
	text.ShownPair
}

// Print writes the row for people.
func (r *shownRow) Print(w io.Writer, colour bool) error {
	if _, err := fmt.Fprintf(w, "%s row %d of %d in a pass, %s: %d tokens → %d\n\n", r.Split, r.Sample, r.Rows, r.From, len(r.Source), len(r.Targets)); err != nil {
		return err
	}
	return r.PrintPair(w, colour)
}
