package autograd

import "example.com/gotrain/autograd/ir"

// Upsample repeats each pixel factor[0] × factor[1] times, rows and columns, to the nearest
// neighbour's value: x (batch·height·width, C) → (batch·height·factor[0]·width·factor[1], C).
func Upsample(x *Node, batch, height, width int, factor [2]int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	if min(batch, height, width, factor[0], factor[1]) < 1 || x.shape.Rows() != batch*height*width {
		return g.fail("Upsample", "%s is not %d pictures of %d × %d, or %v is no factor", x.shape, batch, height, width, factor)
	}
	return upsample(x, ir.ResampleAttrs{Batch: batch, Height: height, Width: width, Factor: factor, Alpha: 1})
}

// AvgPool is the mean over blocks of factor[0] × factor[1] pixels, which have to divide the
// picture: x (batch·height·width, C) → (batch·height/factor[0]·width/factor[1], C). With the
// picture's size as the factor it is global.
func AvgPool(x *Node, batch, height, width int, factor [2]int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	if min(batch, height, width, factor[0], factor[1]) < 1 || x.shape.Rows() != batch*height*width {
		return g.fail("AvgPool", "%s is not %d pictures of %d × %d, or %v is no factor", x.shape, batch, height, width, factor)
	}
	if height%factor[0] != 0 || width%factor[1] != 0 {
		return g.fail("AvgPool", "%d × %d pixels do not divide into blocks of %d × %d", height, width, factor[0], factor[1])
	}
	return sumPool(x, ir.ResampleAttrs{Batch: batch, Height: height / factor[0], Width: width / factor[1], Factor: factor, Alpha: 1 / float32(factor[0]*factor[1])})
}

// upsample is the adjoint of sumPool.
func upsample(x *Node, a ir.ResampleAttrs) *Node {
	return x.g.apply(ir.Upsample, a, []*Node{x}, []spec{f32(x.shape.Rows()*a.Factor[0]*a.Factor[1], x.shape.Cols())}, []bool{true},
		func(_ *op, _ []*Node, _, dy *Node) []*Node { return []*Node{sumPool(dy, a)} })
}

func sumPool(x *Node, a ir.ResampleAttrs) *Node {
	return x.g.apply(ir.SumPool, a, []*Node{x}, []spec{f32(a.Batch*a.Height*a.Width, x.shape.Cols())}, []bool{true},
		func(_ *op, _ []*Node, _, dy *Node) []*Node { return []*Node{upsample(dy, a)} })
}

// Normal draws from N(0, 1). rng (4) int32 is that of Dropout: a row has its numbers wherever
// it is computed, and a draw of its own for each call in a graph, the first, second and so on of all
// graphs of a run being the same whatever stands between.
func (g *Graph) Normal(rng *Node, shape ...int) *Node {
	if broken(rng) {
		return g.pass()
	}
	if len(shape) == 0 || ir.Shape(shape).Size() < 1 {
		return g.fail("Normal", "%s has no elements", ir.Shape(shape))
	}
	g.draws++
	const normal = 1 << 31 // sites of Dropout lie below
	return g.apply(ir.Normal, ir.NormalAttrs{Site: normal | g.draws}, []*Node{rng}, []spec{f32(shape...)}, nil, nil)
}
