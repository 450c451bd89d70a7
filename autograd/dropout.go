package autograd

import "example.com/gotrain/autograd/ir"

// Dropout zeroes elements with probability p and scales the others by 1/(1-p).
// rng (4) int32 holds the seed and the number of the first row of x among all
// rows of the run, low word first. The mask is a function of (seed, site, row,
// column): rows have it wherever they are computed, and the backward pass and a
// recomputed forward pass draw it again instead of storing it. p = 0 returns x.
func Dropout(x, rng *Node, p float32) *Node {
	g := x.g
	if broken(x, rng) || p == 0 {
		return x
	}
	if p < 0 || p >= 1 {
		return g.fail("Dropout", "probability %g is outside [0, 1)", p)
	}
	g.sites++
	attrs := ir.DropoutAttrs{P: p, Site: g.sites}
	return g.apply(ir.Dropout, attrs, []*Node{x, rng}, []spec{like(x)}, []bool{true, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{g.apply(ir.Dropout, attrs, []*Node{dy, in[1]}, []spec{like(dy)}, nil, nil), nil}
		})
}
