package autograd

import "example.com/gotrain/autograd/ir"

// SegmentSum adds up x (N) by segments (N) int32: result s of count is the sum over
// segments[n] = s, as that of the tokens of each sequence of packed rows. Segments below
// 0 count nowhere.
func SegmentSum(x, segments *Node, count int) *Node {
	g := x.g
	if broken(x, segments) {
		return g.pass()
	}
	if len(x.shape) != 1 || !x.shape.Equal(segments.shape) || count <= 0 {
		return g.fail("SegmentSum", "wants x (N), segments (N), one segment or more: %s, %d", shapes(x, segments), count)
	}
	return g.apply(ir.SegmentSum, nil, []*Node{x, segments}, []spec{f32(count)}, []bool{true, false},
		func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{SegmentBroadcast(dy, in[1]), nil} })
}

// SegmentBroadcast gives each token n what x (S) has for segments[n] (N), 0 for those
// below 0.
func SegmentBroadcast(x, segments *Node) *Node {
	g := x.g
	if broken(x, segments) {
		return g.pass()
	}
	if len(x.shape) != 1 || len(segments.shape) != 1 {
		return g.fail("SegmentBroadcast", "wants x (S), segments (N): %s", shapes(x, segments))
	}
	return g.apply(ir.SegmentBroadcast, nil, []*Node{x, segments}, []spec{f32(segments.shape...)}, []bool{true, false},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{SegmentSum(dy, in[1], in[0].shape[0]), nil}
		})
}
