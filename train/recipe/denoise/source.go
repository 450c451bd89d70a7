package denoise

import (
	"fmt"
	"io"
	"sync"

	"example.com/gotrain/data"
	"example.com/gotrain/data/denoise"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/config"
)

// windows are stretches of text, one a row.
type windows interface {
	data.Source
	Windows() uint64
}

// source makes rows of windows of text: what stays of one for the encoder, what was taken out
// for the decoder. A row, its spans among it, is a function of the seed and its number.
type source struct {
	data.Rows
	windows        windows
	size           data.Sequences // of a window
	length, target int            // tokens of the rows of both sides
	held           bool
	seed           uint64
	cfg            denoise.Config
	marks          denoise.Marks
	start          int32
	lengths        []int32   // bytes of each token, 0 for special ones
	pool           sync.Pool // of *work
}

// work is what Fill needs for a row.
type work struct {
	batch          *data.Batch
	source, target []int32
}

// Keys of the spans of training and of held-out text.
const (
	trainSpans = 0x7370616e
	heldSpans  = 0x68656c64
)

// batches are those of training and of held-out text, nil where there is none.
func batches(c config.Config, p *data.Prepared, enc tokenizers.Encoder, o opened) (train, eval *source, err error) {
	tokens, target := own(c).Window(c.Length(), o.marks.Frame())
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: tokens, VocabSize: c.Text().Vocab}
	s := func(rows data.Rows, w windows, held bool, key uint64) *source {
		return &source{
			Rows: rows, windows: w, size: size, length: c.Length(), target: target, held: held, seed: c.Run.Seed ^ key,
			cfg: own(c), marks: o.marks, start: o.encoder.Start, lengths: o.encoder.Lengths(),
		}
	}
	l, err := p.Batches(data.LoaderConfig{Sequences: size, Seed: c.Run.Seed})
	if err != nil {
		return nil, nil, err
	}
	train = s(c.TrainRows(), l, false, trainSpans)
	if p.Validation == nil {
		return train, nil, nil
	}
	e, err := data.NewEval(p.Validation, size, enc)
	if err != nil {
		return nil, nil, err
	}
	return train, s(c.EvalRows(), e, true, heldSpans), nil
}

// Fields are those of a row.
func (s *source) Fields() []data.Field {
	side := func(length int, names ...string) (fields []data.Field) {
		for _, name := range names {
			fields = append(fields, data.Field{Name: name, Kind: data.Int32, Shape: []int{length}})
		}
		return fields
	}
	return append(side(s.target, data.IDs, data.Targets, data.Positions, data.Segments), side(s.length, pairs.SourceIDs, pairs.SourcePositions, pairs.SourceSegments)...)
}

// NewBatch allocates a batch of this rank's rows.
func (s *source) NewBatch() *data.Batch {
	b := data.NewBatch(s.Batch, s.Fields())
	for name, length := range map[string]int{data.Positions: s.target, pairs.SourcePositions: s.length} {
		for i := range b.Ints[name] {
			b.Ints[name][i] = int32(i % length)
		}
	}
	return b
}

// Fill sets dst to this rank's share of the step that begins at row position; that of held-out
// text ends with io.EOF.
func (s *source) Fill(dst *data.Batch, position uint64) error {
	if s.held && position >= s.windows.Windows() {
		return io.EOF
	}
	w, ok := s.pool.Get().(*work)
	if !ok {
		w = &work{batch: s.windows.NewBatch()}
	}
	defer s.pool.Put(w)
	dst.Position, dst.TextBytes = position, 0
	first, rows := s.Share()
	counted := 0
	for row := range s.Batch {
		sample := position + first + uint64(row)
		w.source, w.target, dst.From[row] = w.source[:0], w.target[:0], data.Origin{}
		if row < rows && !(s.held && sample >= s.windows.Windows()) {
			if err := s.read(w, sample); err != nil {
				return err
			}
			dst.From[row] = w.batch.From[0]
		}
		s.write(dst, row, w)
		counted += len(w.target)
		for _, id := range w.target {
			dst.TextBytes += int64(s.lengths[id])
		}
	}
	dst.Weight = float64(counted)
	return nil
}

// read sets both sides of w to those of a window; of a single token there are none.
func (s *source) read(w *work, sample uint64) error {
	if err := s.windows.Fill(w.batch, sample); err != nil {
		return fmt.Errorf("row %d: %w", sample, err)
	}
	columns, err := s.size.Columns(w.batch)
	if err != nil {
		return err
	}
	text := columns.IDs
	for len(text) > 0 && s.held && columns.Targets[len(text)-1] < 0 {
		text = text[:len(text)-1] // behind the end of the text
	}
	if len(text) > 1 {
		w.source, w.target = s.cfg.Corrupt(w.source, w.target, text, s.marks, s.seed, sample)
	}
	return nil
}

// write writes both sides of w into a row, with padding behind them.
func (s *source) write(dst *data.Batch, row int, w *work) {
	part := func(name string, length int) []int32 { return dst.Ints[name][row*length : (row+1)*length] }
	ids, segments := part(pairs.SourceIDs, s.length), part(pairs.SourceSegments, s.length)
	for i := range ids {
		ids[i], segments[i] = s.marks.End, -1
		if i < len(w.source) {
			ids[i], segments[i] = w.source[i], 0
		}
	}
	ids, segments = part(data.IDs, s.target), part(data.Segments, s.target)
	targets := part(data.Targets, s.target)
	before := s.start
	for i := range ids {
		ids[i], targets[i], segments[i] = s.marks.End, data.Ignore, -1
		if i < len(w.target) {
			ids[i], targets[i], segments[i] = before, w.target[i], 0
			before = w.target[i]
		}
	}
}
