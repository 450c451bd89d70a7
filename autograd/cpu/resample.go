package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

func bindUpsample(c *call) func() {
	a, v, x, y := c.Attrs.(ir.ResampleAttrs), c.vec, c.x(0), c.y(0)
	channels := c.In[0].Shape.Cols()
	line := a.Width * channels
	wide := line * a.Factor[1]
	return c.split(a.Batch*a.Height, rowGrain(streamGrain, wide*a.Factor[0]), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			lines := y[i*a.Factor[0]*wide:][:a.Factor[0]*wide]
			for j := range a.Width {
				pixel := lines[j*a.Factor[1]*channels:]
				v.Scale(pixel[:channels], x[i*line+j*channels:][:channels], a.Alpha)
				for k := 1; k < a.Factor[1]; k++ {
					copy(pixel[k*channels:][:channels], pixel)
				}
			}
			for k := 1; k < a.Factor[0]; k++ {
				copy(lines[k*wide:][:wide], lines)
			}
		}
	})
}

func bindSumPool(c *call) func() {
	a, v, x, y := c.Attrs.(ir.ResampleAttrs), c.vec, c.x(0), c.y(0)
	channels := c.In[0].Shape.Cols()
	wide, block := a.Width*a.Factor[1]*channels, a.Factor[1]*channels
	return c.split(a.Batch*a.Height*a.Width, rowGrain(streamGrain, block*a.Factor[0]), func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			row, sum := i/a.Width, y[i*channels:][:channels]
			for k := range a.Factor[0] {
				v.ColumnSum(sum, x[(row*a.Factor[0]+k)*wide+i%a.Width*block:][:block], k > 0)
			}
			v.Scale(sum, sum, a.Alpha)
		}
	})
}

// normalGrain is mathGrain of elements that take three functions each.
const normalGrain = 1 << 10

func bindNormal(c *call) func() {
	v, rng, y := c.vec, c.ids(0), c.y(0)
	site, width := c.Attrs.(ir.NormalAttrs).Site, uint64(c.Out[0].Shape.Size()/c.Out[0].Shape[0])
	return c.split(len(y), normalGrain, func(lo, hi, _ int) {
		v.Normal(y[lo:hi], vec.DropoutKey{Seed: join(rng[0], rng[1]), Site: site}, join(rng[2], rng[3])*width+uint64(lo))
	})
}
