package autograd

import "example.com/gotrain/autograd/ir"

// RMSNorm divides the last axis by its root mean square (Zhang & Sennrich
// 2019): x (…, D), w (D) → (…, D).
func RMSNorm(x, w *Node, eps float32) *Node {
	g := x.g
	if broken(x, w) {
		return g.pass()
	}
	if d := (ir.Shape{x.shape.Cols()}); !w.shape.Equal(d) {
		return g.fail("RMSNorm", "weight must be %s: %s", d, shapes(x, w))
	}
	return g.apply(ir.RMSNorm, ir.NormAttrs{Eps: eps}, []*Node{x, w},
		[]spec{like(x), f32(x.shape.Rows())}, []bool{true, true},
		func(o *op, in []*Node, y, dy *Node) []*Node {
			dx := g.apply(ir.RMSNormBackward, o.attrs, []*Node{in[0], in[1], project(y, 1), dy, nil},
				[]spec{like(in[0]), like(in[1])}, nil, nil)
			return []*Node{dx, project(dx, 1)}
		})
}
