package cpu

import "example.com/gotrain/autograd/ir"

// bindToFloat decodes integers of 32, 8, 4 or 1 bit. Tasks begin at whole bytes,
// since streamGrain is a multiple of 8.
func bindToFloat(c *call) func() {
	a, y := c.Attrs.(ir.ToFloatAttrs), c.y(0)
	scale, shift := a.Scale, a.Shift
	decode := func(x uint32) float32 { return float32(scale*float32(x)) + shift }
	b := bytesOf(c.args.In[0])
	switch c.In[0].DType {
	case ir.I32:
		x := c.ids(0)
		return c.split(len(y), streamGrain, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				y[i] = float32(scale*float32(x[i])) + shift
			}
		})
	case ir.U8:
		return c.split(len(y), streamGrain, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				y[i] = decode(uint32(b[i]))
			}
		})
	case ir.U4:
		return c.split(len(y), streamGrain, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				y[i] = decode(uint32(b[i/2] >> (i % 2 * 4) & 15))
			}
		})
	}
	zero, one := decode(0), decode(1)
	return c.split(len(y), streamGrain, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			y[i] = zero
			if b[i/8]>>(i%8)&1 != 0 {
				y[i] = one
			}
		}
	})
}
