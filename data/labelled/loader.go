package labelled

import (
	"io"

	"example.com/gotrain/data"
)

// Fields of a row beside those of package data.
const (
	Kinds = "kinds"  // (T) int32: 0 in the first text, 1 in the second
	Label = "labels" // (1) int32: the number of the class, data.Ignore where there is none
)

// Row is an example as a model reads it.
type Row struct {
	IDs, Kinds []int32
	Label      int32
	Origin     data.Origin
}

// Loader makes batches of rows of T tokens. In training, sample i is row π(i mod n) of pass
// ⌊i/n⌋, with π a permutation that the seed draws for the pass; of held-out rows sample i is row
// i, and the source ends behind the last. Either is a function of the number of the sample.
type Loader struct {
	data.Rows
	Set     []Row
	Context int // T
	Pad     int32
	Seed    uint64
	Held    bool
}

// Fields are those of a row.
func (l *Loader) Fields() []data.Field {
	t := []int{l.Context}
	return []data.Field{
		{Name: data.IDs, Kind: data.Int32, Shape: t}, {Name: data.Positions, Kind: data.Int32, Shape: t}, {Name: data.Segments, Kind: data.Int32, Shape: t},
		{Name: Kinds, Kind: data.Int32, Shape: t}, {Name: Label, Kind: data.Int32},
	}
}

// NewBatch allocates a batch of this rank's rows.
func (l *Loader) NewBatch() *data.Batch {
	b := data.NewBatch(l.Batch, l.Fields())
	for i := range b.Ints[data.Positions] {
		b.Ints[data.Positions][i] = int32(i % l.Context)
	}
	return b
}

// Fill sets dst to this rank's share of the step that begins at sample position.
func (l *Loader) Fill(dst *data.Batch, position uint64) error {
	n := uint64(len(l.Set))
	if l.Held && position >= n {
		return io.EOF
	}
	dst.Position, dst.TextBytes, dst.Weight = position, 0, 0
	first, rows := l.Share()
	pass := ^uint64(0)
	var order data.Permutation
	for row := range l.Batch {
		sample := position + first + uint64(row)
		if row >= rows || l.Held && sample >= n {
			l.put(dst, row, Row{Label: data.Ignore})
			continue
		}
		if !l.Held {
			if sample/n != pass {
				pass = sample / n
				order = data.NewPermutation(n, l.Seed, pass)
			}
			sample = order.At(sample % n)
		}
		l.put(dst, row, l.Set[sample])
		dst.Weight++
	}
	return nil
}

// put writes a row, which fits, and padding behind it.
func (l *Loader) put(dst *data.Batch, row int, r Row) {
	lo, hi := row*l.Context, (row+1)*l.Context
	ids, segments, kinds := dst.Ints[data.IDs][lo:hi], dst.Ints[data.Segments][lo:hi], dst.Ints[Kinds][lo:hi]
	clear(kinds)
	copy(kinds, r.Kinds)
	n := copy(ids, r.IDs)
	for i := range ids {
		segments[i] = 0
		if i >= n {
			ids[i], segments[i] = l.Pad, -1
		}
	}
	dst.Ints[Label][row] = r.Label
	dst.From[row] = r.Origin
}
