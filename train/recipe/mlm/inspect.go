package mlm

import (
	"context"
	"fmt"
	"io"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// inspect shows a row as the model gets it.
func inspect(ctx context.Context, env recipe.Env, v recipe.View) (recipe.Inspection, error) {
	tokens, _, marks, err := openTokens(ctx, &env)
	if err != nil {
		return nil, err
	}
	enc := tokenizers.NewEncoder(tokens, nil, marks.Sep)
	texts, _ := env.Config.Texts()
	prepared, err := data.Prepare(ctx, texts, enc, env.Progress)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	train, eval, err := batches(env.Config, prepared, enc, newMasker(own(env.Config), tokens, marks))
	if err != nil {
		return nil, err
	}
	s := train
	if v.Split != "train" {
		if s = eval; s == nil {
			return nil, fmt.Errorf("%w: --split validation: the configuration holds no text out; set data.validation or data.validation_paths", recipe.ErrView)
		}
		if n := s.Of.Windows(); v.Sample >= n {
			return nil, fmt.Errorf("%w: --sample is %d; the held-out text has rows 0 to %d", recipe.ErrView, v.Sample, n-1)
		}
	}
	return s.inspect(v, tokens)
}

// shownRow is one row of a batch.
type shownRow struct {
	Split    string  `json:"split"`
	Sample   uint64  `json:"sample"`
	Rows     uint64  `json:"rows"` // in a pass over the text
	Inputs   []int32 `json:"inputs"`
	Kinds    []int32 `json:"kinds"`
	Segments []int32 `json:"segments"` // -1 is padding
	Targets  []int32 `json:"targets"`  // by place, -1 where nothing is asked for
	Next     *int32  `json:"next,omitempty"`
	Asked    int     `json:"asked"`

	tokens data.Tokenizer
	mask   int32
}

// inspect reads the row that a view names.
func (s *source) inspect(v recipe.View, tokens data.Tokenizer) (*shownRow, error) {
	one := &source{Windows: s.Windows, context: s.context, asked: s.asked, micro: 1, pair: s.pair, seed: s.seed, masker: s.masker}
	one.Rows = data.Rows{Batch: 1}
	batch := one.NewBatch()
	if err := one.Fill(batch, v.Sample); err != nil {
		return nil, err
	}
	r := &shownRow{
		Split: v.Split, Sample: v.Sample, Rows: s.Of.Windows(), Inputs: batch.Ints[data.IDs], Kinds: batch.Ints[kinds], Segments: batch.Ints[data.Segments],
		Targets: make([]int32, s.context), Asked: int(batch.Weight), tokens: tokens, mask: s.masker.mask,
	}
	for i := range r.Targets {
		r.Targets[i] = data.Ignore
	}
	for i, place := range batch.Ints[asked] {
		if target := batch.Ints[data.Targets][i]; target >= 0 {
			r.Targets[place] = target
		}
	}
	if s.pair {
		r.Next = &batch.Ints[next][0]
	}
	return r, nil
}

// Print writes the row for people: a line for each token, or with colours its text, where a
// token that is asked for stands as the model sees it, and what it was behind it.
func (r *shownRow) Print(w io.Writer, colour bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s row %d of %d in a pass: %d tokens, %d asked for\n", r.Split, r.Sample, r.Rows, len(r.Inputs), r.Asked)
	if r.Next != nil {
		b.WriteString(map[int32]string{0: "the second text goes on with the first\n", 1: "the second text comes from elsewhere\n", data.Ignore: "there is one text\n"}[*r.Next])
	}
	if colour {
		r.printColoured(&b)
	} else {
		r.printLines(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *shownRow) printLines(b *strings.Builder) {
	fmt.Fprintf(b, "%5s %7s %-24s %4s %7s\n", "place", "id", "token", "text", "target")
	for i, id := range r.Inputs {
		switch target := r.Targets[i]; {
		case r.Segments[i] < 0:
			fmt.Fprintf(b, "%5d %7d %-24q %4s\n", i, id, r.tokens.TokenBytes(id), "-")
		case target < 0:
			fmt.Fprintf(b, "%5d %7d %-24q %4d\n", i, id, r.tokens.TokenBytes(id), r.Kinds[i])
		default:
			fmt.Fprintf(b, "%5d %7d %-24q %4d %7d  %s %q\n", i, id, r.tokens.TokenBytes(id), r.Kinds[i], target, r.became(id, target), r.tokens.TokenBytes(target))
		}
	}
}

// became tells what was done to a token that is asked for.
func (r *shownRow) became(id, target int32) string {
	switch id {
	case r.mask:
		return "masked"
	case target:
		return "kept"
	}
	return "replaced"
}

func (r *shownRow) printColoured(b *strings.Builder) {
	fmt.Fprintf(b, "%stext%s, %sasked for%s and (%swhat it was%s)\n\n", text.EvenToken, text.Plain, text.EndToken, text.Plain, text.OddToken, text.Plain)
	for i, id := range r.Inputs {
		piece := string(r.tokens.TokenBytes(id))
		switch target := r.Targets[i]; {
		case r.Segments[i] < 0:
		case target < 0:
			fmt.Fprintf(b, "%s%s%s", text.EvenToken, piece, text.Plain)
		default:
			fmt.Fprintf(b, "%s%s%s(%s%s%s)", text.EndToken, piece, text.Plain, text.OddToken, strings.TrimSpace(string(r.tokens.TokenBytes(target))), text.Plain)
		}
	}
	b.WriteString("\n")
}
