package autograd

import "example.com/gotrain/autograd/ir"

// ToFloat decodes integers: y = scale·x + shift, x int32 or packed (uint8, uint4,
// bits) of any shape. Pictures of bytes become numbers from -1 to 1 with scale 1/127.5
// and shift -1, masks of bits 0 and 1 with 1 and 0. It has no gradient.
func ToFloat(x *Node, scale, shift float32) *Node {
	g := x.g
	if broken(x) {
		return g.pass()
	}
	return g.apply(ir.ToFloat, ir.ToFloatAttrs{Scale: scale, Shift: shift}, []*Node{x}, []spec{f32(x.shape...)}, nil, nil)
}

// Pixels declares the input name, bytes (rows, size), and returns what decodes them by
// ToFloat; called again it decodes the same bytes otherwise.
func Pixels(g *Graph, name string, rows, size int) func(scale, shift float32) *Node {
	bytes := g.Input(name, ir.U8, rows, size)
	return func(scale, shift float32) *Node { return ToFloat(bytes, scale, shift) }
}
