package instruct

import (
	"errors"
	"fmt"
	"io"

	"gotrain/data"
)

// Loader makes training batches of a Set.
//
// An epoch has W rows, the number into which best-fit packs the examples, in an order drawn for the epoch; examples of equal
// length change places too. Sample i is row i mod W of epoch ⌊i/W⌋. So each batch is a pure function of the seed and the
// global sample index, as with data.Loader.
type Loader struct {
	data.LoaderConfig
	filler
}

// Eval covers a Set once, in order: row w is row w of the packing. What the last step lacks is padding.
type Eval struct {
	data.Shape
	filler
	lengths []int32 // bytes of each token, 0 for special ones
}

// filler writes rows.
type filler struct {
	set     *Set
	packing *packing
	pad     int32
}

// newFiller packs set for shape. pad is the input at positions behind the examples, whose targets are data.Ignore.
func newFiller(set *Set, shape *data.Shape, together bool, pad int32) (filler, error) {
	if shape.World == 0 {
		shape.World = 1
	}
	switch {
	case shape.Batch <= 0 || shape.Context <= 0:
		return filler{}, fmt.Errorf("instruct: a batch of %d rows of %d tokens (use 1 or more)", shape.Batch, shape.Context)
	case shape.World < 0 || shape.Rank < 0 || shape.Rank >= shape.World:
		return filler{}, fmt.Errorf("instruct: rank %d is outside the world of %d", shape.Rank, shape.World)
	case shape.Samples < 0 || shape.Samples > shape.Batch*shape.World:
		return filler{}, fmt.Errorf("instruct: %d samples of a step do not fit %d rows on each of %d ranks", shape.Samples, shape.Batch, shape.World)
	case !shape.DocumentMask:
		return filler{}, errors.New("instruct: examples that share a row must not see each other (set train.document_mask: true)")
	}
	for i := range set.Examples() {
		if n := set.positions(i); n > shape.Context {
			return filler{}, fmt.Errorf("instruct: an example takes %d positions, a row has %d (build the set for this context)", n, shape.Context)
		}
	}
	for _, id := range set.tokens {
		if shape.VocabSize > 0 && int(id) >= shape.VocabSize {
			return filler{}, fmt.Errorf("instruct: token %d is outside the model's vocabulary of %d (tokenizer and model do not belong together)", id, shape.VocabSize)
		}
	}
	return filler{set, newPacking(set, shape.Context, together), pad}, nil
}

// NewLoader returns a loader that packs the examples of set together, or gives each a row of its own. cfg.DocumentMask must
// be set. pad fills what examples leave of a row.
func NewLoader(set *Set, cfg data.LoaderConfig, together bool, pad int32) (*Loader, error) {
	f, err := newFiller(set, &cfg.Shape, together, pad)
	return &Loader{cfg, f}, err
}

// NewEval is NewLoader for a held-out set; tokens tells the bytes of targets.
func NewEval(set *Set, shape data.Shape, together bool, pad int32, tokens data.Tokenizer) (*Eval, error) {
	f, err := newFiller(set, &shape, together, pad)
	if err != nil {
		return nil, err
	}
	e := &Eval{Shape: shape, filler: f, lengths: make([]int32, tokens.Vocab())}
	for id := range e.lengths {
		e.lengths[id] = int32(len(tokens.TokenBytes(int32(id))))
	}
	for _, token := range tokens.Specials() {
		e.lengths[token.ID] = 0
	}
	return e, nil
}

// Rows returns W, the rows of an epoch.
func (f *filler) Rows() int { return len(f.packing.rows) }

// Tokens returns the positions of an epoch that hold tokens.
func (f *filler) Tokens() int64 { return f.packing.tokens }

// Density returns the part of an epoch's positions that hold tokens, in (0, 1].
func (l *Loader) Density() float64 { return float64(l.Tokens()) / float64(l.Rows()*l.Context) }

// Fill sets dst to this rank's share of the step that begins at global sample position; see data.Loader.Fill.
func (l *Loader) Fill(dst *data.Batch, position uint64) error {
	if err := fits(&l.Shape, dst); err != nil {
		return err
	}
	dst.Position, dst.Counted, dst.Bytes = position, 0, 0
	first, share := l.Share()
	rows := uint64(l.Rows())
	for row := range l.Batch {
		w := newRowWriter(dst, row, l.Context)
		if row < share {
			sample := position + first + uint64(row)
			epoch := sample / rows
			for _, s := range l.packing.rows[l.packing.rowOf(sample%rows, l.Seed, epoch)] {
				w.add(l.set.Example(l.packing.example(s, l.Seed, epoch)))
			}
		}
		w.finish(l.pad)
	}
	return nil
}

// Fill sets dst to this rank's share of the step that begins at row position, a multiple of Stride(). Behind the last row
// it returns io.EOF.
func (e *Eval) Fill(dst *data.Batch, position uint64) error {
	if err := fits(&e.Shape, dst); err != nil {
		return err
	}
	if position >= uint64(e.Rows()) {
		return io.EOF
	}
	dst.Position, dst.Counted, dst.Bytes = position, 0, 0
	first, share := e.Share()
	for row := range e.Batch {
		number := position + first + uint64(row)
		w := newRowWriter(dst, row, e.Context)
		if row < share && number < uint64(e.Rows()) {
			for _, s := range e.packing.rows[number] {
				w.add(e.set.Example(int(e.packing.order[e.packing.first[s.class]+s.at])))
			}
		}
		w.finish(e.pad)
		for _, target := range w.targets {
			if target >= 0 {
				dst.Bytes += int64(e.lengths[target])
			}
		}
	}
	return nil
}

func fits(s *data.Shape, b *data.Batch) error {
	n := s.Batch * s.Context
	if len(b.Inputs) != n || len(b.Targets) != n || len(b.Segments) != n || len(b.Positions) != n {
		return fmt.Errorf("instruct: a batch of %d inputs, %d segments for shape (%d, %d) (make it with NewBatch)", len(b.Inputs), len(b.Segments), s.Batch, s.Context)
	}
	return nil
}

// rowWriter fills a row from left to right.
type rowWriter struct {
	batch                                *data.Batch
	inputs, targets, segments, positions []int32
	at                                   int
	segment                              int32
}

func newRowWriter(b *data.Batch, row, length int) *rowWriter {
	lo, hi := row*length, (row+1)*length
	return &rowWriter{batch: b, inputs: b.Inputs[lo:hi], targets: b.Targets[lo:hi], segments: b.Segments[lo:hi], positions: b.Positions[lo:hi]}
}

// add writes an example: its tokens but the last as inputs, those but the first as targets.
func (w *rowWriter) add(x Example) {
	for i, id := range x.Tokens[:len(x.Tokens)-1] {
		w.inputs[w.at], w.targets[w.at] = id, data.Ignore
		if x.Counted[i+1] {
			w.targets[w.at] = x.Tokens[i+1]
			w.batch.Counted++
		}
		w.segments[w.at], w.positions[w.at] = w.segment, int32(i)
		w.at++
	}
	w.segment++
}

// finish pads the rest of the row, as a segment of its own.
func (w *rowWriter) finish(pad int32) {
	for i := 0; w.at < len(w.inputs); i++ {
		w.inputs[w.at], w.targets[w.at], w.segments[w.at], w.positions[w.at] = pad, data.Ignore, w.segment, int32(i)
		w.at++
	}
}

var (
	_ data.Source = (*Loader)(nil)
	_ data.Source = (*Eval)(nil)
)
