package cpu

import "example.com/gotrain/autograd/ir"

// sumBlock is the number of elements of one partial sum of a whole tensor.
const sumBlock = 64 << 10

func scratchReduceSum(_ *Backend, in *ir.Instr) int { return blocks(in.In[0].Shape.Size(), sumBlock) }

func bindReduceSum(c *call) func() {
	a := c.Attrs.(ir.ReduceAttrs)
	gs := c.In[0].Shape.Runs(func(axis int) bool { return a.Axes[axis] })
	last := gs[len(gs)-1]
	switch {
	case len(gs) == 1 && last.Marked:
		return c.sumAll(a.Alpha)
	case len(gs) == 1:
		return c.scale(a.Alpha)
	case last.Marked:
		return c.sumRows(gs, a.Alpha)
	}
	return c.sumColumns(gs, a.Alpha)
}

// sumAll adds up fixed blocks in parallel, then their sums.
func (c *call) sumAll(alpha float32) func() {
	v, x, y := c.vec, c.x(0), c.y(0)
	partial := c.scratch()[:blocks(len(x), sumBlock)]
	sum := c.split(len(x), sumBlock, func(lo, hi, _ int) { partial[lo/sumBlock] = float32(v.Sum(x[lo:hi])) })
	return func() {
		sum()
		y[0] = float32(float64(alpha) * v.Sum(partial))
	}
}

// grid lays out the positions of the kept groups and those of the reduced ones
// but the last inner groups.
func grid(gs []ir.AxisRun, inner int) (kept, reduced lattice) {
	outer := gs[:len(gs)-inner]
	stride := 1
	for _, g := range gs {
		stride *= g.Size
	}
	for _, g := range outer {
		stride /= g.Size
		if g.Marked {
			reduced.add(g.Size, stride)
		} else {
			kept.add(g.Size, stride)
		}
	}
	return kept, reduced
}

// sumRows reduces the innermost axes: each result is a sum of contiguous runs.
func (c *call) sumRows(gs []ir.AxisRun, alpha float32) func() {
	v, x, y := c.vec, c.x(0), c.y(0)
	width := gs[len(gs)-1].Size
	kept, reduced := grid(gs, 1)
	runs := reduced.count()
	return c.split(len(y), rowGrain(streamGrain, runs*width), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			base, s := kept.offset(i), 0.0
			for r := range runs {
				s += v.Sum(x[base+reduced.offset(r):][:width])
			}
			y[i] = float32(float64(alpha) * s)
		}
	})
}

// sumColumns keeps the innermost axes: each row of results is a sum of the rows
// of matrices (height, width).
func (c *call) sumColumns(gs []ir.AxisRun, alpha float32) func() {
	v, x, y := c.vec, c.x(0), c.y(0)
	width, height := gs[len(gs)-1].Size, gs[len(gs)-2].Size
	kept, reduced := grid(gs, 2)
	runs := reduced.count()
	return c.split(kept.count(), rowGrain(streamGrain, runs*height*width), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			base, row := kept.offset(i), y[i*width:][:width]
			for r := range runs {
				v.ColumnSum(row, x[base+reduced.offset(r):][:height*width], r > 0)
			}
			if alpha != 1 {
				v.Scale(row, row, alpha)
			}
		}
	})
}

func bindBroadcast(c *call) func() {
	from, to := c.In[0].Shape, c.Out[0].Shape
	gs := to.Runs(func(axis int) bool { return from[axis] == 1 })
	v, x, y, alpha := c.vec, c.x(0), c.y(0), c.Attrs.(ir.ScaleAttrs).Alpha
	last := gs[len(gs)-1]
	width := last.Size
	var source lattice // the offset in x of each row of y
	stride := len(x)
	for _, g := range gs[:len(gs)-1] {
		if g.Marked {
			source.add(g.Size, 0)
		} else {
			stride /= g.Size
			source.add(g.Size, stride)
		}
	}
	return c.split(source.count(), rowGrain(streamGrain, width), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			row, at := y[i*width:][:width], source.offset(i)
			if last.Marked {
				v.Fill(row, alpha*x[at])
			} else {
				v.Scale(row, x[at:][:width], alpha)
			}
		}
	})
}
