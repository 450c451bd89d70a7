//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindRoPE(c *call) func() {
	a := c.Attrs.(ir.RoPEAttrs)
	rows, half, length := c.In[2].Shape.Size(), a.HeadDim/2, c.In[1].Shape[0]
	sign := float32(1)
	if a.Inverse {
		sign = -1
	}
	threads := rows * a.Heads * half
	if pack := 128 / c.elem().Bits(); half%pack == 0 {
		threads /= pack
	}
	fault, check := c.checks("position", length)
	return c.launchElem("rope", cuda.Dim{X: divideUp(threads, 256), Y: 1, Z: 1}, elementBlock, 0,
		c.in(0), c.in(1), c.in(2), c.out(0), fault, check, int32(rows), int32(a.Heads), int32(a.HeadDim), int32(length), sign)
}
