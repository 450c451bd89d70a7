package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

func bindDropout(c *call) func() {
	v, x, rng, y := c.vec, c.x(0), c.ids(1), c.y(0)
	a, width := c.Attrs.(ir.DropoutAttrs), uint64(c.Out[0].Shape.Size()/c.Out[0].Shape[0])
	return c.split(len(y), mathGrain, func(lo, hi, _ int) {
		key := vec.DropoutKey{Seed: join(rng[0], rng[1]), Site: a.Site}
		v.Dropout(y[lo:hi], x[lo:hi], a.P, key, join(rng[2], rng[3])*width+uint64(lo))
	})
}

// join puts together the low and the high half of a 64-bit number.
func join(low, high int32) uint64 { return uint64(uint32(low)) | uint64(uint32(high))<<32 }
