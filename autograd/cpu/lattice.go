package cpu

import "example.com/gotrain/autograd/ir"

// lattice is a regular grid of offsets into a tensor: position i, row-major over
// size, is at Σ index·stride.
type lattice struct {
	rank         int
	size, stride [ir.MaxAxes]int
}

// add appends an axis, inside those that are there.
func (l *lattice) add(size, stride int) {
	l.size[l.rank], l.stride[l.rank] = size, stride
	l.rank++
}

// count returns the number of positions, 1 for no axes.
func (l *lattice) count() int {
	n := 1
	for _, s := range l.size[:l.rank] {
		n *= s
	}
	return n
}

// offset returns the offset of position i.
func (l *lattice) offset(i int) int {
	o := 0
	for a := l.rank - 1; a > 0; a-- {
		o += i % l.size[a] * l.stride[a]
		i /= l.size[a]
	}
	return o + i*l.stride[0]
}
