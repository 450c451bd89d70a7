package autograd

import "example.com/gotrain/autograd/ir"

// Shift returns x + c.
func Shift(x *Node, c float32) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Affine, A: 1, B: c}) }

// Exp returns eˣ.
func Exp(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Exp}) }

// Log returns ln x.
func Log(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Log}) }

// Sigmoid returns 1/(1 + e⁻ˣ).
func Sigmoid(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Sigmoid}) }

// LogSigmoid returns -ln(1 + e⁻ˣ), without overflow.
func LogSigmoid(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.LogSigmoid}) }

// Log1mExp returns ln(1 - eˣ) for x ≤ 0: of the log-probability of an event that of
// its opposite.
func Log1mExp(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Log1mExp}) }

// Clip returns x within [lo, hi], as torch.clamp. Outside the gradient is 0.
func Clip(x *Node, lo, hi float32) *Node {
	if !(lo <= hi) {
		return x.g.fail("Clip", "[%g, %g] is empty", lo, hi)
	}
	return apply1(x, ir.MapAttrs{Fn: ir.Clip, A: lo, B: hi})
}

// Sign returns -1, 0 or 1. Its gradient is 0.
func Sign(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Sign}) }

// Step returns 1 where x > 0, else 0. Its gradient is 0: multiplied by it, a node is
// selected.
func Step(x *Node) *Node { return apply1(x, ir.MapAttrs{Fn: ir.Step}) }

// Min returns the smaller of a and b, of the same shape. Where they are equal, each has
// half of the gradient.
func Min(a, b *Node) *Node { return apply2(a, b, ir.Min) }

// Max returns the larger of a and b, of the same shape, with gradients as Min.
func Max(a, b *Node) *Node { return apply2(a, b, ir.Max) }

// Sub returns a - b, of the same shape.
func Sub(a, b *Node) *Node { return Add(a, Scale(b, -1)) }

func apply1(x *Node, attrs ir.MapAttrs) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	return g.apply(ir.Map, attrs, []*Node{x, nil}, []spec{like(x)}, []bool{true, false},
		func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{mapBackward(attrs, in[0], nil, dy), nil} })
}

func apply2(a, b *Node, fn ir.Fn) *Node {
	attrs := ir.MapAttrs{Fn: fn}
	g := a.g
	if broken(a, b) {
		return g.pass()
	}
	if !a.shape.Equal(b.shape) {
		return g.fail(ir.Map.String(), "%s of shapes that differ: %s", fn, shapes(a, b))
	}
	return g.apply(ir.Map, attrs, []*Node{a, b}, []spec{like(a)}, []bool{true, true},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{mapBackward(attrs, in[0], in[1], dy), mapBackward(attrs, in[1], in[0], dy)}
		})
}

// mapBackward is dy times the derivative by x.
func mapBackward(attrs ir.MapAttrs, x, b, dy *Node) *Node {
	return x.g.apply(ir.MapBackward, attrs, []*Node{x, b, dy}, []spec{like(x)}, nil, nil)
}
