package pairs

import (
	"io"

	"example.com/gotrain/data"
)

// Fields of the source of a row; those of its target are the fields of sequences.
const (
	SourceIDs       = "source_ids"       // (T) int32
	SourcePositions = "source_positions" // (T) int32, from 0 in each pair
	SourceSegments  = "source_segments"  // (T) int32: the number of the pair in its row, below 0 for padding
)

// Loader makes training batches of a Set.
//
// An epoch has W rows, the number into which best-fit packs the pairs by their longer sides,
// in an order drawn for the epoch; pairs of equal length change places too. Sample i is row
// i mod W of epoch ⌊i/W⌋. So each batch is a pure function of the seed and the global sample
// index, as with data.Loader.
type Loader struct {
	data.LoaderConfig
	filler
}

// Eval covers a Set once, in order. What the last step lacks is padding.
type Eval struct {
	data.Sequences
	filler
	lengths []int32 // bytes of each token, 0 for special ones
}

// filler writes rows.
type filler struct {
	set     *Set
	packing *data.Packing
	enc     Encoder
}

func newFiller(set *Set, size *data.Sequences, together bool, enc Encoder) (filler, error) {
	size.DocumentMask = true
	if err := size.Check(); err != nil {
		return filler{}, err
	}
	if err := set.check(size.VocabSize); err != nil {
		return filler{}, err
	}
	lengths := make([]int, set.Len())
	for i := range lengths {
		if lengths[i] = set.examples[i].positions(); lengths[i] > size.Context {
			return filler{}, settingf("pairs: %s takes %d positions, a row has %d (build the set for this length)", set.examples[i].Origin, lengths[i], size.Context)
		}
	}
	return filler{set, data.NewPacking(lengths, size.Context, together), enc}, nil
}

// NewLoader returns a loader that packs the pairs of set together, or gives each a row of its own.
func NewLoader(set *Set, cfg data.LoaderConfig, together bool, enc Encoder) (*Loader, error) {
	f, err := newFiller(set, &cfg.Sequences, together, enc)
	return &Loader{cfg, f}, err
}

// NewEval is NewLoader for a held-out set.
func NewEval(set *Set, size data.Sequences, together bool, enc Encoder) (*Eval, error) {
	f, err := newFiller(set, &size, together, enc)
	if err != nil {
		return nil, err
	}
	return &Eval{Sequences: size, filler: f, lengths: enc.Lengths()}, nil
}

// Epoch returns W, the rows of an epoch.
func (f *filler) Epoch() int { return f.packing.Rows() }

// Density returns the parts of an epoch's positions that hold tokens, of sources and targets.
func (f *filler) Density(length int) (source, target float64) {
	all := float64(f.Epoch() * length)
	return float64(f.set.stats.SourceTokens) / all, float64(f.set.stats.TargetTokens) / all
}

// fields are those of rows of that size.
func fields(s *data.Sequences) []data.Field {
	shape := []int{s.Context}
	return append(s.Fields(), data.Field{Name: SourceIDs, Shape: shape}, data.Field{Name: SourcePositions, Shape: shape}, data.Field{Name: SourceSegments, Shape: shape})
}

// Fields are those of a row.
func (l *Loader) Fields() []data.Field { return fields(&l.Sequences) }

// NewBatch allocates a batch of this rank's rows.
func (l *Loader) NewBatch() *data.Batch { return data.NewBatch(l.Batch, l.Fields()) }

// Fields are those of a row.
func (e *Eval) Fields() []data.Field { return fields(&e.Sequences) }

// NewBatch allocates a batch of this rank's rows.
func (e *Eval) NewBatch() *data.Batch { return data.NewBatch(e.Batch, e.Fields()) }

// Fill sets dst to this rank's share of the step that begins at global sample position; see data.Loader.Fill.
func (l *Loader) Fill(dst *data.Batch, position uint64) error {
	c, err := l.Columns(dst)
	if err != nil {
		return err
	}
	dst.Position, dst.TextBytes = position, 0
	first, share := l.Share()
	rows := uint64(l.Epoch())
	counted := 0
	for row := range l.Batch {
		w := l.row(c, dst, row, l.Context)
		if row < share {
			sample := position + first + uint64(row)
			for i := range l.packing.Sample(sample%rows, l.Seed, sample/rows) {
				w.add(l.set.Example(i), l.enc)
			}
		}
		dst.From[row] = w.origin
		counted += w.finish(l.enc)
	}
	dst.Weight = float64(counted)
	return nil
}

// Fill sets dst to this rank's share of the step that begins at row position, a multiple of Stride(). Behind the last row
// it returns io.EOF.
func (e *Eval) Fill(dst *data.Batch, position uint64) error {
	c, err := e.Columns(dst)
	if err != nil {
		return err
	}
	if position >= uint64(e.Epoch()) {
		return io.EOF
	}
	dst.Position, dst.TextBytes = position, 0
	first, share := e.Share()
	counted := 0
	for row := range e.Batch {
		w := e.row(c, dst, row, e.Context)
		if number := position + first + uint64(row); row < share && number < uint64(e.Epoch()) {
			for i := range e.packing.Row(int(number)) {
				w.add(e.set.Example(i), e.enc)
			}
		}
		dst.From[row] = w.origin
		counted += w.finish(e.enc)
		for _, target := range w.Targets {
			if target >= 0 {
				dst.TextBytes += int64(e.lengths[target])
			}
		}
	}
	dst.Weight = float64(counted)
	return nil
}

// row is a writer of a row of a batch.
func (f *filler) row(c data.Columns, b *data.Batch, row, length int) writer {
	lo, hi := row*length, (row+1)*length
	return writer{
		Columns:   c.Row(row, length),
		sourceIDs: b.Ints[SourceIDs][lo:hi], sourcePositions: b.Ints[SourcePositions][lo:hi], sourceSegments: b.Ints[SourceSegments][lo:hi],
	}
}

// writer fills a row from left to right.
type writer struct {
	data.Columns
	sourceIDs, sourcePositions, sourceSegments []int32
	source, target                             int // positions that are written
	segment                                    int32
	origin                                     data.Origin // of the first pair
}

// add writes a pair.
func (w *writer) add(x Example, enc Encoder) {
	if w.segment == 0 {
		w.origin = x.Origin
	}
	for i, id := range x.Source {
		w.sourceIDs[w.source], w.sourcePositions[w.source], w.sourceSegments[w.source] = id, int32(i), w.segment
		w.source++
	}
	before := enc.Start
	for i, id := range x.Target {
		w.IDs[w.target], w.Targets[w.target], w.Positions[w.target], w.Segments[w.target] = before, id, int32(i), w.segment
		before = id
		w.target++
	}
	w.segment++
}

// finish pads the rest of both sides and returns how many targets count.
func (w *writer) finish(enc Encoder) (counted int) {
	for i := w.source; i < len(w.sourceIDs); i++ {
		w.sourceIDs[i], w.sourcePositions[i], w.sourceSegments[i] = enc.End, 0, -1
	}
	for i := w.target; i < len(w.IDs); i++ {
		w.IDs[i], w.Targets[i], w.Positions[i], w.Segments[i] = enc.End, data.Ignore, 0, -1
	}
	return w.target
}

var (
	_ data.Source = (*Loader)(nil)
	_ data.Source = (*Eval)(nil)
)
