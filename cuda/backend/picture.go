//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// convTile is the side of the tiles of conv.cu.
const convTile = 64

// convolution starts a kernel of conv.cu, a block for each tile of (rows, columns) results
// of each group; w is the shape of the weights.
func (c *call) convolution(name string, w ir.Shape, rows, columns int, pointers ...any) func() {
	a := c.Attrs.(ir.ConvAttrs)
	height, width := a.Out()
	grid := cuda.Dim{X: blocks(rows, convTile), Y: blocks(columns, convTile), Z: a.Groups}
	for _, n := range []int{a.Batch, a.Height, a.Width, height, width, w[3], w[0] / a.Groups, a.Groups,
		a.Kernel[0], a.Kernel[1], a.Stride[0], a.Stride[1], a.Pad[0], a.Pad[1]} {
		pointers = append(pointers, int32(n))
	}
	return c.launchElem(name, grid, elementBlock, 0, pointers...)
}

func bindConv(c *call) func() {
	w, a := c.In[1].Shape, c.Attrs.(ir.ConvAttrs)
	return c.convolution("conv", w, c.Out[0].Shape.Rows(), w[0]/a.Groups, c.in(0), c.in(1), c.in(2), c.in(3), c.out(0))
}

func bindConvInput(c *call) func() {
	w := c.In[1].Shape
	return c.convolution("conv_input", w, c.Out[0].Shape.Rows(), w[3], c.in(0), c.in(1), c.in(2), c.in(3), c.out(0))
}

func bindConvWeights(c *call) func() {
	w, a := c.Out[0].Shape, c.Attrs.(ir.ConvAttrs)
	return c.convolution("conv_weights", w, w[0]/a.Groups, w.Size()/w[0], c.in(0), c.in(1), c.in(2), c.out(0))
}

func bindGroupNorm(c *call) func() {
	a := c.Attrs.(ir.GroupNormAttrs)
	return c.launchElem("groupnorm", cuda.Dim{X: a.Batch * a.Groups, Y: 1, Z: 1}, elementBlock, 0,
		c.in(0), c.in(1), c.in(2), c.out(0), c.out(1), c.out(2), c.inputRows()/int32(a.Batch), c.inputCols(), int32(a.Groups), a.Eps, int32(a.Act))
}

// bindGroupNormBackward sums by picture and channel, then over pictures, and by group.
func bindGroupNormBackward(c *call) func() {
	a := c.Attrs.(ir.GroupNormAttrs)
	pixels, channels := c.inputRows()/int32(a.Batch), c.inputCols()
	partials := c.scratch()
	return sequence(
		c.launchElem("groupnorm_sums", cuda.Dim{X: blocks(int(channels), warp), Y: a.Batch, Z: 1}, cuda.Dim{X: warp, Y: 8, Z: 1}, 0,
			c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.in(5), partials, pixels, channels, int32(a.Groups), int32(a.Act)),
		c.sumPartials(partials, 0, a.Batch, int(channels), c.out(1), c.out(2)),
		c.launchElem("groupnorm_backward", cuda.Dim{X: a.Batch * a.Groups, Y: 1, Z: 1}, elementBlock, 0,
			c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.in(5), c.in(6), partials, c.out(0), pixels, channels, int32(a.Groups), int32(a.Act)))
}

func bindUpsample(c *call) func() { return c.resample("upsample") }

func bindSumPool(c *call) func() { return c.resample("sum_pool") }

// resample starts a kernel of resample.cu.
func (c *call) resample(name string) func() {
	a, n := c.Attrs.(ir.ResampleAttrs), int64(c.Out[0].Shape.Size())
	return c.launchElem(name, elementGrid(n), elementBlock, 0,
		c.in(0), c.out(0), n, c.inputCols(), int32(a.Width), int32(a.Factor[0]), int32(a.Factor[1]), a.Alpha)
}

func bindNormal(c *call) func() {
	shape, n := c.Out[0].Shape, int64(c.Out[0].Shape.Size())
	return c.launch("normal", elementGrid(n), elementBlock, 0, c.in(0), c.out(0), n, int32(shape.Size()/shape[0]), int32(c.Attrs.(ir.NormalAttrs).Site))
}
