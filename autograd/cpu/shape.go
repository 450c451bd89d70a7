package cpu

import "example.com/gotrain/autograd/ir"

// transposeTile is the side of the blocks of a transposition: both fit the L1
// cache.
const transposeTile = 64

// bindTranspose merges axes that stay together. Where the innermost axis stays,
// rows are copied; else y is a grid of transposed matrices.
func bindTranspose(c *call) func() {
	size, stride := c.In[0].Shape.Transposed(c.Attrs.(ir.TransposeAttrs).Perm)
	last := len(size) - 1
	v, x, y := c.vec, c.x(0), c.y(0)
	if stride[last] == 1 {
		width := size[last]
		var rows lattice
		for a := range last {
			rows.add(size[a], stride[a])
		}
		return c.split(rows.count(), rowGrain(streamGrain, width), func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				copy(y[i*width:][:width], x[rows.offset(i):][:width])
			}
		})
	}

	// Axis in of y is the innermost of x, axis last of y the innermost of y.
	in := 0
	for stride[in] != 1 {
		in++
	}
	ld := 1 // of y along axis in
	for _, s := range size[in+1:] {
		ld *= s
	}
	var from, to lattice
	step := len(y)
	for a := range last {
		step /= size[a]
		if a != in {
			from.add(size[a], stride[a])
			to.add(size[a], step)
		}
	}
	tilesC := blocks(size[in], transposeTile)
	tilesR := blocks(size[last], transposeTile)
	return c.each(from.count()*tilesR*tilesC, len(y), func(task, _ int) {
		r := task / tilesC % tilesR * transposeTile
		col := task % tilesC * transposeTile
		matrix := task / (tilesR * tilesC)
		v.Transpose(y[to.offset(matrix)+col*ld+r:], ld, x[from.offset(matrix)+r*stride[last]+col:], stride[last],
			min(transposeTile, size[last]-r), min(transposeTile, size[in]-col))
	})
}

// runs returns the shape as (outer, inner), split before axis.
func runs(shape ir.Shape, axis int) (outer, inner int) {
	return shape[:axis].Size(), shape[axis:].Size()
}

func bindSlice(c *call) func() {
	a, x, y := c.Attrs.(ir.SliceAttrs), c.x(0), c.y(0)
	outer, from := runs(c.In[0].Shape, a.Axis)
	_, to := runs(c.Out[0].Shape, a.Axis)
	start := a.Start * (from / c.In[0].Shape[a.Axis])
	return c.split(outer, rowGrain(streamGrain, to), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			copy(y[i*to:][:to], x[i*from+start:][:to])
		}
	})
}

func bindSliceBackward(c *call) func() {
	a, dy, dx := c.Attrs.(ir.SliceAttrs), c.x(0), c.y(0)
	outer, from := runs(c.In[0].Shape, a.Axis)
	_, to := runs(c.Out[0].Shape, a.Axis)
	start := a.Start * (to / c.Out[0].Shape[a.Axis])
	return c.split(outer, rowGrain(streamGrain, to), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			row := dx[i*to:][:to]
			clear(row[:start])
			copy(row[start:], dy[i*from:][:from])
			clear(row[start+from:])
		}
	})
}

func bindConcat(c *call) func() {
	y := c.y(0)
	outer, to := runs(c.Out[0].Shape, c.Attrs.(ir.ConcatAttrs).Axis)
	parts := make([][]float32, len(c.In))
	for i := range parts {
		parts[i] = c.x(i)
	}
	return c.split(outer, rowGrain(streamGrain, to), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			row := y[i*to:][:to]
			for _, x := range parts {
				from := len(x) / outer
				row = row[copy(row, x[i*from:][:from]):]
			}
		}
	})
}
