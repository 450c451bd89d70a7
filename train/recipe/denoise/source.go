package denoise

import (
	"sync"

	"example.com/gotrain/data"
	"example.com/gotrain/data/denoise"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe/text"
)

// source makes rows of windows of text: what stays of one for the encoder, what was taken out
// for the decoder. A row, its spans among it, is a function of the seed and its number.
type source struct {
	text.Windows
	length, target int // tokens of the rows of both sides
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
	s := func(w *text.Windows, key uint64) *source {
		return &source{
			Windows: *w, length: c.Length(), target: target, seed: c.Run.Seed ^ key,
			cfg: own(c), marks: o.marks, start: o.encoder.Start, lengths: o.encoder.Lengths(),
		}
	}
	w, held, err := text.NewWindows(c, p, enc, tokens)
	if err != nil {
		return nil, nil, err
	}
	if held != nil {
		eval = s(held, heldSpans)
	}
	return s(w, trainSpans), eval, nil
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
	w, ok := s.pool.Get().(*work)
	if !ok {
		w = &work{batch: s.Of.NewBatch()}
	}
	defer s.pool.Put(w)
	return s.Each(dst, position, func(row int, sample uint64, there bool) (int, error) {
		w.source, w.target, dst.From[row] = w.source[:0], w.target[:0], data.Origin{}
		if there {
			if err := s.read(w, sample); err != nil {
				return 0, err
			}
			dst.From[row] = w.batch.From[0]
		}
		s.write(dst, row, w)
		for _, id := range w.target {
			dst.TextBytes += int64(s.lengths[id])
		}
		return len(w.target), nil
	})
}

// read sets both sides of w to those of a window; of a single token there are none.
func (s *source) read(w *work, sample uint64) error {
	text, end, err := s.Read(w.batch, sample)
	if err == nil && end > 1 {
		w.source, w.target = s.cfg.Corrupt(w.source, w.target, text[:end], s.marks, s.seed, sample)
	}
	return err
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
