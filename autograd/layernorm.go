package autograd

import "example.com/gotrain/autograd/ir"

// LayerNorm normalises the last axis (Ba et al. 2016): x (…, D), w (D), b (D)
// or nil → (…, D). The variance is the biased one.
func LayerNorm(x, w, b *Node, eps float32) *Node {
	g := x.g
	if broken(x, w, b) {
		return g.pass()
	}
	if d := (ir.Shape{x.shape.Cols()}); !w.shape.Equal(d) || b != nil && !b.shape.Equal(d) {
		return g.fail("LayerNorm", "weight and bias must be %s: %s", d, shapes(x, w, b))
	}
	rows := x.shape.Rows()
	return g.apply(ir.LayerNorm, ir.NormAttrs{Eps: eps}, []*Node{x, w, b},
		[]spec{like(x), f32(rows), f32(rows)}, []bool{true, true, true},
		func(o *op, in []*Node, y, dy *Node) []*Node {
			outs := []spec{like(in[0]), like(in[1]), like(in[1]), {}}
			dx := g.apply(ir.LayerNormBackward, o.attrs, []*Node{in[0], in[1], project(y, 1), project(y, 2), dy, nil}, outs, nil, nil)
			grads := []*Node{dx, project(dx, 1), nil}
			if in[2] != nil {
				grads[2] = project(dx, 2)
			}
			return grads
		})
}
