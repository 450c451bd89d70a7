package cpu

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// windows calls f with the rows of the pixels that window (i, j) of picture b has.
func windows(a ir.PoolAttrs, b, i, j int, f func(pixel int)) {
	top, left := i*a.Stride[0]-a.Pad[0], j*a.Stride[1]-a.Pad[1]
	for y := max(top, 0); y < min(top+a.Kernel[0], a.Height); y++ {
		for x := max(left, 0); x < min(left+a.Kernel[1], a.Width); x++ {
			f((b*a.Height+y)*a.Width + x)
		}
	}
}

func bindMaxPool(c *call) func() {
	a, x, y := c.Attrs.(ir.PoolAttrs), c.x(0), c.y(0)
	channels := c.In[0].Shape.Cols()
	height, width := a.Out()
	return c.split(a.Batch*height*width, rowGrain(streamGrain, channels*a.Kernel[0]*a.Kernel[1]), func(lo, hi, _ int) {
		for row := lo; row < hi; row++ {
			most := y[row*channels:][:channels]
			for k := range most {
				most[k] = float32(math.Inf(-1))
			}
			windows(a, row/(height*width), row/width%height, row%width, func(pixel int) {
				for k, v := range x[pixel*channels:][:channels] {
					if v > most[k] || v != v {
						most[k] = v
					}
				}
			})
		}
	})
}

// bindMaxPoolBackward goes over the windows of a picture one after the other: they may
// overlap.
func bindMaxPoolBackward(c *call) func() {
	a, x, y, dy, dx := c.Attrs.(ir.PoolAttrs), c.x(0), c.x(1), c.x(2), c.y(0)
	channels := c.In[0].Shape.Cols()
	height, width := a.Out()
	part := min(channels, poolChannels)
	parts := blocks(channels, part)
	size := a.Height * a.Width
	return c.each(a.Batch*parts, len(dx), func(task, _ int) {
		b, from := task/parts, task%parts*part
		to := min(from+part, channels)
		for pixel := b * size; pixel < (b+1)*size; pixel++ {
			clear(dx[pixel*channels+from : pixel*channels+to])
		}
		var open [poolChannels]bool // channels whose largest pixel has not come
		for row := b * height * width; row < (b+1)*height*width; row++ {
			most, d := y[row*channels+from:row*channels+to], dy[row*channels+from:row*channels+to]
			for k := range most {
				open[k] = true
			}
			windows(a, b, row/width%height, row%width, func(pixel int) {
				at := pixel*channels + from
				for k, v := range x[at:][:len(most)] {
					if open[k] && (v == most[k] || v != v) {
						dx[at+k] += d[k]
						open[k] = false
					}
				}
			})
		}
	})
}

// poolChannels are those of a task of a MaxPoolBackward.
const poolChannels = 32
