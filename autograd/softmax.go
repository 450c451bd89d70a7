package autograd

import "example.com/gotrain/autograd/ir"

// Softmax normalises the last axis: exp(x) / Σ exp(x).
func Softmax(x *Node) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	return g.apply(ir.Softmax, nil, []*Node{x}, []spec{like(x)}, []bool{true},
		func(o *op, in []*Node, y, dy *Node) []*Node {
			return []*Node{g.apply(ir.SoftmaxBackward, nil, []*Node{y, dy}, []spec{like(dy)}, nil, nil)}
		})
}
