package text

import (
	"fmt"
	"io"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/config"
)

// Windows are stretches of prepared text of equal length, of which a recipe makes the rows of
// its batches.
type Windows struct {
	data.Rows // of the batches
	Of        data.Windowed
	Size      data.Sequences // of a window
	Held      bool           // held-out text, which ends
}

// NewWindows returns the windows of so many tokens of training and of held-out text, nil where
// there is none.
func NewWindows(c config.Config, p *data.Prepared, enc tokenizers.Encoder, tokens int) (train, held *Windows, err error) {
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: tokens, VocabSize: c.Text().Vocab}
	l, err := p.Batches(data.LoaderConfig{Sequences: size, Seed: c.Run.Seed})
	if err != nil {
		return nil, nil, err
	}
	train = &Windows{Rows: c.TrainRows(), Of: l, Size: size}
	if p.Validation == nil {
		return train, nil, nil
	}
	e, err := data.NewEval(p.Validation, size, enc)
	if err != nil {
		return nil, nil, err
	}
	return train, &Windows{Rows: c.EvalRows(), Of: e, Size: size, Held: true}, nil
}

// Each fills dst with this rank's share of the step that begins at row position: row makes that of
// a sample, or one of nothing, and tells how many of its tokens count. Held-out text ends with
// io.EOF.
func (w *Windows) Each(dst *data.Batch, position uint64, row func(row int, sample uint64, there bool) (counted int, err error)) error {
	if w.Held && position >= w.Of.Windows() {
		return io.EOF
	}
	dst.Position, dst.TextBytes = position, 0
	first, rows := w.Share()
	all := 0
	for i := range w.Batch {
		sample := position + first + uint64(i)
		counted, err := row(i, sample, i < rows && !(w.Held && sample >= w.Of.Windows()))
		if err != nil {
			return err
		}
		all += counted
	}
	dst.Weight = float64(all)
	return nil
}

// Read reads the window of a sample into b, a batch of Of, and returns its tokens, of which those
// from end on are behind the end of held-out text.
func (w *Windows) Read(b *data.Batch, sample uint64) (tokens []int32, end int, err error) {
	if err := w.Of.Fill(b, sample); err != nil {
		return nil, 0, fmt.Errorf("row %d: %w", sample, err)
	}
	columns, err := w.Size.Columns(b)
	if err != nil {
		return nil, 0, err
	}
	end = len(columns.IDs)
	for end > 0 && w.Held && columns.Targets[end-1] < 0 {
		end--
	}
	return columns.IDs, end, nil
}
