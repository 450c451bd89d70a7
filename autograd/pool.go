package autograd

import "example.com/gotrain/autograd/ir"

// PoolConfig says over which pictures and windows a pooling goes. Pairs are rows, then
// columns; a zero Stride is the Kernel.
type PoolConfig struct {
	Batch, Height, Width int // of x
	Kernel, Stride       [2]int
	Pad                  [4]int // pixels above, left, below and right that never are the largest
}

// MaxPool is the largest value of each channel in windows of pixels, torch's MaxPool2d:
// x (B·H·W, C) → (B·H'·W', C) with H' = (H + pad - kernel)/stride + 1. The first of equal
// pixels has the gradient.
func MaxPool(x *Node, c PoolConfig) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	a := ir.PoolAttrs(c)
	for i, s := range a.Stride {
		if s == 0 {
			a.Stride[i] = a.Kernel[i]
		}
	}
	if min(c.Batch, c.Height, c.Width) < 1 || x.shape.Rows() != c.Batch*c.Height*c.Width {
		return g.fail("MaxPool", "%s is not %d pictures of %d × %d", x.shape, c.Batch, c.Height, c.Width)
	}
	if min(a.Kernel[0], a.Kernel[1], a.Stride[0], a.Stride[1]) < 1 || min(a.Pad[0], a.Pad[1], a.Pad[2], a.Pad[3]) < 0 {
		return g.fail("MaxPool", "a kernel of %v, stride %v, padding %v: sizes are at least 1, padding at least 0", a.Kernel, a.Stride, a.Pad)
	}
	if max(a.Pad[0], a.Pad[2]) >= a.Kernel[0] || max(a.Pad[1], a.Pad[3]) >= a.Kernel[1] {
		return g.fail("MaxPool", "a padding of %v leaves windows of %v without a pixel", a.Pad, a.Kernel)
	}
	height, width := a.Out()
	if a.Height+a.Pad[0]+a.Pad[2] < a.Kernel[0] || a.Width+a.Pad[1]+a.Pad[3] < a.Kernel[1] {
		return g.fail("MaxPool", "a kernel of %v is larger than the padded picture, %d × %d", a.Kernel, a.Height+a.Pad[0]+a.Pad[2], a.Width+a.Pad[1]+a.Pad[3])
	}
	return g.apply(ir.MaxPool, a, []*Node{x}, []spec{f32(a.Batch*height*width, x.shape.Cols())}, []bool{true},
		func(_ *op, in []*Node, y, dy *Node) []*Node {
			return []*Node{g.apply(ir.MaxPoolBackward, a, []*Node{in[0], y, dy}, []spec{like(in[0])}, nil, nil)}
		})
}
