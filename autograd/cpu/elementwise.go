package cpu

import "example.com/gotrain/autograd/ir"

func bindAdd(c *call) func() {
	v, y, a, b := c.vec, c.y(0), c.x(0), c.x(1)
	return c.split(len(y), streamGrain, func(lo, hi, _ int) { v.Add(y[lo:hi], a[lo:hi], b[lo:hi]) })
}

func bindMul(c *call) func() {
	v, y, a, b := c.vec, c.y(0), c.x(0), c.x(1)
	return c.split(len(y), streamGrain, func(lo, hi, _ int) { v.Mul(y[lo:hi], a[lo:hi], b[lo:hi]) })
}

func bindScale(c *call) func() { return c.scale(c.Attrs.(ir.ScaleAttrs).Alpha) }

func (c *call) scale(alpha float32) func() {
	v, y, x := c.vec, c.y(0), c.x(0)
	if alpha == 1 {
		return c.copyOrClear(y, x)
	}
	return c.split(len(y), streamGrain, func(lo, hi, _ int) { v.Scale(y[lo:hi], x[lo:hi], alpha) })
}

func bindScaleBy(c *call) func() {
	v, y, x, s := c.vec, c.y(0), c.x(0), c.x(1)
	return c.split(len(y), streamGrain, func(lo, hi, _ int) { v.Scale(y[lo:hi], x[lo:hi], s[0]) })
}

// bindReshape runs nothing: the result has the storage of x.
func bindReshape(*call) func() { return func() {} }
