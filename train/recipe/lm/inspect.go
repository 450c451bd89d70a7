package lm

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// inspect shows a sequence as the model gets it.
func inspect(ctx context.Context, env recipe.Env, v recipe.View) (recipe.Inspection, error) {
	tokens, id, err := text.OpenTokenizer(ctx, env)
	if err != nil {
		return nil, err
	}
	enc, err := text.Encoder(env.Config, tokens, id)
	if err != nil {
		return nil, err
	}
	texts, _ := env.Config.Texts()
	prepared, err := data.Prepare(ctx, texts, enc, env.Progress)
	if err != nil {
		return nil, err
	}
	defer prepared.Close()
	return read(env.Config, prepared, enc, v)
}

// row is one sequence of a batch.
type row struct {
	Split     string  `json:"split"`
	Sample    uint64  `json:"sample"`
	Windows   uint64  `json:"windows"`          // sequences in a pass over the text
	Source    string  `json:"source,omitempty"` // of several
	Inputs    []int32 `json:"inputs"`
	Targets   []int32 `json:"targets"` // -1 does not count towards the loss
	Segments  []int32 `json:"segments,omitempty"`
	Positions []int32 `json:"positions,omitempty"`
	Counted   int     `json:"counted"`
	EndOfText int32   `json:"end_of_text"`

	enc tokenizers.Encoder
}

// read reads the sequence that a view names.
func read(cfg config.Config, p *data.Prepared, enc tokenizers.Encoder, v recipe.View) (*row, error) {
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: cfg.Length(), DocumentMask: cfg.Train.DocumentMask}
	r := &row{Split: v.Split, Sample: v.Sample, EndOfText: enc.EndOfText(), enc: enc}
	var source data.Source
	if v.Split == "train" {
		l, err := p.Batches(data.LoaderConfig{Sequences: size, Seed: cfg.Run.Seed})
		if err != nil {
			return nil, err
		}
		if mixture, ok := l.(*data.Mixture); ok {
			r.Source = mixture.SourceOf(v.Sample)
		}
		source, r.Windows = l, l.Windows()
	} else {
		if p.Validation == nil {
			return nil, fmt.Errorf("%w: --split validation: the configuration holds no text out; set data.validation or data.validation_paths", recipe.ErrView)
		}
		e, err := data.NewEval(p.Validation, size, enc)
		if err != nil {
			return nil, err
		}
		if v.Sample >= e.Windows() {
			return nil, fmt.Errorf("%w: --sample is %d; the held-out text has sequences 0 to %d", recipe.ErrView, v.Sample, e.Windows()-1)
		}
		source, r.Windows = e, e.Windows()
	}
	batch := source.NewBatch()
	if err := source.Fill(batch, v.Sample); err != nil {
		return nil, err
	}
	columns, err := size.Columns(batch)
	if err != nil {
		return nil, err
	}
	r.Inputs, r.Targets, r.Counted = columns.IDs, columns.Targets, int(batch.Weight)
	if size.DocumentMask {
		r.Segments, r.Positions = columns.Segments, columns.Positions
	}
	return r, nil
}

func (r *row) title() string {
	from := ""
	if r.Source != "" {
		from = ", of source " + r.Source
	}
	return fmt.Sprintf("%s sequence %d of %d in a pass%s: %d tokens, %d targets count\n", r.Split, r.Sample, r.Windows, from, len(r.Inputs), r.Counted)
}

// printLines prints a line for each token: its place, id, text, the target that
// it predicts, and where a document ends.
func (r *row) printLines(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.title())
	fmt.Fprintf(&b, "%5s %7s %-24s %7s\n", "place", "id", "token", "target")
	for i, id := range r.Inputs {
		target := strconv.Itoa(int(r.Targets[i]))
		if r.Targets[i] < 0 {
			target = "ignored"
		}
		note := ""
		if id == r.EndOfText {
			note = "  end of a document"
		}
		fmt.Fprintf(&b, "%5d %7d %-24q %7s%s\n", i, id, r.enc.TokenBytes(id), target, note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printColoured prints the text with its tokens in two colours in turn. A token
// whose prediction does not count is dim.
func (r *row) printColoured(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.title())
	fmt.Fprintf(&b, "%stokens%s in%s turn%s, %send of a document%s, %snot a target%s\n\n",
		text.EvenToken, text.OddToken, text.EvenToken, text.Plain, text.EndToken, text.Plain, text.Unscored, text.Plain)
	for i, id := range r.Inputs {
		colour := text.EvenToken
		if i%2 == 1 {
			colour = text.OddToken
		}
		// Token i is the target of the one before it.
		if i > 0 && r.Targets[i-1] < 0 {
			colour = text.Unscored
		}
		piece := string(r.enc.TokenBytes(id))
		if id == r.EndOfText {
			colour = text.EndToken
		}
		piece = strings.ReplaceAll(piece, "\n", "↵"+text.Plain+"\n"+colour)
		b.WriteString(colour + piece + text.Plain)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Print writes the row for people.
func (r *row) Print(w io.Writer, colour bool) error {
	if colour {
		return r.printColoured(w)
	}
	return r.printLines(w)
}
