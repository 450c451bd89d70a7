package picture

import (
	"io"
	"math/rand/v2"

	"example.com/gotrain/data"
)

// Fields of a row.
const (
	Field  = "image"  // (Size, Size, C) bytes
	Counts = "counts" // (1) float32: 1, or 0 where the row holds no picture
)

// Loader makes batches of pictures. In training, sample i is picture π(i mod n) of pass ⌊i/n⌋,
// with π a permutation that the seed draws for the pass; of held-out pictures sample i is picture
// i, and the source ends behind the last. Either is a function of the number of the sample.
type Loader struct {
	data.Rows
	Config Config
	Set    []Picture
	Seed   uint64
	Held   bool
}

// Fields are those of a picture.
func (l *Loader) Fields() []data.Field {
	return []data.Field{{Name: Field, Kind: data.Uint8, Shape: []int{l.Config.Size, l.Config.Size, l.Config.Channels()}}, {Name: Counts, Kind: data.Float32}}
}

// NewBatch allocates a batch of this rank's rows.
func (l *Loader) NewBatch() *data.Batch { return data.NewBatch(l.Batch, l.Fields()) }

// Fill sets dst to this rank's share of the step that begins at sample position. Rows that hold
// none are black.
func (l *Loader) Fill(dst *data.Batch, position uint64) error {
	n := uint64(len(l.Set))
	if l.Held && position >= n {
		return io.EOF
	}
	dst.Position, dst.TextBytes, dst.Weight = position, 0, 0
	first, rows := l.Share()
	size := l.Config.Bytes()
	for row := range l.Batch {
		to := dst.Raw[Field][row*size:][:size]
		at, mirrored, ok := l.Pick(position + first + uint64(row))
		if row >= rows || !ok {
			clear(to)
			dst.Floats[Counts][row], dst.From[row] = 0, data.Origin{}
			continue
		}
		p := l.Set[at]
		copy(to, p.Pixels)
		if mirrored {
			Mirror(to, l.Config.Size, l.Config.Channels())
		}
		dst.Floats[Counts][row], dst.From[row] = 1, p.Origin
		dst.Weight++
	}
	return nil
}

// Pick is the place in Set of a sample, and whether it is mirrored; ok is false behind the last of
// held-out pictures.
func (l *Loader) Pick(sample uint64) (at int, mirrored, ok bool) {
	n := uint64(len(l.Set))
	if l.Held {
		return int(min(sample, n)), false, sample < n
	}
	order := data.NewPermutation(n, l.Seed, sample/n)
	return int(order.At(sample % n)), l.Config.Flip && rand.NewPCG(l.Seed, sample).Uint64()&1 != 0, true
}

// Mirror exchanges left and right.
func Mirror(pixels []byte, side, channels int) {
	for y := range side {
		line := pixels[y*side*channels:][:side*channels]
		for a, b := 0, side-1; a < b; a, b = a+1, b-1 {
			for c := range channels {
				line[a*channels+c], line[b*channels+c] = line[b*channels+c], line[a*channels+c]
			}
		}
	}
}
