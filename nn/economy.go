package nn

import (
	"fmt"

	"example.com/gotrain/autograd"
)

// Economical is a model that may have something cheaper in place of attention to all pairs
// of tokens.
type Economical interface {
	Model
	// Economy tells what that is, nil where there is none.
	Economy() *Economy
}

// Economy is what a model has in place of attention to all pairs.
type Economy struct {
	Kind string // its name for people
	// Over adds to g the attention of all layers over a sequence of length tokens, apart from
	// the layers around it: the model's, or with dense that of as many layers that attend to
	// all pairs. Queries, keys and values are parameters of g, so that its gradient is that of
	// training. It gives a scalar.
	Over func(g *autograd.Graph, length int, dense bool) *autograd.Node
}

// Shape is what the attention of a model's layers has in common.
type Shape struct {
	Layers, Heads, KVHeads, HeadDim int
	Causal                          bool
}

// Economy is that of a model with such options, nil without.
func (o *AttentionOptions) Economy(s Shape) *Economy {
	if o == nil {
		return nil
	}
	over := func(g *autograd.Graph, length int, dense bool) (sum *autograd.Node) {
		b := &Builder{Inputs: Inputs{Batch: 1, Length: length}, Graph: g, block: -1}
		b.Segments = g.Ints("segments", length)
		for i := range s.Layers {
			b.Block(i, fmt.Sprint(i), func() { sum = added(sum, b.economy(o, s, dense)) })
		}
		return sum
	}
	return &Economy{o.Kind, over}
}

// LatentEconomy is that of a model in which latents attend to the tokens once, with heads of
// size outer, then to each other in layers with heads of size inner, and the tokens to the
// latents at last. The other side are layers + 2 of tokens with heads of size inner.
func LatentEconomy(kind string, heads, outer, inner, layers, latents int) *Economy {
	over := func(g *autograd.Graph, length int, dense bool) (sum *autograd.Node) {
		attend := func(name string, queries, keys, size int) {
			b := &Builder{Inputs: Inputs{Batch: 1, Length: queries}, Graph: g, path: name}
			q := b.free("q", heads*size)
			b.Length = keys
			y := b.CrossAttention("attention", q, b.free("k", heads*size), b.free("v", heads*size), autograd.AttentionMask{}, autograd.AttentionConfig{Batch: 1, Heads: heads})
			sum = added(sum, y)
		}
		for i := range layers + 2 {
			switch name := fmt.Sprint(i); {
			case dense:
				attend(name, length, length, inner)
			case i == 0:
				attend(name, latents, length, outer)
			case i <= layers:
				attend(name, latents, latents, inner)
			default:
				attend(name, length, latents, outer)
			}
		}
		return sum
	}
	return &Economy{kind, over}
}

// economy is the attention of a layer.
func (b *Builder) economy(o *AttentionOptions, s Shape, dense bool) *autograd.Node {
	q, k, v := b.free("q", s.Heads*s.HeadDim), b.free("k", s.KVHeads*s.HeadDim), b.free("v", s.KVHeads*s.HeadDim)
	c := autograd.AttentionConfig{Heads: s.Heads, KVHeads: s.KVHeads, Causal: s.Causal}
	switch {
	case dense:
		return b.Attention("attention", q, k, v, c)
	case o.IsLinformer():
		return b.MixedAttention("attention", q, k, v, b.Mixtures(o, s.Heads, b.Length, Mixtures{}), c)
	}
	c.Sparse = o.Sparsity(b.block)
	return b.Attention("attention", q, k, v, c)
}

// free is a parameter of a row for each token.
func (b *Builder) free(name string, width int) *autograd.Node {
	return b.Graph.Param(b.name(name), b.Batch*b.Length, width)
}

// added is sum with the elements of x added up.
func added(sum, x *autograd.Node) *autograd.Node {
	if x = autograd.Reshape(autograd.Sum(x)); sum == nil {
		return x
	}
	return autograd.Add(sum, x)
}
