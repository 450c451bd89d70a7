package autograd

import "example.com/gotrain/autograd/ir"

// Reshape gives the same elements another shape; it copies nothing.
func Reshape(x *Node, shape ...int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	if ir.Shape(shape).Size() != x.shape.Size() {
		return g.fail("Reshape", "%s has %d elements, %s has %d", x.shape, x.shape.Size(), ir.Shape(shape), ir.Shape(shape).Size())
	}
	return g.apply(ir.Reshape, nil, []*Node{x}, []spec{f32(shape...)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{Reshape(dy, in[0].shape...)} })
}

// Detach returns x as a constant: no gradient goes through it.
func Detach(x *Node) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	return g.apply(ir.Reshape, nil, []*Node{x}, []spec{like(x)}, nil, nil)
}

// Transpose permutes the axes: axis i of the result is axis perm[i] of x.
func Transpose(x *Node, perm ...int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	var attrs ir.TransposeAttrs
	inverse := make([]int, len(perm))
	shape := make([]int, len(perm))
	seen := make([]bool, len(perm))
	if len(perm) != len(x.shape) || len(perm) > ir.MaxAxes {
		return g.fail("Transpose", "permutation %v does not fit %s", perm, x.shape)
	}
	for i, p := range perm {
		if p < 0 || p >= len(perm) || seen[p] {
			return g.fail("Transpose", "%v is not a permutation of the axes of %s", perm, x.shape)
		}
		seen[p] = true
		attrs.Perm[i] = int8(p)
		inverse[p] = i
		shape[i] = x.shape[p]
	}
	return g.apply(ir.Transpose, attrs, []*Node{x}, []spec{f32(shape...)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{Transpose(dy, inverse...)} })
}

// Slice takes [start, end) of an axis.
func Slice(x *Node, axis, start, end int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	if axis < 0 || axis >= len(x.shape) || start < 0 || end > x.shape[axis] || start >= end {
		return g.fail("Slice", "[%d, %d) of axis %d is not inside %s", start, end, axis, x.shape)
	}
	attrs := ir.SliceAttrs{Axis: axis, Start: start, End: end}
	shape := append(ir.Shape(nil), x.shape...)
	shape[axis] = end - start
	return g.apply(ir.Slice, attrs, []*Node{x}, []spec{f32(shape...)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{g.apply(ir.SliceBackward, attrs, []*Node{dy}, []spec{like(in[0])}, nil, nil)}
		})
}

// Concat joins tensors along an axis; the other axes are equal.
func Concat(axis int, parts ...*Node) *Node {
	g := parts[0].g
	if broken(parts...) {
		return g.pass()
	}
	shape := append(ir.Shape(nil), parts[0].shape...)
	if axis < 0 || axis >= len(shape) {
		return g.fail("Concat", "there is no axis %d in %s", axis, shape)
	}
	diff := make([]bool, len(parts))
	shape[axis] = 0
	for i, p := range parts {
		diff[i] = true
		fits := len(p.shape) == len(shape)
		for a := 0; fits && a < len(shape); a++ {
			fits = a == axis || p.shape[a] == shape[a]
		}
		if !fits {
			return g.fail("Concat", "axes other than %d differ: %s", axis, shapes(parts...))
		}
		shape[axis] += p.shape[axis]
	}
	return g.apply(ir.Concat, ir.ConcatAttrs{Axis: axis}, parts, []spec{f32(shape...)}, diff,
		func(o *op, in []*Node, _, dy *Node) []*Node {
			grads := make([]*Node, len(in))
			start := 0
			for i, p := range in {
				grads[i] = Slice(dy, axis, start, start+p.shape[axis])
				start += p.shape[axis]
			}
			return grads
		})
}
