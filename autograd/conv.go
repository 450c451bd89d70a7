package autograd

import "example.com/gotrain/autograd/ir"

// ConvConfig says over which pictures a convolution goes, and how. Pairs are rows, then
// columns; a zero Stride is 1, and so are zero Groups.
type ConvConfig struct {
	Batch, Height, Width int // of x
	Stride               [2]int
	Pad                  [4]int // zeros above, left, below and right of x
	Groups               int
}

// Conv is the convolution of pictures (as torch's: a correlation): x (B·H·W, C), a row
// a pixel, w (K, KH, KW, C/groups), bias (K) or nil → (B·H'·W', K) with
// H' = (H + pad - KH)/stride + 1.
func Conv(x, w, bias *Node, c ConvConfig) *Node {
	g := x.g
	if broken(x, w, bias) {
		return g.pass()
	}
	attrs, ok := c.attrs("Conv", g, w)
	if !ok {
		return g.pass()
	}
	if rows := attrs.Batch * attrs.Height * attrs.Width; !x.shape.Equal(ir.Shape{rows, attrs.Groups * w.shape[3]}) {
		return g.fail("Conv", "x has shape %s, want (%d, %d) for %d pictures of %d × %d and weights %s in %d groups",
			x.shape, rows, attrs.Groups*w.shape[3], c.Batch, c.Height, c.Width, w.shape, attrs.Groups)
	}
	if bias != nil && !bias.shape.Equal(ir.Shape{w.shape[0]}) {
		return g.fail("Conv", "bias has shape %s, want (%d)", bias.shape, w.shape[0])
	}
	return conv(x, w, bias, attrs)
}

// ConvTransposed is the transposed convolution, torch's ConvTranspose2d, the adjoint of
// the Conv from pictures of c's size: y (B·H'·W', K), w (K, KH, KW, C/groups), bias (C)
// or nil → (B·H·W, C).
func ConvTransposed(y, w, bias *Node, c ConvConfig) *Node {
	g := y.g
	if broken(y, w, bias) {
		return g.pass()
	}
	attrs, ok := c.attrs("ConvTransposed", g, w)
	if !ok {
		return g.pass()
	}
	height, width := attrs.Out()
	if rows := attrs.Batch * height * width; !y.shape.Equal(ir.Shape{rows, w.shape[0]}) {
		return g.fail("ConvTransposed", "y has shape %s, want (%d, %d) for %d pictures of %d × %d", y.shape, rows, w.shape[0], c.Batch, height, width)
	}
	channels := attrs.Groups * w.shape[3]
	if bias != nil && !bias.shape.Equal(ir.Shape{channels}) {
		return g.fail("ConvTransposed", "bias has shape %s, want (%d)", bias.shape, channels)
	}
	return convInput(y, w, bias, attrs)
}

// attrs checks the sizes that do not depend on the picture's memory; where they do not fit
// the graph fails.
func (c ConvConfig) attrs(op string, g *Graph, w *Node) (ir.ConvAttrs, bool) {
	a := ir.ConvAttrs{Batch: c.Batch, Height: c.Height, Width: c.Width, Stride: c.Stride, Pad: c.Pad, Groups: max(c.Groups, 1)}
	for i, s := range a.Stride {
		if s == 0 {
			a.Stride[i] = 1
		}
	}
	if len(w.shape) != 4 {
		g.fail(op, "weights have shape %s, want (out, rows, columns, in)", w.shape)
		return a, false
	}
	a.Kernel = [2]int{w.shape[1], w.shape[2]}
	least := min(c.Batch, c.Height, c.Width, a.Stride[0], a.Stride[1])
	if least < 1 || min(c.Pad[0], c.Pad[1], c.Pad[2], c.Pad[3], c.Groups) < 0 {
		g.fail(op, "%d pictures of %d × %d, stride %v, padding %v, %d groups: sizes are at least 1, padding at least 0", c.Batch, c.Height, c.Width, c.Stride, c.Pad, c.Groups)
		return a, false
	}
	if height, width := a.Out(); min(height, width) < 1 || a.Height+a.Pad[0]+a.Pad[2] < a.Kernel[0] || a.Width+a.Pad[1]+a.Pad[3] < a.Kernel[1] {
		g.fail(op, "a kernel of %d × %d is larger than the padded picture, %d × %d", a.Kernel[0], a.Kernel[1], a.Height+a.Pad[0]+a.Pad[2], a.Width+a.Pad[1]+a.Pad[3])
		return a, false
	}
	if w.shape[0]%a.Groups != 0 {
		g.fail(op, "%d output channels are not a multiple of %d groups", w.shape[0], a.Groups)
		return a, false
	}
	return a, true
}

// conv is Conv of what fits.
func conv(x, w, bias *Node, a ir.ConvAttrs) *Node {
	height, width := a.Out()
	return x.g.apply(ir.Conv, a, []*Node{x, w, bias, nil}, []spec{f32(a.Batch*height*width, w.shape[0])}, []bool{true, true, true, false},
		func(_ *op, in []*Node, _, dy *Node) []*Node {
			grads := []*Node{convInput(dy, in[1], nil, a), convWeights(in[0], dy, in[1], a), nil, nil}
			if in[2] != nil {
				grads[2] = columnSum(dy)
			}
			return grads
		})
}

// convInput is the adjoint of conv in x, with a bias.
func convInput(y, w, bias *Node, a ir.ConvAttrs) *Node {
	return y.g.apply(ir.ConvInput, a, []*Node{y, w, bias, nil}, []spec{f32(a.Batch*a.Height*a.Width, a.Groups*w.shape[3])}, []bool{true, true, true, false},
		func(_ *op, in []*Node, _, dx *Node) []*Node {
			grads := []*Node{conv(dx, in[1], nil, a), convWeights(dx, in[0], in[1], a), nil, nil}
			if in[2] != nil {
				grads[2] = columnSum(dx)
			}
			return grads
		})
}

// convWeights is the adjoint of conv in w.
func convWeights(x, dy, w *Node, a ir.ConvAttrs) *Node {
	return x.g.apply(ir.ConvWeights, a, []*Node{x, dy, nil}, []spec{like(w)}, nil, nil)
}
