package nn

import (
	"cmp"
	"fmt"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Builder declares the parameters and layers of one graph. Names nest: inside
// Block(0, "h.0"), Linear("attn.c_attn", …) declares "h.0.attn.c_attn.weight".
// States and paths have the role of the model's Tuning in front.
type Builder struct {
	Inputs
	Graph  *autograd.Graph
	style  Style
	tuning Tuning
	path   string
	block  int      // -1 outside
	params []Param  // as declared
	layers []string // names of the linear layers
}

// In runs build with name appended to the path.
func (b *Builder) In(name string, build func()) {
	path := b.path
	b.path = b.name(name)
	b.Graph.In(b.scope(path, name), build)
	b.path = path
}

// Block is In for block i of the model, which plan.Options.Recompute treats as
// one and which owns the caches "cache.k.i" and "cache.v.i".
func (b *Builder) Block(i int, name string, build func()) {
	path, block := b.path, b.block
	b.path, b.block = b.name(name), i
	b.Graph.Block(i, b.scope(path, name), build)
	b.path, b.block = path, block
}

// Index is the number of the block that is being built, -1 outside of all.
func (b *Builder) Index() int { return b.block }

// layer makes the ops of a layer.
func (b *Builder) layer(name string, op func() *autograd.Node) (y *autograd.Node) {
	b.Graph.In(b.scope(b.path, name), func() { y = op() })
	return y
}

// scope is the name that the graph's path goes on with from path.
func (b *Builder) scope(path, name string) string {
	if path == "" {
		return b.tuning.State(name)
	}
	return name
}

func (b *Builder) name(s string) string {
	if b.path == "" {
		return s
	}
	return b.path + "." + s
}

// param declares a parameter: a frozen one is state that Grad does not
// differentiate by. Where another builder of the model has declared it, for another
// forward pass in the same graph, it is that one.
func (b *Builder) param(p Param) *autograd.Node {
	p.Name, p.Role, p.Block = b.name(p.Name), b.tuning.Role, b.block
	p.Running = p.Running || b.tuning.Average
	p.Frozen = p.Frozen || p.Running || b.tuning.frozen(p)
	if !p.Frozen || p.Adapter {
		p.DType = ir.F32
	}
	again := slices.ContainsFunc(b.params, func(q Param) bool { return q.Name == p.Name })
	b.params = append(b.params, p)
	if n := b.Graph.Declared(p.State()); n != nil && !again && n.Shape().Equal(p.Shape) {
		return n
	}
	switch {
	case p.Running:
		return b.Graph.Running(b.tuning.State(p.Name), p.Shape...)
	case p.Frozen:
		return b.Graph.Stored(p.State(), p.DType, p.Shape...)
	}
	return b.Graph.Param(p.State(), p.Shape...)
}

// Running declares "name" (shape), statistics of a whole run.
func (b *Builder) Running(name string, first Init, shape ...int) *autograd.Node {
	return b.param(Param{Name: name, Shape: shape, Init: first, Running: true})
}

// Std runs build with that standard deviation of first weights in place of the model's.
func (b *Builder) Std(std float64, build func()) {
	style := b.style
	b.style.InitStd, b.style.ResidualStd = std, std
	build()
	b.style = style
}

// Eps runs build with that addend of variances in place of the model's.
func (b *Builder) Eps(eps float64, build func()) {
	style := b.style
	b.style.NormEps = eps
	build()
	b.style = style
}

// Embedding declares the table "name.weight" (rows, width). Package autograd's
// Embedding looks rows up in it; as a head it is used whole.
func (b *Builder) Embedding(name string, rows, width int) *autograd.Node {
	return b.Rows(name+".weight", rows, width)
}

// Rows declares the table "name" (rows, width).
func (b *Builder) Rows(name string, rows, width int) *autograd.Node {
	return b.param(Param{Name: name, Shape: []int{rows, width}, Init: Init{Std: b.style.InitStd}, Decay: true, DType: b.tuning.Adapter.Base.table()})
}

// Constant declares "name" (shape), zeros that a file may set and that are never trained.
func (b *Builder) Constant(name string, shape ...int) *autograd.Node {
	return b.param(Param{Name: name, Shape: shape, Frozen: true})
}

// Linear is x·w + bias, x (N, in) → (N, out). It declares "name.weight" in the
// model's layout and, where the model has biases, "name.bias" (out); where the
// layer is a target of the adapter, its two matrices too.
func (b *Builder) Linear(name string, x *autograd.Node, out int) *autograd.Node {
	return b.linear(name, x, out, b.style.InitStd, b.style.Bias)
}

// LinearBias is Linear with a bias or without one, whatever the other layers have.
func (b *Builder) LinearBias(name string, x *autograd.Node, out int, bias bool) *autograd.Node {
	return b.linear(name, x, out, b.style.InitStd, bias)
}

// Residual is Linear for a projection that adds to the residual stream: its
// first weights may be smaller (Radford et al. 2019).
func (b *Builder) Residual(name string, x *autograd.Node, out int) *autograd.Node {
	return b.linear(name, x, out, b.style.ResidualStd, b.style.Bias)
}

// ResidualBias is Residual with a bias or without one, whatever the other layers have.
func (b *Builder) ResidualBias(name string, x *autograd.Node, out int, bias bool) *autograd.Node {
	return b.linear(name, x, out, b.style.ResidualStd, bias)
}

func (b *Builder) linear(name string, x *autograd.Node, out int, std float64, biased bool) *autograd.Node {
	layout := b.style.Layout
	shape := []int{out, x.Shape().Cols()}
	if layout == autograd.InOut {
		shape[0], shape[1] = shape[1], shape[0]
	}
	w := b.param(Param{Name: name + ".weight", Shape: shape, Init: Init{Std: std}, Decay: true, Matrix: true, Layout: layout, DType: b.tuning.Adapter.Base.matrix()})
	bias := b.bias(name, out, biased)
	return b.adapt(name, x, w, bias, out)
}

// bias declares "name.bias" (size) where there is one, else nil.
func (b *Builder) bias(name string, size int, there bool) *autograd.Node {
	if !there {
		return nil
	}
	return b.param(Param{Name: name + ".bias", Shape: []int{size}})
}

// Learned declares the vector "name" (size), which begins as first has it.
func (b *Builder) Learned(name string, first Init, size int) *autograd.Node {
	return b.param(Param{Name: name, Shape: []int{size}, Init: first})
}

// Number declares the scalar "name", which begins as value.
func (b *Builder) Number(name string, value float64) *autograd.Node {
	return b.param(Param{Name: name, Shape: []int{}, Init: Init{Value: value}})
}

// Bias declares the vector "name" (size) of a layer that has no weights of its own.
func (b *Builder) Bias(name string, size int) *autograd.Node {
	return b.param(Param{Name: name, Shape: []int{size}})
}

// LayerNorm normalises the rows of x (N, D) with "name.weight" and, where the
// model has biases, "name.bias".
func (b *Builder) LayerNorm(name string, x *autograd.Node) *autograd.Node {
	d := x.Shape().Cols()
	w := b.param(Param{Name: name + ".weight", Shape: []int{d}, Init: Init{Value: 1}})
	bias := b.bias(name, d, b.style.Bias)
	return b.layer(name, func() *autograd.Node { return autograd.LayerNorm(x, w, bias, float32(b.style.NormEps)) })
}

// RMSNorm normalises the rows of x (N, D) with "name.weight".
func (b *Builder) RMSNorm(name string, x *autograd.Node) *autograd.Node {
	w := b.param(Param{Name: name + ".weight", Shape: []int{x.Shape().Cols()}, Init: Init{Value: 1}})
	return b.layer(name, func() *autograd.Node { return autograd.RMSNorm(x, w, float32(b.style.NormEps)) })
}

// HeadNorm normalises every head of x (N, heads·hd) with one "name.weight" (hd).
func (b *Builder) HeadNorm(name string, x *autograd.Node, heads int) *autograd.Node {
	n, hd := x.Shape().Rows(), x.Shape().Cols()/heads
	x = autograd.Reshape(x, n*heads, hd) // (N, heads·hd) → (N·heads, hd)
	return autograd.Reshape(b.RMSNorm(name, x), n, heads*hd)
}

// RoPE rotates the heads of x (N, heads·hd) by their positions.
func (b *Builder) RoPE(x *autograd.Node, heads int, theta float64, scaling autograd.RoPEScaling) *autograd.Node {
	return autograd.RoPE(x, b.Positions, autograd.RoPEConfig{Heads: heads, Length: b.Span(), Theta: theta, Scaling: scaling})
}

// Sinusoids looks up the positions in the constant table of Vaswani et al. 2017:
// (N) → (N, width).
func (b *Builder) Sinusoids(name string, width int) *autograd.Node {
	return autograd.Embedding(b.Positions, b.Graph.SinusoidalTable(b.tuning.State(b.name(name)), b.Span(), width))
}

// Table returns the constant table of that name (rows, width), which value computes.
func (b *Builder) Table(name string, rows, width int, value func(row, column int) float32) *autograd.Node {
	return b.Graph.Table(b.tuning.State(b.name(name)), func() []float32 {
		t := make([]float32, rows*width)
		for i := range t {
			t[i] = value(i/width, i%width)
		}
		return t
	}, rows, width)
}

// Zeros is the constant vector "name" of n integers 0, such as segments.
func (b *Builder) Zeros(name string, n int) *autograd.Node {
	return b.Graph.Zeros(b.tuning.State(b.name(name)), n)
}

// State declares memory of the model that programs share and the host may write, such as
// what a decoder keeps of its sources.
func (b *Builder) State(name string, shape ...int) *autograd.Node {
	return b.Graph.State(b.tuning.State(name), shape...)
}

// Dropout drops elements of x in a training graph and returns x in others. Rows of x are
// those of the samples of the batch, as many each.
func (b *Builder) Dropout(x *autograd.Node) *autograd.Node { return b.drop(x, b.style.Dropout) }

func (b *Builder) drop(x *autograd.Node, p float64) *autograd.Node {
	if b.RNG == nil || p == 0 || len(x.Shape()) == 0 {
		return x
	}
	rng, rows := b.RNG, x.Shape().Rows()/b.Batch
	if rows != b.Length { // the first row of a sample has another number than its first token
		name := fmt.Sprintf("rng.%d", rows)
		if rng = b.Graph.Declared(name); rng == nil {
			rng = b.Graph.Ints(name, 4)
		}
	}
	return autograd.Dropout(x, rng, float32(p))
}

// Apart builds what has no rows of samples, such as a table of distances: nothing is dropped
// from it.
func (b *Builder) Apart(build func() *autograd.Node) *autograd.Node {
	rng := b.RNG
	b.RNG = nil
	defer func() { b.RNG = rng }()
	return build()
}

// Memory declares what the samples of the batch hand on to those at their places in the
// next step; see autograd's. The graph's Write gives it its next content.
func (b *Builder) Memory(name string, shape ...int) *autograd.Node {
	return b.Graph.Memory(b.tuning.State(b.name(name)), shape...)
}

// PackedAttention attends with qkv (N, 3·H·hd) → (N, H·hd), one key head a query
// head. The batch of c is that of the inputs.
func (b *Builder) PackedAttention(name string, qkv *autograd.Node, c autograd.AttentionConfig) *autograd.Node {
	c = b.attention(c)
	return b.layer(name, func() *autograd.Node {
		if b.Cache == nil {
			return autograd.PackedAttention(qkv, autograd.AttentionMask{Query: b.Segments}, c)
		}
		d := qkv.Shape().Cols() / 3
		return b.cached(autograd.Slice(qkv, 1, 0, d), autograd.Slice(qkv, 1, d, 2*d), autograd.Slice(qkv, 1, 2*d, 3*d), c)
	})
}

// attention is c with the batch, and in a training graph with what it drops.
func (b *Builder) attention(c autograd.AttentionConfig) autograd.AttentionConfig {
	c.Batch = b.Batch
	if b.RNG != nil {
		c.Dropout, c.RNG = float32(b.style.AttentionDropout), b.RNG
	}
	return c
}

// Attention attends with q (N, H·hd), k and v (N, G·hd) → (N, H·hd). The batch of
// c is that of the inputs.
func (b *Builder) Attention(name string, q, k, v *autograd.Node, c autograd.AttentionConfig) *autograd.Node {
	c = b.attention(c)
	return b.layer(name, func() *autograd.Node {
		if b.Cache == nil {
			return autograd.Attention(q, k, v, autograd.AttentionMask{Query: b.Segments}, c)
		}
		return b.cached(q, k, v, c)
	})
}

// CrossAttention attends from q (B·T, H·hd) to keys and values k and v (B·S, G·hd) of other
// tokens → (B·T, H·hd); c has B. Tokens attend inside equal segments only, where mask has them.
func (b *Builder) CrossAttention(name string, q, k, v *autograd.Node, mask autograd.AttentionMask, c autograd.AttentionConfig) *autograd.Node {
	return b.layer(name, func() *autograd.Node { return autograd.Attention(q, k, v, mask, c) })
}

// cached attends over the block's caches (B·S, G·hd) after appending k and v.
func (b *Builder) cached(q, k, v *autograd.Node, c autograd.AttentionConfig) *autograd.Node {
	return autograd.AttentionCached(q, k, v, b.cache("k", k.Shape().Cols()), b.cache("v", v.Shape().Cols()), b.Cache.Position, c)
}

// cache declares a cache of the block, (B·S, width).
func (b *Builder) cache(name string, width int) *autograd.Node {
	return b.Graph.State(b.tuning.State(fmt.Sprintf("%s.%s.%d", cmp.Or(b.Cache.Name, "cache"), name, b.block)), b.Batch*b.Cache.Rows, width)
}
