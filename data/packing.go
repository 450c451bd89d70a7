package data

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// Packing distributes examples over rows. Which lengths share a row is fixed, so that every epoch has as many rows; which
// examples of these lengths do, and the order of the rows, is drawn anew for each epoch.
type Packing struct {
	rows   [][]slot
	order  []int32 // examples, the longest first
	first  []int32 // of each class of equal length, the place in order of its first example, and the end of the last
	tokens int64   // positions that hold tokens
}

// slot is example number at of a class of equal length.
type slot struct{ class, at int32 }

// NewPacking packs examples that take so many positions each, of which none is above capacity, into rows of capacity
// positions, or gives each a row of its own. Each example goes, the longest first, into the row where it leaves the least
// room: best-fit decreasing, which takes at most 11/9 of the least number of rows, and 6/9 of one (Johnson 1973; Dósa 2007
// for first-fit, with the same bound).
func NewPacking(lengths []int, capacity int, together bool) *Packing {
	p := &Packing{order: make([]int32, len(lengths))}
	for i := range p.order {
		p.order[i] = int32(i)
	}
	slices.SortStableFunc(p.order, func(a, b int32) int { return cmp.Compare(lengths[b], lengths[a]) })
	open := newOpenRows(capacity)
	length := -1
	for place, example := range p.order {
		n := lengths[example]
		p.tokens += int64(n)
		if n != length {
			p.first = append(p.first, int32(place))
			length = n
		}
		class := int32(len(p.first) - 1)
		item := slot{class, int32(place) - p.first[class]}
		row, room := -1, capacity
		if together {
			row, room = open.take(n)
		}
		if row < 0 {
			row, room = len(p.rows), capacity
			p.rows = append(p.rows, nil)
		}
		p.rows[row] = append(p.rows[row], item)
		if together {
			open.put(row, room-n)
		}
	}
	p.first = append(p.first, int32(len(p.order)))
	return p
}

// openRows finds the row with the least room that is enough.
type openRows struct {
	byRoom [][]int
	some   []uint64 // bit r is set when byRoom[r] is not empty
}

func newOpenRows(capacity int) *openRows {
	return &openRows{byRoom: make([][]int, capacity+1), some: make([]uint64, capacity/64+1)}
}

// take removes and returns the row with the least room ≥ n, and its room; row -1 when there is none.
func (o *openRows) take(n int) (row, room int) {
	for word := n / 64; word < len(o.some); word++ {
		set := o.some[word]
		if word == n/64 {
			set &= ^uint64(0) << (n % 64)
		}
		if set == 0 {
			continue
		}
		room = word*64 + bits.TrailingZeros64(set)
		rows := o.byRoom[room]
		row = rows[len(rows)-1]
		if o.byRoom[room] = rows[:len(rows)-1]; len(rows) == 1 {
			o.some[word] &^= 1 << (room % 64)
		}
		return row, room
	}
	return -1, 0
}

func (o *openRows) put(row, room int) {
	o.byRoom[room] = append(o.byRoom[room], row)
	o.some[room/64] |= 1 << (room % 64)
}

// Rows is the number of rows of an epoch.
func (p *Packing) Rows() int { return len(p.rows) }

// Positions is how many positions of an epoch hold examples.
func (p *Packing) Positions() int64 { return p.tokens }

// Sample yields the examples of row i of an epoch, in their order.
func (p *Packing) Sample(i, seed, epoch uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, s := range p.rows[p.rowOf(i, seed, epoch)] {
			if !yield(p.example(s, seed, epoch)) {
				return
			}
		}
	}
}

// Row yields the examples of row i as they were packed.
func (p *Packing) Row(i int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, s := range p.rows[i] {
			if !yield(int(p.order[p.first[s.class]+s.at])) {
				return
			}
		}
	}
}

// example returns the example in a slot in an epoch.
func (p *Packing) example(s slot, seed, epoch uint64) int {
	lo, hi := p.first[s.class], p.first[s.class+1]
	order := NewPermutation(uint64(hi-lo), seed, p.stream(epoch)+1+uint64(s.class))
	return int(p.order[uint64(lo)+order.At(uint64(s.at))])
}

// rowOf returns the row that is number i of an epoch.
func (p *Packing) rowOf(i, seed, epoch uint64) int {
	order := NewPermutation(uint64(len(p.rows)), seed, p.stream(epoch))
	return int(order.At(i))
}

// stream is the first of the streams of random numbers of an epoch: one for the rows and one for each class.
func (p *Packing) stream(epoch uint64) uint64 { return epoch * uint64(len(p.first)) }
