//go:build gpu

package backend

import "example.com/gotrain/autograd/ir"

func bindMaxPool(c *call) func() { return c.pool("max_pool", c.in(0), c.out(0)) }

func bindMaxPoolBackward(c *call) func() {
	return c.pool("max_pool_backward", c.in(0), c.in(1), c.in(2), c.out(0))
}

// pool starts a kernel of pool.cu, a thread for each element of the result.
func (c *call) pool(name string, pointers ...any) func() {
	a, n := c.Attrs.(ir.PoolAttrs), int64(c.Out[0].Shape.Size())
	height, width := a.Out()
	pointers = append(pointers, n)
	for _, i := range []int{a.Height, a.Width, height, width, c.In[0].Shape.Cols(), a.Kernel[0], a.Kernel[1], a.Stride[0], a.Stride[1], a.Pad[0], a.Pad[1]} {
		pointers = append(pointers, int32(i))
	}
	return c.launchElem(name, elementGrid(n), elementBlock, 0, pointers...)
}
