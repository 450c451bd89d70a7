//go:build gpu

package backend

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindReduceSum(c *call) func() {
	r, alpha := newReduction(c.Instr), c.Attrs.(ir.ReduceAttrs).Alpha
	if r.cut == (cut{1, 1, 1, 1, 1}) {
		return c.scale(alpha) // nothing is summed
	}
	sum := c.sumRows
	if r.columns {
		sum = c.sumColumns
	}
	if r.cut.parts == 1 {
		return sum(&r, alpha)
	}
	grid := cuda.Dim{X: blocks(r.results(), elementBlock.X/warp), Y: 1, Z: 1}
	return sequence(sum(&r, alpha), c.launchElem("reduce_sum_parts", grid, elementBlock, 0,
		c.scratch(), c.out(0), int64(r.results()), int32(r.cut.parts), alpha))
}

// lattice returns l in device memory, 0 for no axes. Kernels count positions in
// 32 bits.
func (c *call) lattice(l lattice) cuda.Ptr {
	if len(l) == 0 {
		return 0
	}
	if l.count() > math.MaxInt32 {
		c.fail(fmt.Errorf("cuda: %s takes a tensor apart in %d rows, more than 2³¹: work on slices of it", c.Kind, l.count()))
	}
	return c.table(l.words())
}

// sumRows gives each part of a sum a warp, or a block where it is long.
func (c *call) sumRows(r *reduction, alpha float32) func() {
	team := warp
	if r.cut.length*r.cut.together > 64*warp {
		team = elementBlock.X
	}
	results := r.kept.count()
	grid := cuda.Dim{X: blocks(results*r.cut.parts, elementBlock.X/team), Y: 1, Z: 1}
	return c.launchElem("reduce_sum_rows", grid, elementBlock, 0,
		c.in(0), c.out(0), c.scratch(), int32(results), int64(r.width),
		int32(r.cut.runs), int32(r.cut.pieces), int32(r.cut.together), int64(r.cut.length), int32(r.cut.parts),
		c.lattice(r.kept), int32(len(r.kept)), c.lattice(r.reduced), int32(len(r.reduced)), int32(team), alpha)
}

// sumColumns gives each part of a warp of columns a block, where packs of 16
// bytes fit a row as many columns as a warp has packs.
func (c *call) sumColumns(r *reduction, alpha float32) func() {
	perThread, packed := 128/c.elem().Bits(), int32(1)
	if r.width%perThread != 0 {
		perThread, packed = 1, 0
	}
	grid := cuda.Dim{X: r.kept.count() * blocks(r.width, warp*perThread) * r.cut.parts, Y: 1, Z: 1}
	return c.launchElem("reduce_sum_columns", grid, cuda.Dim{X: warp, Y: 8, Z: 1}, 0,
		c.in(0), c.out(0), c.scratch(), int64(r.width), int64(r.height),
		int32(r.cut.runs), int32(r.cut.pieces), int32(r.cut.together), int64(r.cut.length), int32(r.cut.parts),
		c.lattice(r.kept), int32(len(r.kept)), c.lattice(r.reduced), int32(len(r.reduced)), packed, alpha)
}

// bindBroadcast copies a row of x, or fills one with an element of x, for each
// row of y.
func bindBroadcast(c *call) func() {
	from := c.In[0].Shape
	runs := c.Out[0].Shape.Runs(func(axis int) bool { return from[axis] == 1 })
	last := runs[len(runs)-1]
	var source lattice // the offset in x of each row of y
	stride := from.Size()
	for _, g := range runs[:len(runs)-1] {
		if g.Marked {
			source = append(source, [2]int{g.Size, 0})
		} else {
			stride /= g.Size
			source = append(source, [2]int{g.Size, stride})
		}
	}
	fill := int32(0)
	if last.Marked {
		fill = 1
	}
	return c.launchElem("broadcast", elementGrid(int64(c.Out[0].Shape.Size())), elementBlock, 0,
		c.in(0), c.out(0), int64(source.count()), int64(last.Size), fill, c.lattice(source), int32(len(source)), c.Attrs.(ir.ScaleAttrs).Alpha)
}

// words is l as lattice.cuh reads it.
func (l lattice) words() []uint64 {
	var words []uint64
	for _, axis := range l {
		words = append(words, uint64(axis[0]), uint64(axis[1]))
	}
	return words
}
