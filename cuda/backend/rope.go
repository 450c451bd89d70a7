//go:build gpu

package backend

import "gotrain/cuda"

func bindRoPE(c *call) func() {
	rows, half, length := c.In[2].Shape.Size(), c.HeadDim/2, c.In[1].Shape[0]
	sign := float32(1)
	if c.Inverse {
		sign = -1
	}
	threads := rows * c.Heads * half
	if pack := 128 / c.elem().Bits(); half%pack == 0 {
		threads /= pack
	}
	fault, check := c.checks("position", length)
	return c.launchElem("rope", cuda.Dim{X: divideUp(threads, 256), Y: 1, Z: 1}, elementBlock, 0,
		c.in(0), c.in(1), c.in(2), c.out(0), fault, check, int32(rows), int32(c.Heads), int32(c.HeadDim), int32(length), sign)
}
