//go:build gpu

package backend

import "example.com/gotrain/cuda"

func bindMSE(c *call) func() {
	n := c.In[0].Shape.Size()
	chunk := mseChunk(n)
	parts := blocks(n, chunk)
	return sequence(
		c.launchElem("mse_partial", cuda.Dim{X: parts, Y: 1, Z: 1}, elementBlock, 0,
			c.in(0), c.in(1), c.scratch(), int64(n), int32(chunk)),
		c.launch("mse_loss", cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 1024, Y: 1, Z: 1}, 0,
			c.scratch(), c.out(0), int32(parts), int64(n)))
}

func bindMSEBackward(c *call) func() {
	return c.mapElements("mse_backward", []cuda.Ptr{c.in(0), c.in(1), c.in(2), c.out(0)})
}
