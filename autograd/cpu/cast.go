package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// bindCast rounds float32 to bfloat16 or widens it back.
func bindCast(c *call) func() {
	v, narrow := c.vec, c.Out[0].DType == ir.BF16
	if c.In[0].DType == c.Out[0].DType {
		x, y := bytesOf(c.args.In[0]), bytesOf(c.args.Out[0])
		return c.split(len(y), streamGrain, func(lo, hi, _ int) { copy(y[lo:hi], x[lo:hi]) })
	}
	if narrow {
		x, y := c.x(0), view[vec.BF16](c.args.Out[0])
		return c.split(len(y), streamGrain, func(lo, hi, _ int) { v.ToBF16(y[lo:hi], x[lo:hi]) })
	}
	x, y := view[vec.BF16](c.args.In[0]), c.y(0)
	return c.split(len(y), streamGrain, func(lo, hi, _ int) { v.FromBF16(y[lo:hi], x[lo:hi]) })
}
