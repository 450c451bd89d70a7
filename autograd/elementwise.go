package autograd

import "example.com/gotrain/autograd/ir"

// Add returns a + b, of the same shape.
func Add(a, b *Node) *Node {
	return binary(ir.Add, a, b, func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{dy, dy} })
}

// Mul returns a∘b, of the same shape.
func Mul(a, b *Node) *Node {
	return binary(ir.Mul, a, b, func(o *op, in []*Node, _, dy *Node) []*Node {
		return []*Node{Mul(dy, in[1]), Mul(dy, in[0])}
	})
}

func binary(kind ir.Kind, a, b *Node, grad gradient) *Node {
	g := a.g
	if broken(a, b) {
		return g.pass()
	}
	if !a.shape.Equal(b.shape) {
		return g.fail(kind.String(), "shapes differ: %s", shapes(a, b))
	}
	return g.apply(kind, nil, []*Node{a, b}, []spec{like(a)}, []bool{true, true}, grad)
}

// Scale returns alpha·x.
func Scale(x *Node, alpha float32) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	return g.apply(ir.Scale, ir.ScaleAttrs{Alpha: alpha}, []*Node{x}, []spec{like(x)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{Scale(dy, alpha)} })
}

// scaleBy returns s·x for a scalar s; it appears in gradients only.
func scaleBy(x, s *Node) *Node {
	return x.g.apply(ir.ScaleBy, nil, []*Node{x, s}, []spec{like(x)}, nil, nil)
}

// pass returns the node of a graph that has failed.
func (g *Graph) pass() *Node { return &Node{g: g} }
