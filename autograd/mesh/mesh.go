// Package mesh says where a process stands among those that train together: a
// [Rank] of a mesh with named axes. It is the one noun for that, from the sources
// of data over plans to back ends, and imports nothing.
package mesh

import "fmt"

// Axis names a way of dividing a run between ranks. Along DP every rank has the
// whole model and a share of the samples of a step.
type Axis uint8

// The axes of a mesh, the slowest first: consecutive ranks differ in the last one.
const (
	PP   Axis = iota // pipeline: stages of the model
	DP               // data: samples of a step
	FSDP             // data, with the states of the model divided too
	CP               // context: parts of a sequence
	EP               // experts
	TP               // tensors: parts of a layer
	axes
)

// String returns the axis as configurations name it.
func (a Axis) String() string {
	if a < axes {
		return [...]string{"pp", "dp", "fsdp", "cp", "ep", "tp"}[a]
	}
	return "invalid"
}

// Rank is a process of a run. The zero Rank is that of a process that is alone.
// Ranks are comparable.
type Rank struct {
	index int
	extra [axes]int // size along each axis, less one
}

// New returns rank index, from 0, of a mesh with the given sizes; an axis that is
// left out has size 1.
func New(index int, sizes map[Axis]int) (Rank, error) {
	r := Rank{index: index}
	for a, n := range sizes {
		if a >= axes || n < 1 {
			return Rank{}, fmt.Errorf("mesh: axis %s has size %d; use 1 or more", a, n)
		}
		r.extra[a] = n - 1
	}
	if index < 0 || index >= r.Count() {
		return Rank{}, fmt.Errorf("mesh: rank %d is outside a mesh of %d", index, r.Count())
	}
	return r, nil
}

// Of returns rank index of count that divide the data. It panics outside [0, count).
func Of(index, count int) Rank {
	r, err := New(index, map[Axis]int{DP: count})
	if err != nil {
		panic(err)
	}
	return r
}

// Index numbers the ranks from 0.
func (r Rank) Index() int { return r.index }

// Count is the number of ranks of the run.
func (r Rank) Count() int {
	n := 1
	for a := range axes {
		n *= r.Size(a)
	}
	return n
}

// Size is the number of ranks along an axis.
func (r Rank) Size(a Axis) int { return r.extra[a] + 1 }

// At is the place along an axis, in [0, Size(a)).
func (r Rank) At(a Axis) int {
	stride := 1
	for b := axes - 1; b > a; b-- {
		stride *= r.Size(b)
	}
	return r.index / stride % r.Size(a)
}

// First tells whether this is rank 0, which writes what there is one of.
func (r Rank) First() bool { return r.index == 0 }

// Alone tells whether there is no other rank.
func (r Rank) Alone() bool { return r.Count() == 1 }

// Shares is the number of parts into which the samples of a step are divided, and
// Share is this rank's.
func (r Rank) Shares() int { return r.Size(DP) * r.Size(FSDP) }

// Share is this rank's part of the samples of a step, in [0, Shares()).
func (r Rank) Share() int { return r.At(DP)*r.Size(FSDP) + r.At(FSDP) }

// String writes the rank as "rank 3 of 8".
func (r Rank) String() string { return fmt.Sprintf("rank %d of %d", r.index, r.Count()) }
