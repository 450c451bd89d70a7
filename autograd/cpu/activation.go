package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// activation returns the kernels of act and of its gradient: dst = act(x) and
// dx = dy·act'(x).
func activation(v *vec.Impl, act ir.Act) (forward func(dst, x []float32), backward func(dx, x, dy []float32)) {
	switch act {
	case ir.GELU:
		return v.GELU, v.GELUBackward
	case ir.GELUTanh:
		return v.GELUTanh, v.GELUTanhBackward
	case ir.SiLU:
		return v.SiLU, v.SiLUBackward
	case ir.ReLU2:
		return v.ReLU2, v.ReLU2Backward
	case ir.ReLU:
		return v.ReLU, v.ReLUBackward
	case ir.Tanh:
		return v.Tanh, v.TanhBackward
	case ir.LeakyReLU:
		return v.LeakyReLU, v.LeakyReLUBackward
	}
	return func(dst, x []float32) { copy(dst, x) }, func(dx, _, dy []float32) { copy(dx, dy) }
}

func bindActivation(c *call) func() {
	y, x := c.y(0), c.x(0)
	forward, _ := activation(c.vec, c.Attrs.(ir.ActivationAttrs).Act)
	return c.split(len(y), mathGrain, func(lo, hi, _ int) { forward(y[lo:hi], x[lo:hi]) })
}

func bindActivationBackward(c *call) func() {
	dx, x, dy := c.y(0), c.x(0), c.x(1)
	_, backward := activation(c.vec, c.Attrs.(ir.ActivationAttrs).Act)
	return c.split(len(dx), mathGrain, func(lo, hi, _ int) { backward(dx[lo:hi], x[lo:hi], dy[lo:hi]) })
}

func bindSwiGLU(c *call) func() {
	v, y, gate, up := c.vec, c.y(0), c.x(0), c.x(1)
	return c.split(len(y), mathGrain, func(lo, hi, _ int) { v.SwiGLU(y[lo:hi], gate[lo:hi], up[lo:hi]) })
}

func bindSwiGLUBackward(c *call) func() {
	v, dgate, dup := c.vec, c.y(0), c.y(1)
	gate, up, dy := c.x(0), c.x(1), c.x(2)
	return c.split(len(dgate), mathGrain, func(lo, hi, _ int) {
		v.SwiGLUBackward(dgate[lo:hi], dup[lo:hi], gate[lo:hi], up[lo:hi], dy[lo:hi])
	})
}
