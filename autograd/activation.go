package autograd

import "example.com/gotrain/autograd/ir"

// Activation applies act elementwise.
func Activation(x *Node, act ir.Act) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	return g.apply(ir.Activation, ir.ActivationAttrs{Act: act}, []*Node{x}, []spec{like(x)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{g.apply(ir.ActivationBackward, o.attrs, []*Node{in[0], dy}, []spec{like(in[0])}, nil, nil)}
		})
}

// SwiGLU gates up with SiLU(gate) (Shazeer 2020); both (N, F) → (N, F).
func SwiGLU(gate, up *Node) *Node {
	g := gate.g
	if broken(gate, up) {
		return g.pass()
	}
	if !gate.shape.Equal(up.shape) {
		return g.fail("SwiGLU", "shapes differ: %s", shapes(gate, up))
	}
	return g.apply(ir.SwiGLU, nil, []*Node{gate, up}, []spec{like(gate)}, []bool{true, true},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			d := g.apply(ir.SwiGLUBackward, nil, []*Node{in[0], in[1], dy}, []spec{like(in[0]), like(in[0])}, nil, nil)
			return []*Node{d, project(d, 1)}
		})
}

// LeakyReLU is x, or 0.2·x where x < 0.
func LeakyReLU(x *Node) *Node { return Activation(x, ir.LeakyReLU) }

// Tanh is the hyperbolic tangent of x.
func Tanh(x *Node) *Node { return Activation(x, ir.Tanh) }
