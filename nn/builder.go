package nn

import (
	"fmt"
	"math"

	"gotrain/autograd"
)

// Builder declares the parameters and layers of one graph. Names nest: inside
// Block(0, "h.0"), Linear("attn.c_attn", …) declares "h.0.attn.c_attn.weight".
type Builder struct {
	Inputs
	Graph  *autograd.Graph
	config Config
	layout autograd.WeightLayout
	path   string
	block  int      // -1 outside
	params []Param  // as declared
	layers []string // names of the linear layers
}

// NewBuilder returns a builder over g for a model with all defaults filled in,
// whose linear layers store their weights in the given layout.
func NewBuilder(g *autograd.Graph, in Inputs, c Config, layout autograd.WeightLayout) *Builder {
	return &Builder{Inputs: in, Graph: g, config: c, layout: layout, block: -1}
}

// In runs build with name appended to the path.
func (b *Builder) In(name string, build func()) {
	saved := b.path
	b.path = b.name(name)
	b.Graph.In(name, build)
	b.path = saved
}

// Block is In for block i of the model, which plan.Options.Recompute treats as
// one and which owns the caches "cache.k.i" and "cache.v.i".
func (b *Builder) Block(i int, name string, build func()) {
	path, block := b.path, b.block
	b.path, b.block = b.name(name), i
	b.Graph.Block(i, name, build)
	b.path, b.block = path, block
}

func (b *Builder) name(s string) string {
	if b.path == "" {
		return s
	}
	return b.path + "." + s
}

// param declares a parameter: a frozen one is state that Grad does not
// differentiate by.
func (b *Builder) param(p Param) *autograd.Node {
	p.Name, p.Block = b.name(p.Name), b.block
	p.Frozen = b.config.frozen(p)
	b.params = append(b.params, p)
	if p.Frozen {
		return b.Graph.State(p.Name, p.Shape...)
	}
	return b.Graph.Param(p.Name, p.Shape...)
}

// Embedding declares the table "name.weight" (rows, width). Package autograd's
// Embedding looks rows up in it; as a head it is used whole.
func (b *Builder) Embedding(name string, rows, width int) *autograd.Node {
	return b.param(Param{Name: name + ".weight", Shape: []int{rows, width}, Init: Init{Std: b.config.InitStd}, Decay: true})
}

// Linear is x·w + bias, x (N, in) → (N, out). It declares "name.weight" in the
// builder's layout and, where the model has biases, "name.bias" (out); where the
// layer is a target of Config.Adapter, its two matrices too.
func (b *Builder) Linear(name string, x *autograd.Node, out int) *autograd.Node {
	return b.linear(name, x, out, b.config.InitStd, b.config.HasBias())
}

// QKV is Linear for the projections to queries, keys and values, which have a
// bias under Config.QKVBias too.
func (b *Builder) QKV(name string, x *autograd.Node, out int) *autograd.Node {
	return b.linear(name, x, out, b.config.InitStd, b.config.HasBias() || b.config.QKVBias)
}

// Residual is Linear for a projection that adds to the residual stream: its
// first weights may be smaller (Config.ScaleResidual; Radford et al. 2019).
func (b *Builder) Residual(name string, x *autograd.Node, out int) *autograd.Node {
	std := b.config.InitStd
	if isSet(b.config.ScaleResidual) {
		std /= math.Sqrt(2 * float64(b.config.Layers))
	}
	return b.linear(name, x, out, std, b.config.HasBias())
}

func (b *Builder) linear(name string, x *autograd.Node, out int, std float64, biased bool) *autograd.Node {
	shape := []int{out, x.Shape().Cols()}
	if b.layout == autograd.InOut {
		shape[0], shape[1] = shape[1], shape[0]
	}
	w := b.param(Param{Name: name + ".weight", Shape: shape, Init: Init{Std: std}, Decay: true, Matrix: true, Layout: b.layout})
	bias := b.bias(name, out, biased)
	var y *autograd.Node
	b.Graph.In(name, func() { y = autograd.Linear(x, w, bias, b.layout) })
	return b.adapt(name, x, y, out)
}

// bias declares "name.bias" (size) where there is one, else nil.
func (b *Builder) bias(name string, size int, there bool) *autograd.Node {
	if !there {
		return nil
	}
	return b.param(Param{Name: name + ".bias", Shape: []int{size}})
}

// LayerNorm normalises the rows of x (N, D) with "name.weight" and, where the
// model has biases, "name.bias".
func (b *Builder) LayerNorm(name string, x *autograd.Node) *autograd.Node {
	d := x.Shape().Cols()
	w := b.param(Param{Name: name + ".weight", Shape: []int{d}, Init: Init{Value: 1}})
	bias := b.bias(name, d, b.config.HasBias())
	var y *autograd.Node
	b.Graph.In(name, func() { y = autograd.LayerNorm(x, w, bias, float32(b.config.NormEps)) })
	return y
}

