package leaf

import (
	"fmt"
	"io"
	"math/rand/v2"

	"example.com/gotrain/data"
)

// Pictures is the section data of the toy's kind of data: squares of random grey.
type Pictures struct {
	Side    int `yaml:"side"`
	HeldOut int `yaml:"held_out"` // pictures to evaluate on
}

// source gives pictures of Side × Side bytes, each a function of the seed and its number.
type source struct {
	data.Rows
	side int
	seed uint64
	end  uint64 // of held-out pictures; 0 is never
}

func (s *source) Fields() []data.Field {
	return []data.Field{{Name: "image", Kind: data.Uint8, Shape: []int{s.side, s.side}}, {Name: "noise", Kind: data.Float32, Shape: []int{noiseSize}}}
}

func (s *source) NewBatch() *data.Batch { return data.NewBatch(s.Batch, s.Fields()) }

// Fill paints this rank's pictures; the noise is left to the recipe.
func (s *source) Fill(b *data.Batch, position uint64) error {
	if s.end > 0 && position >= s.end {
		return io.EOF
	}
	first, rows := s.Share()
	size := s.side * s.side
	clear(b.Raw["image"])
	b.Position, b.Weight = position, 0
	for row := range b.Rows {
		number := position + first + uint64(row)
		b.From[row] = data.Origin{}
		if row >= rows || s.end > 0 && number >= s.end {
			continue
		}
		rng := rand.New(rand.NewPCG(s.seed, number))
		grey := byte(128 + rng.IntN(100))
		for i := range size {
			b.Raw["image"][row*size+i] = grey
		}
		b.From[row] = data.Origin{File: fmt.Sprintf("seed-%d", s.seed), Offset: int64(number)}
		b.Weight++
	}
	return nil
}
