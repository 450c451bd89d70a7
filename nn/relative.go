package nn

import "example.com/gotrain/autograd"

// Remembering is a language model that reads a text in segments and remembers what it
// read before: the rows of a step go on where those of the step before ended, which
// Inputs.Carried tells. Without, a row is read alone.
type Remembering interface {
	LanguageModel
	// Memory is the number of tokens before a segment that are remembered; 0 is none.
	Memory() int
}

// Remembers tells whether m has a memory.
func Remembers(m LanguageModel) bool {
	r, ok := m.(Remembering)
	return ok && r.Memory() > 0
}

// HeadBias declares "name" (heads, hd), a learned bias of the queries of each head, and
// adds it to x (N, H·hd).
func (b *Builder) HeadBias(name string, x *autograd.Node, heads int) *autograd.Node {
	d := x.Shape().Cols()
	bias := b.param(Param{Name: name, Shape: []int{heads, d / heads}, Init: Init{Std: b.style.InitStd}})
	return autograd.Add(x, autograd.Broadcast(autograd.Reshape(bias, 1, d), x.Shape()...))
}

// RelativeAttention attends with q and qr (B·T, H·hd), k and v (B·S, H·hd) and distances
// r (S, H·hd); see autograd's. Queries reach back to the begin of what they go on from,
// as Positions tell. With a cache r has a row for each distance that c's window sees.
func (b *Builder) RelativeAttention(name string, q, k, v, qr, r *autograd.Node, c autograd.RelativeConfig) *autograd.Node {
	c.Batch = b.Batch
	return b.layer(name, func() *autograd.Node {
		if b.Cache == nil {
			return autograd.RelativeAttention(q, k, v, qr, r, b.Positions, c)
		}
		return autograd.RelativeAttentionCached(q, k, v, qr, r, b.cache("k", k.Shape().Cols()), b.cache("v", v.Shape().Cols()), b.Cache.Position, c)
	})
}
