package cpu

import "gotrain/autograd/ir"

func scratchColumnSum(_ *Backend, in *ir.Instr) int {
	n, d := in.In[0].Shape.Rows(), in.In[0].Shape.Cols()
	return blocks(n, blockRows(n, d)) * d
}

func bindColumnSum(c *call) func() {
	x, addend, y := c.x(0), c.x(1), c.y(0)
	v, n, d := c.vec, c.In[0].Shape.Rows(), c.In[0].Shape.Cols()
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
