package cpu

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

func bindMap(c *call) func() {
	y, x, b := c.y(0), c.x(0), c.x(1)
	a := c.Attrs.(ir.MapAttrs)
	if b == nil {
		f := unary(a)
		return c.split(len(y), mathGrain, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				y[i], _ = f(x[i])
			}
		})
	}
	sign := minSign(a.Fn)
	return c.split(len(y), mathGrain, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			y[i] = sign * min(sign*x[i], sign*b[i])
		}
	})
}

func bindMapBackward(c *call) func() {
	dx, x, b, dy := c.y(0), c.x(0), c.x(1), c.x(2)
	a := c.Attrs.(ir.MapAttrs)
	if b == nil {
		f := unary(a)
		return c.split(len(dx), mathGrain, func(lo, hi, _ int) {
			for i := lo; i < hi; i++ {
				_, slope := f(x[i])
				dx[i] = dy[i] * slope
			}
		})
	}
	sign := minSign(a.Fn)
	return c.split(len(dx), mathGrain, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			switch p, q := sign*x[i], sign*b[i]; {
			case p > q:
				dx[i] = 0
			case p == q:
				dx[i] = dy[i] / 2
			default:
				dx[i] = dy[i]
			}
		}
	})
}

// minSign is 1 for Min, and -1 for Max, which is -Min of the negatives.
func minSign(fn ir.Fn) float32 {
	if fn == ir.Max {
		return -1
	}
	return 1
}

// unary returns what gives the value and the slope of a function of one number, computed
// in float64.
func unary(a ir.MapAttrs) func(x float32) (y, slope float32) {
	f := func(f func(x float64) (y, slope float64)) func(x float32) (y, slope float32) {
		return func(x float32) (float32, float32) {
			y, slope := f(float64(x))
			return float32(y), float32(slope)
		}
	}
	switch a.Fn {
	case ir.Exp:
		return f(func(x float64) (float64, float64) { y := math.Exp(x); return y, y })
	case ir.Log:
		return f(func(x float64) (float64, float64) { return math.Log(x), 1 / x })
	case ir.Sigmoid:
		return f(func(x float64) (float64, float64) { y := 1 / (1 + math.Exp(-x)); return y, y / (1 + math.Exp(x)) })
	case ir.LogSigmoid:
		return f(func(x float64) (float64, float64) {
			return min(x, 0) - math.Log1p(math.Exp(-math.Abs(x))), 1 / (1 + math.Exp(x))
		})
	case ir.Log1mExp:
		return f(func(x float64) (float64, float64) { return log1mExp(x), -1 / math.Expm1(-x) })
	case ir.Clip:
		return func(x float32) (y, slope float32) {
			if x >= a.A && x <= a.B {
				return x, 1
			}
			return min(max(x, a.A), a.B), 0
		}
	case ir.Sign, ir.Step:
		return func(x float32) (y, slope float32) {
			switch {
			case x > 0:
				return 1, 0
			case x < 0 && a.Fn == ir.Sign:
				return -1, 0
			}
			return 0, 0
		}
	}
	return func(x float32) (y, slope float32) { return a.A*x + a.B, a.A }
}

// log1mExp is ln(1 - eˣ) for x ≤ 0, without cancellation on either side (Mächler 2012).
func log1mExp(x float64) float64 {
	if x > -math.Ln2 {
		return math.Log(-math.Expm1(x))
	}
	return math.Log1p(-math.Exp(x))
}
