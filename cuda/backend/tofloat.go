//go:build gpu

package backend

import "example.com/gotrain/autograd/ir"

// bindToFloat starts the kernel of tofloat.cu for the dtypes of x and y.
func bindToFloat(c *call) func() {
	a, n := c.Attrs.(ir.ToFloatAttrs), int64(c.Out[0].Shape.Size())
	return c.launchElem("to_float_"+c.In[0].DType.String(), elementGrid(n), elementBlock, 0, c.in(0), c.out(0), n, a.Scale, a.Shift)
}
