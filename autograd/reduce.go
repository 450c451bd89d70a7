package autograd

import "example.com/gotrain/autograd/ir"

// Sum adds over the given axes, which stay with size 1; no axes means all.
func Sum(x *Node, axes ...int) *Node { return reduce(x, 1, false, axes) }

// Mean averages over the given axes, which stay with size 1; no axes means all.
func Mean(x *Node, axes ...int) *Node { return reduce(x, 1, true, axes) }

func reduce(x *Node, alpha float32, mean bool, axes []int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	if len(x.shape) > ir.MaxAxes {
		return g.fail("ReduceSum", "%s has more than %d axes", x.shape, ir.MaxAxes)
	}
	attrs := ir.ReduceAttrs{Alpha: alpha}
	shape := append(ir.Shape(nil), x.shape...)
	for i := range shape {
		attrs.Axes[i] = len(axes) == 0
	}
	for _, a := range axes {
		if a < 0 || a >= len(shape) {
			return g.fail("ReduceSum", "there is no axis %d in %s", a, x.shape)
		}
		attrs.Axes[a] = true
	}
	for i := range shape {
		if attrs.Axes[i] {
			if mean {
				attrs.Alpha /= float32(shape[i])
			}
			shape[i] = 1
		}
	}
	return g.apply(ir.ReduceSum, attrs, []*Node{x}, []spec{f32(shape...)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node {
			return []*Node{g.apply(ir.Broadcast, ir.ScaleAttrs{Alpha: attrs.Alpha}, []*Node{dy}, []spec{like(in[0])}, nil, nil)}
		})
}

// Broadcast repeats the axes of size 1 of x up to shape.
func Broadcast(x *Node, shape ...int) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	var repeated []int
	fits := len(shape) == len(x.shape)
	for i := 0; fits && i < len(shape); i++ {
		if x.shape[i] == 1 && shape[i] != 1 {
			repeated = append(repeated, i)
		} else {
			fits = x.shape[i] == shape[i]
		}
	}
	if !fits {
		return g.fail("Broadcast", "%s does not broadcast to %s", x.shape, ir.Shape(shape))
	}
	if len(repeated) == 0 {
		return x
	}
	return g.apply(ir.Broadcast, ir.ScaleAttrs{Alpha: 1}, []*Node{x}, []spec{f32(shape...)}, []bool{true},
		func(o *op, in []*Node, _, dy *Node) []*Node { return []*Node{Sum(dy, repeated...)} })
}
