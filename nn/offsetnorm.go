package nn

import (
	"fmt"

	"example.com/gotrain/autograd"
)

// OffsetRMSNorm normalises the rows of x (N, D) and multiplies them by 1 + "name.weight",
// which begins at 0, as Gemma has it.
func (b *Builder) OffsetRMSNorm(name string, x *autograd.Node) *autograd.Node {
	d := x.Shape().Cols()
	w := b.param(Param{Name: name + ".weight", Shape: []int{d}})
	ones := b.Graph.Table(fmt.Sprintf("ones.%d", d), func() []float32 {
		t := make([]float32, d)
		for i := range t {
			t[i] = 1
		}
		return t
	}, d)
	return b.layer(name, func() *autograd.Node { return autograd.RMSNorm(x, autograd.Add(w, ones), float32(b.style.NormEps)) })
}

// OffsetHeadNorm is OffsetRMSNorm of every head of x (N, heads·hd), with one weight (hd).
func (b *Builder) OffsetHeadNorm(name string, x *autograd.Node, heads int) *autograd.Node {
	n, hd := x.Shape().Rows(), x.Shape().Cols()/heads
	x = autograd.Reshape(x, n*heads, hd) // (N, heads·hd) → (N·heads, hd)
	return autograd.Reshape(b.OffsetRMSNorm(name, x), n, heads*hd)
}
