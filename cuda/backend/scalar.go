//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindMap(c *call) func() {
	return c.mapScalars("map", c.in(0), c.in(1), c.out(0))
}

func bindMapBackward(c *call) func() {
	return c.mapScalars("map_backward", c.in(0), c.in(1), c.in(2), c.out(0))
}

func (c *call) mapScalars(name string, pointers ...cuda.Ptr) func() {
	a := c.Attrs.(ir.MapAttrs)
	return c.mapElements(name, pointers, int32(a.Fn), a.A, a.B)
}

func bindSegmentSum(c *call) func() {
	count := c.Out[0].Shape[0]
	return c.segments("segment_sum", count, cuda.Dim{X: count, Y: 1, Z: 1})
}

func bindSegmentBroadcast(c *call) func() {
	return c.segments("segment_broadcast", c.In[0].Shape[0], cuda.Dim{X: blocks(c.Out[0].Shape[0], elementBlock.X), Y: 1, Z: 1})
}

// segments starts a kernel of scalar.cu over tokens that have a segment below count.
func (c *call) segments(name string, count int, grid cuda.Dim) func() {
	fault, check := c.checks("segment", count)
	return c.launch(name, grid, elementBlock, 0,
		c.in(0), c.in(1), c.out(0), fault, check, int32(c.In[1].Shape[0]), int32(count))
}
