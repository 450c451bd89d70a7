package nn

import "example.com/gotrain/autograd"

// Spectral divides weights by their largest singular value (Miyato et al. 2018), which one
// step of power iteration in each forward pass follows from "name.weight_u" on, a running
// vector. No gradient goes through the singular vectors, so that of the value needs no
// second derivative.
type Spectral struct {
	Write bool // the forward pass hands the vector on
}

// spectralEps is torch's, beside the lengths of vectors.
const spectralEps = 1e-12

// spectral returns the weights w (out, …) of a layer as s has them.
func (b *Builder) spectral(name string, w *autograd.Node, s *Spectral) *autograd.Node {
	if s == nil {
		return w
	}
	shape := w.Shape()
	out, in := shape[0], shape.Size()/shape[0]
	u := b.Running(name+".weight_u", Init{Std: 1}, out)
	var next *autograd.Node
	y := b.layer(name, func() *autograd.Node {
		matrix := autograd.Reshape(w, out, in)
		fixed := autograd.Detach(matrix)
		right := unit(autograd.MatMul(autograd.Reshape(u, 1, out), fixed, false, false)) // (1, in)
		next = unit(autograd.MatMul(right, fixed, false, true))                          // (1, out)
		largest := autograd.Sum(autograd.Mul(next, autograd.MatMul(right, matrix, false, true)))
		inverse := autograd.Exp(autograd.Scale(autograd.Log(largest), -1))
		return autograd.Reshape(autograd.Mul(matrix, autograd.Broadcast(inverse, out, in)), shape...)
	})
	if s.Write {
		b.Graph.Write(u, autograd.Reshape(next, out))
	}
	return y
}

// unit is the row x (1, n) with length 1.
func unit(x *autograd.Node) *autograd.Node {
	squares := autograd.Shift(autograd.Sum(autograd.Mul(x, x)), spectralEps)
	return autograd.Mul(x, autograd.Broadcast(autograd.Exp(autograd.Scale(autograd.Log(squares), -0.5)), x.Shape()...))
}

// SpectralLinear is Linear whose weights s divides; nil is Linear.
func (b *Builder) SpectralLinear(name string, x *autograd.Node, out int, s *Spectral) *autograd.Node {
	in := x.Shape().Cols()
	w := b.param(Param{Name: name + ".weight", Shape: []int{out, in}, Init: Init{Std: b.style.InitStd}, Decay: true})
	w = b.spectral(name, w, s)
	bias := b.bias(name, out, b.style.Bias)
	return b.layer(name, func() *autograd.Node { return autograd.Linear(x, w, bias, autograd.OutIn) })
}
