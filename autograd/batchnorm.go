package autograd

import "example.com/gotrain/autograd/ir"

// BatchNorm normalises each channel over all rows (Ioffe & Szegedy 2015), followed by act:
// x (N, C), w, b (C) → y (N, C). It is a GroupNorm of one picture with a group for each
// channel. mean and variance (C), the biased one, are those of x, as constants.
func BatchNorm(x, w, b *Node, eps float32, act ir.Act) (y, mean, variance *Node) {
	y = GroupNorm(x, w, b, 1, x.shape.Cols(), eps, act)
	if broken(y) {
		return y, y, y
	}
	mean, rstd := project(y, 1), project(y, 2)
	return y, mean, Shift(Exp(Scale(Log(rstd), -2)), -eps)
}

// Normalize is BatchNorm with a mean and a variance (C) that are given, the form of
// evaluations: act((x - mean)/√(variance + eps)·w + b).
func Normalize(x, w, b, mean, variance *Node, eps float32, act ir.Act) *Node {
	g := x.g
	if broken(x, w, b, mean, variance) {
		return g.pass()
	}
	rows, channels := x.shape.Rows(), x.shape.Cols()
	for _, n := range []*Node{w, b, mean, variance} {
		if !n.shape.Equal(ir.Shape{channels}) {
			return g.fail("Normalize", "weight, bias, mean and variance must be (%d): %s", channels, shapes(x, w, b, mean, variance))
		}
	}
	scale := Mul(w, Exp(Scale(Log(Shift(variance, eps)), -0.5)))
	all := func(row *Node) *Node { return Broadcast(Reshape(row, 1, channels), rows, channels) }
	y := Add(Mul(Reshape(x, rows, channels), all(scale)), all(Sub(b, Mul(mean, scale))))
	if act == ir.NoAct {
		return y
	}
	return Activation(y, act)
}