// RMSNorm normalises the rows of x (N, D) with "name.weight".
func (b *Builder) RMSNorm(name string, x *autograd.Node) *autograd.Node {
	w := b.param(Param{Name: name + ".weight", Shape: []int{x.Shape().Cols()}, Init: Init{Value: 1}})
	var y *autograd.Node
	b.Graph.In(name, func() { y = autograd.RMSNorm(x, w, float32(b.config.NormEps)) })
	return y
}

// HeadNorm normalises every head of x (N, heads·hd) with one "name.weight" (hd).
func (b *Builder) HeadNorm(name string, x *autograd.Node, heads int) *autograd.Node {
	n, hd := x.Shape().Rows(), x.Shape().Cols()/heads
	x = autograd.Reshape(x, n*heads, hd) // (N, heads·hd) → (N·heads, hd)
	return autograd.Reshape(b.RMSNorm(name, x), n, heads*hd)
}

// RoPE rotates the heads of x (N, heads·hd) by their positions.
func (b *Builder) RoPE(x *autograd.Node, heads int) *autograd.Node {
	return autograd.RoPE(x, b.Positions, autograd.RoPEConfig{Heads: heads, Length: b.Span(), Theta: b.config.RopeTheta, Scaling: b.config.ropeScaling()})
}

// Sinusoids looks up the positions in the constant table of Vaswani et al. 2017:
// (N) → (N, D).
func (b *Builder) Sinusoids(name string) *autograd.Node {
	return autograd.Embedding(b.Positions, b.Graph.SinusoidalTable(b.name(name), b.Span(), b.config.Width))
}

// Dropout drops elements of x in a training graph and returns x in others.
func (b *Builder) Dropout(x *autograd.Node) *autograd.Node {
	if b.RNG == nil {
		return x
	}
	return autograd.Dropout(x, b.RNG, float32(b.config.Dropout))
}

// PackedAttention attends causally with qkv (N, 3·H·hd) → (N, H·hd), one key
// head a query head.
func (b *Builder) PackedAttention(name string, qkv *autograd.Node) *autograd.Node {
	var y *autograd.Node
	b.Graph.In(name, func() {
		if b.Cache == nil {
			y = autograd.PackedAttention(qkv, autograd.AttentionMask{Query: b.Segments}, b.attention())
			return
		}
		d := qkv.Shape().Cols() / 3
		y = b.cached(autograd.Slice(qkv, 1, 0, d), autograd.Slice(qkv, 1, d, 2*d), autograd.Slice(qkv, 1, 2*d, 3*d))
	})
	return y
}

// Attention attends causally with q (N, H·hd), k and v (N, G·hd) → (N, H·hd).
func (b *Builder) Attention(name string, q, k, v *autograd.Node) *autograd.Node {
	var y *autograd.Node
	b.Graph.In(name, func() {
		if b.Cache == nil {
			y = autograd.Attention(q, k, v, autograd.AttentionMask{Query: b.Segments}, b.attention())
			return
		}
		y = b.cached(q, k, v)
	})
	return y
}

// cached attends over the block's caches (B·S, G·hd) after appending k and v.
func (b *Builder) cached(q, k, v *autograd.Node) *autograd.Node {
	rows, cols := b.Batch*b.Cache.Rows, b.config.KVHeads*b.config.HeadDim
	kcache := b.Graph.State(fmt.Sprintf("cache.k.%d", b.block), rows, cols)
	vcache := b.Graph.State(fmt.Sprintf("cache.v.%d", b.block), rows, cols)
	return autograd.AttentionCached(q, k, v, kcache, vcache, b.Cache.Position, b.attention())
}

func (b *Builder) attention() autograd.AttentionConfig {
	return autograd.AttentionConfig{
		Batch: b.Batch, Heads: b.config.Heads, KVHeads: b.config.KVHeads,
		Causal: true, Window: b.config.SlidingWindow,
	}
}

// Declare returns the parameters that forward declares, in that order, or what is
// wrong with the configuration's adapter and frozen parameters.
func Declare(c Config, layout autograd.WeightLayout, forward func(*Builder) (hidden, head *autograd.Node)) ([]Param, error) {
	g := autograd.NewGraph()
	b := NewBuilder(g, NewInputs(g, 1, 1), c, layout)
	forward(b)
	if err := g.Err(); err != nil {
		return nil, err
	}
	return b.params, b.checkSets()
}
