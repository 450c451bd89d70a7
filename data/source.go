package data

import (
	"fmt"

	"example.com/gotrain/autograd/mesh"
)

// Kind is the type of the elements of a field.
type Kind uint8

const (
	Int32 Kind = iota
	Float32
	Uint8 // bytes: pixels, packed bits
)

// String names the kind in errors.
func (k Kind) String() string {
	if k <= Uint8 {
		return [...]string{"int32", "float32", "uint8"}[k]
	}
	return "invalid"
}

// Field is a named tensor of a sample, such as {"ids", Int32, [T]} or
// {"image", Float32, [C, H, W]}. The inputs of programs that have its name get it.
type Field struct {
	Name  string
	Kind  Kind
	Shape []int // of one sample; empty is one element
}

// Size is the number of elements of one sample.
func (f Field) Size() int {
	n := 1
	for _, d := range f.Shape {
		n *= d
	}
	return n
}

// Origin is where a row comes from.
type Origin struct {
	File   string // "" where a row holds no sample
	Offset int64  // in the file: of the first token of a shard, the line of a record, …
}

// String writes the origin as file:offset.
func (o Origin) String() string { return fmt.Sprintf("%s:%d", o.File, o.Offset) }

// Batch is a rank's share of a step: Rows samples of each field, one behind the
// other. Make it with Source.NewBatch.
type Batch struct {
	Rows   int
	Ints   map[string][]int32
	Floats map[string][]float32
	Raw    map[string][]byte // fields of Uint8

	// Weight is what the loss of a step is divided by, summed over micro-batches and
	// ranks: counted targets, pairs, pictures.
	Weight float64
	// TextBytes is the length in UTF-8 of the text of the counted targets, where a
	// source knows it.
	TextBytes int64
	// Position is the global number of the sample at which the step begins, the same
	// on all ranks.
	Position uint64
	From     []Origin // of each row
}

// NewBatch allocates a batch of zeros.
func NewBatch(rows int, fields []Field) *Batch {
	b := &Batch{Rows: rows, Ints: map[string][]int32{}, Floats: map[string][]float32{}, Raw: map[string][]byte{}, From: make([]Origin, rows)}
	for _, f := range fields {
		switch n := rows * f.Size(); f.Kind {
		case Int32:
			b.Ints[f.Name] = make([]int32, n)
		case Float32:
			b.Floats[f.Name] = make([]float32, n)
		case Uint8:
			b.Raw[f.Name] = make([]byte, n)
		}
	}
	return b
}

// Source gives batches, each a pure function of a seed and a position: what was
// asked for before does not matter, so that the number of samples consumed is all
// that has to be stored to go on. A Source is safe for concurrent use with
// different batches.
type Source interface {
	// Fields are those of one sample, always the same.
	Fields() []Field
	// NewBatch allocates a batch of this rank's rows.
	NewBatch() *Batch
	// Fill sets dst to this rank's share of the step that begins at global sample
	// position. A source of held-out data ends with io.EOF. It allocates nothing.
	Fill(dst *Batch, position uint64) error
	// Stride is the number of samples of a step over all ranks.
	Stride() uint64
}

// Rows is how the samples of a step are spread over ranks.
type Rows struct {
	Batch int // B, rows of a batch on this rank
	// Samples is the number of samples S of a step over all ranks; 0 means B on each.
	// Of R ranks that share them rank r has the samples [r·S/R, (r+1)·S/R), at most B;
	// rows behind them hold none.
	Samples int
	Rank    mesh.Rank
}

// Check reports sizes that do not fit.
func (r Rows) Check() error {
	if r.Batch <= 0 {
		return fmt.Errorf("data: batch size %d is not positive", r.Batch)
	}
	if r.Samples < 0 || r.Samples > r.Batch*r.Rank.Shares() {
		return fmt.Errorf("data: %d samples of a step do not fit %d rows on each of %d ranks", r.Samples, r.Batch, r.Rank.Shares())
	}
	return nil
}

// Stride returns the samples of one step over all ranks, S.
func (r Rows) Stride() uint64 {
	if r.Samples > 0 {
		return uint64(r.Samples)
	}
	return uint64(r.Batch) * uint64(r.Rank.Shares())
}

// Share returns the first sample of this rank in a step, counted from its beginning, and how many the rank has.
func (r Rows) Share() (first uint64, rows int) {
	ranks, rank := uint64(r.Rank.Shares()), uint64(r.Rank.Share())
	first = rank * r.Stride() / ranks
	return first, int((rank+1)*r.Stride()/ranks - first)
}
