package autograd

import "example.com/gotrain/autograd/ir"

// GroupNorm normalises groups of channels of each of batch pictures (Wu & He 2018),
// followed by act: x (batch·pixels, C), w, b (C) → (batch·pixels, C). The variance is the
// biased one, over pixels and channels of a group.
func GroupNorm(x, w, b *Node, batch, groups int, eps float32, act ir.Act) *Node {
	g := x.g
	if broken(x, w, b) {
		return g.pass()
	}
	channels := ir.Shape{x.shape.Cols()}
	if !w.shape.Equal(channels) || !b.shape.Equal(channels) {
		return g.fail("GroupNorm", "weight and bias must be %s: %s", channels, shapes(x, w, b))
	}
	if batch < 1 || x.shape.Rows()%batch != 0 || groups < 1 || channels[0]%groups != 0 {
		return g.fail("GroupNorm", "%s does not divide into %d pictures and %d groups of channels", x.shape, batch, groups)
	}
	a := ir.GroupNormAttrs{Batch: batch, Groups: groups, Eps: eps, Act: act}
	return g.apply(ir.GroupNorm, a, []*Node{x, w, b}, []spec{like(x), f32(batch * groups), f32(batch * groups)}, []bool{true, true, true},
		func(_ *op, in []*Node, y, dy *Node) []*Node {
			dx := g.apply(ir.GroupNormBackward, a, []*Node{in[0], in[1], in[2], project(y, 1), project(y, 2), dy, nil},
				[]spec{like(in[0]), like(in[1]), like(in[2])}, nil, nil)
			return []*Node{dx, project(dx, 1), project(dx, 2)}
		})
}
