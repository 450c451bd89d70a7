package cpu

import "example.com/gotrain/autograd/ir"

func scratchColumnSum(_ *Backend, in *ir.Instr) int { return scratchRows(in.In[0].Shape) }

// scratchRows is the workspace of columnSum.
func scratchRows(shape ir.Shape) int {
	n, d := shape.Rows(), shape.Cols()
	return blocks(n, blockRows(n, d)) * d
}

func bindColumnSum(c *call) func() { return c.columnSum(c.In[0].Shape, c.x(0), c.x(1), c.y(0)) }

// thenSums returns a function that runs a kernel, then adds up the rows of its results
// where that is asked for (ir.Info.Sums).
func (c *call) thenSums(run func()) func() {
	for _, pair := range ir.Kinds[c.Kind].Sums {
		if c.Out[pair[0]] == nil {
			continue
		}
		kernel, sum := run, c.columnSum(c.Out[pair[1]].Shape, c.y(pair[1]), nil, c.y(pair[0]))
		run = func() {
			kernel()
			sum()
		}
	}
	return run
}

// columnSum returns a function that adds up the rows of x, and addend if there
// is one, in scratchRows floats of the workspace.
func (c *call) columnSum(shape ir.Shape, x, addend, y []float32) func() {
	v, n, d := c.vec, shape.Rows(), shape.Cols()
	size := blockRows(n, d)
	partial := c.scratch()[:blocks(n, size)*d]
	sum := c.split(n, size, func(lo, hi, _ int) {
		v.ColumnSum(partial[lo/size*d:][:d], x[lo*d:hi*d], false)
	})
	return func() {
		sum()
		if addend != nil {
			copy(y, addend)
		}
		v.ColumnSum(y, partial, addend != nil)
	}
}
