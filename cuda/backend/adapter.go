//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindScaleColumns(c *call) func() {
	return c.mapElements("scale_columns", []cuda.Ptr{c.in(0), c.in(1), c.in(2), c.out(0)}, int32(c.In[0].Shape.Cols()))
}

// inverseNormThreads are those of a block of inverse_norms: 8 warps.
var inverseNormThreads = cuda.Dim{X: 32, Y: 8, Z: 1}

func bindInverseNorms(c *call) func() {
	a := c.Attrs.(ir.InverseNormsAttrs)
	out, rank, in := c.In[2].Shape[0], c.In[0].Shape[0], c.In[0].Shape[1]
	name, outputs := "inverse_norms_rows", inverseNormThreads.Y
	if a.InOut {
		name, outputs = "inverse_norms_columns", inverseNormThreads.X
	}
	run := c.launchElem(name, cuda.Dim{X: blocks(out, outputs), Y: 1, Z: 1}, inverseNormThreads, 0,
		c.in(0), c.weight(), c.in(2), c.out(0), int32(out), int32(in), int32(rank), a.Scale)
	return c.decoded(run)
}
