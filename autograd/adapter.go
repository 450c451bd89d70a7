package autograd

import "example.com/gotrain/autograd/ir"

// ScaleColumns returns x∘s + bias, x (N, D) with every column times an element of s (D), bias (D)
// or nil.
func ScaleColumns(x, s, bias *Node) *Node {
	g := x.g
	if broken(x, s, bias) {
		return g.pass()
	}
	if d := (ir.Shape{x.shape.Cols()}); !s.shape.Equal(d) || bias != nil && !bias.shape.Equal(d) {
		return g.fail("ScaleColumns", "factors and bias must be %s: %s", d, shapes(x, s, bias))
	}
	return g.apply(ir.ScaleColumns, nil, []*Node{x, s, bias}, []spec{like(x)}, []bool{true, true, true},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			grads := []*Node{ScaleColumns(dy, in[1], nil), columnSum(Mul(dy, in[0])), nil}
			if in[2] != nil {
				grads[2] = columnSum(dy)
			}
			return grads
		})
}

// InverseNorms returns 1/‖w[o] + scale·(b·a)[o]‖ (O) for the rows of weights that an adapter
// changes: a (R, I), b (O, R), w (O, I) or in another layout, of any stored type. A row of
// zeros has 0. It counts as constant: there is no gradient (Liu et al. 2024, section 4.3).
func InverseNorms(w, a, b *Node, layout WeightLayout, scale float32) *Node {
	g := w.g
	if broken(w, a, b) {
		return g.pass()
	}
	if len(w.shape) != 2 || len(a.shape) != 2 || len(b.shape) != 2 {
		return g.fail("InverseNorms", "wants matrices: %s", shapes(w, a, b))
	}
	out, in := w.shape[0], w.shape[1]
	if layout == InOut {
		out, in = in, out
	}
	if a.shape[1] != in || !b.shape.Equal(ir.Shape{out, a.shape[0]}) {
		return g.fail("InverseNorms", "weights and adapter do not belong together: %s", shapes(w, a, b))
	}
	return g.apply(ir.InverseNorms, ir.InverseNormsAttrs{Scale: scale, InOut: layout == InOut}, []*Node{a, w, b}, []spec{f32(out)}, nil, nil)
}
