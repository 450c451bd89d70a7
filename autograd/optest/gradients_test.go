package optest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// gradientCase is a differentiable expression of some parameters. Its gradient
// is taken of the expression when that is a scalar, else of the mean square of
// its distance to a target.
type gradientCase struct {
	name   string
	kinds  []ir.Kind // whose gradients the case covers
	params []arg
	inputs map[string]arg
	build  func(g *autograd.Graph, p, in []*autograd.Node) *autograd.Node
	order  []string // of inputs
}

type node = autograd.Node

// unary is the case of one op on parameters, without inputs.
func unary(name string, kind ir.Kind, build func(p []*node) *node, params ...arg) gradientCase {
	return gradientCase{name: name, kinds: []ir.Kind{kind}, params: params,
		build: func(_ *autograd.Graph, p, _ []*node) *node { return build(p) }}
}

// with adds an input to the case.
func (c gradientCase) with(name string, a arg) gradientCase {
	inputs := map[string]arg{name: a}
	for k, v := range c.inputs {
		inputs[k] = v
	}
	c.inputs, c.order = inputs, append(c.order[:len(c.order):len(c.order)], name)
	return c
}

// awayFromZero draws numbers of magnitude 0.5 to 1.5, beside the kink of ReLU.
func awayFromZero(shape ...int) arg {
	return fill(func() float64 { return math.Copysign(0.5+draw.Float64(), draw.NormFloat64()) }, shape)
}

func gradientCases() []gradientCase {
	draw = rand.New(rand.NewPCG(3, 4)) // the same data whatever was drawn before
	list := []gradientCase{
		unary("LayerNorm", ir.LayerNorm, func(p []*node) *node { return autograd.LayerNorm(p[0], p[1], p[2], 1e-5) },
			normal(3, 5), normal(5), normal(5)),
		unary("LayerNorm no bias", ir.LayerNorm, func(p []*node) *node { return autograd.LayerNorm(p[0], p[1], nil, 1e-5) },
			normal(2, 3, 4), normal(4)),
		unary("RMSNorm", ir.RMSNorm, func(p []*node) *node { return autograd.RMSNorm(p[0], p[1], 1e-6) }, normal(3, 5), normal(5)),
		unary("SwiGLU", ir.SwiGLU, func(p []*node) *node { return autograd.SwiGLU(p[0], p[1]) }, normal(3, 5), normal(3, 5)),
		unary("Softmax", ir.Softmax, func(p []*node) *node { return autograd.Softmax(p[0]) }, normal(3, 5)),
		unary("Add", ir.Add, func(p []*node) *node { return autograd.Add(p[0], p[1]) }, normal(3, 5), normal(3, 5)),
		unary("Add twice", ir.Add, func(p []*node) *node { return autograd.Add(p[0], p[0]) }, normal(3, 5)),
		unary("Mul", ir.Mul, func(p []*node) *node { return autograd.Mul(p[0], p[1]) }, normal(3, 5), normal(3, 5)),
		unary("Mul square", ir.Mul, func(p []*node) *node { return autograd.Mul(p[0], p[0]) }, normal(3, 5)),
		unary("Scale", ir.Scale, func(p []*node) *node { return autograd.Scale(p[0], -1.5) }, normal(3, 5)),
		unary("Reshape", ir.Reshape, func(p []*node) *node { return autograd.Scale(autograd.Reshape(p[0], 5, 3), 2) }, normal(3, 5)),
		unary("Transpose", ir.Transpose, func(p []*node) *node { return autograd.Transpose(p[0], 2, 0, 1) }, normal(2, 3, 4)),
		unary("Slice", ir.Slice, func(p []*node) *node { return autograd.Slice(p[0], 1, 1, 3) }, normal(2, 4, 3)),
		unary("Concat", ir.Concat, func(p []*node) *node { return autograd.Concat(1, p[0], p[1], p[0]) }, normal(2, 3), normal(2, 1)),
		unary("Sum", ir.ReduceSum, func(p []*node) *node { return autograd.Sum(p[0], 1) }, normal(2, 3, 4)),
		unary("Mean", ir.ReduceSum, func(p []*node) *node { return autograd.Mean(p[0], 0, 2) }, normal(2, 3, 4)),
		unary("Broadcast", ir.Broadcast, func(p []*node) *node { return autograd.Broadcast(p[0], 2, 3, 4) }, normal(2, 1, 4)),
		unary("Linear bias", ir.MatMul, func(p []*node) *node { return autograd.Linear(p[0], p[1], p[2], autograd.OutIn) },
			normal(3, 4), normal(5, 4), normal(5)),
		unary("MatMul batched", ir.MatMul, func(p []*node) *node { return autograd.MatMul(p[0], p[1], false, true) },
			normal(2, 3, 4), normal(2, 5, 4)),
		unary("residual block", ir.MatMul, func(p []*node) *node {
			h := autograd.Activation(autograd.Linear(autograd.LayerNorm(p[0], p[1], p[2], 1e-5), p[3], p[4], autograd.OutIn), ir.GELUTanh)
			return autograd.Add(p[0], autograd.Linear(h, p[5], p[6], autograd.InOut))
		}, normal(3, 4), normal(4), normal(4), normal(6, 4), normal(6), normal(6, 4), normal(4)),
		unary("MSE", ir.MSE, func(p []*node) *node {
			return autograd.MSE(p[0], p[0].Graph().Table("t", func() []float32 { return make([]float32, 15) }, 3, 5))
		},
			normal(3, 5)),
		gradientCase{name: "Embedding", kinds: []ir.Kind{ir.Embedding}, params: []arg{normal(5, 3)},
			build: func(_ *autograd.Graph, p, in []*node) *node { return autograd.Embedding(in[0], p[0]) },
		}.with("ids", ints(3, 1, 3, 4)),
		unary("RelativeAttention", ir.RelativeAttention, func(p []*node) *node {
			return autograd.RelativeAttention(p[0], p[1], p[2], p[3], p[4], nil, autograd.RelativeConfig{Batch: 2, Heads: 2})
		}, normal(6, 4), normal(10, 4), normal(10, 4), normal(6, 4), normal(5, 4)),
		gradientCase{name: "RelativeAttention with reach", kinds: []ir.Kind{ir.RelativeAttention}, params: []arg{normal(6, 4), normal(10, 4), normal(10, 4), normal(6, 4), normal(5, 4)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				return autograd.RelativeAttention(p[0], p[1], p[2], p[3], p[4], in[0], autograd.RelativeConfig{Batch: 2, Heads: 2, Window: 4})
			},
		}.with("reach", ints(1, 2, 3, 0, 1, 9)),
		gradientCase{name: "RoPE", kinds: []ir.Kind{ir.RoPE}, params: []arg{normal(4, 12)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				return autograd.RoPE(p[0], in[0], autograd.RoPEConfig{Heads: 2, Length: 9, Theta: 100})
			},
		}.with("positions", ints(0, 8, 3, 5)),
		gradientCase{name: "Dropout", kinds: []ir.Kind{ir.Dropout}, params: []arg{normal(3, 5)},
			build: func(_ *autograd.Graph, p, in []*node) *node { return autograd.Dropout(p[0], in[0], 0.4) },
		}.with("rng", ints(1, 2, 3, 4)),
	}
	for t := range 4 {
		transA, transB := t&1 != 0, t&2 != 0
		a, b := normal(3, 4), normal(4, 5)
		if transA {
			a.shape = ir.Shape{4, 3}
		}
		if transB {
			b.shape = ir.Shape{5, 4}
		}
		list = append(list, unary(fmt.Sprintf("MatMul transA=%t transB=%t", transA, transB), ir.MatMul,
			func(p []*node) *node { return autograd.MatMul(p[0], p[1], transA, transB) }, a, b))
	}
	for _, act := range []ir.Act{ir.GELU, ir.GELUTanh, ir.SiLU, ir.ReLU2, ir.ReLU, ir.Tanh, ir.LeakyReLU} {
		list = append(list, unary("Activation "+act.String(), ir.Activation,
			func(p []*node) *node { return autograd.Activation(p[0], act) }, awayFromZero(3, 5)))
	}
	list = append(append(append(append(list, attentionGradients()...), lossGradients()...), logProbGradients()...), topLogProbGradients()...)
	list = append(append(list, recurrentGradients()...), pictureGradients()...)
	return append(list,
		unary("ScaleColumns", ir.ScaleColumns, func(p []*node) *node { return autograd.ScaleColumns(p[0], p[1], p[2]) }, normal(3, 5), normal(5), normal(5)),
		unary("ScaleColumns no bias", ir.ScaleColumns, func(p []*node) *node { return autograd.ScaleColumns(p[0], p[1], nil) }, normal(3, 5), normal(5)))
}

func recurrentGradients() (list []gradientCase) {
	for _, r := range []recurrentShape{
		{name: "lstm", cell: ir.LSTM, hidden: 3}, {name: "lstm first", cell: ir.LSTM, hidden: 3, first: true}, {name: "lstm projection", cell: ir.LSTM, hidden: 4, project: 2, first: true},
		{name: "lstm segments", cell: ir.LSTM, hidden: 3, first: true, segments: true, reverse: true},
		{name: "gru", cell: ir.GRU, hidden: 3}, {name: "gru first", cell: ir.GRU, hidden: 3, first: true}, {name: "gru segments", cell: ir.GRU, hidden: 3, first: true, segments: true},
	} {
		hidden, state, gates := r.sizes()
		half := func(shape ...int) arg { return fill(func() float64 { return draw.NormFloat64() / 2 }, shape) }
		params := []arg{normal(8, gates), half(gates, state), half(gates)}
		if r.project > 0 {
			params = append(params, normal(state, hidden))
		}
		if r.first {
			params = append(params, half(2, state))
			if r.cell == ir.LSTM {
				params = append(params, half(2, hidden))
			}
		}
		c := gradientCase{name: "Recurrent " + r.name, kinds: []ir.Kind{ir.Recurrent}, params: params,
			build: func(_ *autograd.Graph, p, in []*node) *node {
				w, next := autograd.RecurrentWeights{Hidden: p[1], Bias: p[2]}, 3
				if r.project > 0 {
					w.Projection, next = p[3], 4
				}
				var first autograd.RecurrentState
				if r.first {
					first.Hidden = p[next]
					if r.cell == ir.LSTM {
						first.Cell = p[next+1]
					}
				}
				var segments *node
				if len(in) > 0 {
					segments = in[0]
				}
				return autograd.Recurrent(p[0], w, first, segments, autograd.RecurrentConfig{Cell: r.cell, Batch: 2, Reverse: r.reverse})
			}}
		if r.segments {
			c = c.with("segments", ints(0, 0, 1, 1, 2, 2, 2, -1))
		}
		list = append(list, c)
	}
	return list
}

func attentionGradients() []gradientCase {
	attention := func(name string, q, kv arg, cfg autograd.AttentionConfig) gradientCase {
		return gradientCase{name: "Attention " + name, kinds: []ir.Kind{ir.Attention}, params: []arg{q, kv, normal(kv.shape...)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				var mask autograd.AttentionMask
				if len(in) > 0 {
					mask.Query = in[0]
				}
				if len(in) > 1 {
					mask.Key = in[1]
				}
				return autograd.Attention(p[0], p[1], p[2], mask, cfg)
			}}
	}
	packed := func(name string, qkv arg, cfg autograd.AttentionConfig) gradientCase {
		return unary("PackedAttention "+name, ir.Attention,
			func(p []*node) *node { return autograd.PackedAttention(p[0], autograd.AttentionMask{}, cfg) }, qkv)
	}
	dropped := func(x arg, cfg autograd.AttentionConfig) gradientCase {
		return gradientCase{name: "Attention with dropout", kinds: []ir.Kind{ir.Attention}, params: []arg{x, normal(x.shape...), normal(x.shape...)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				cfg.RNG = in[0]
				return autograd.Attention(p[0], p[1], p[2], autograd.AttentionMask{}, cfg)
			}}.with("rng", ints(3, 1, 7, 0))
	}
	biased := func(x, bias arg, cfg autograd.AttentionConfig) gradientCase {
		return unary("Attention with a bias", ir.Attention, func(p []*node) *node {
			cfg.Bias = p[3]
			return autograd.Attention(p[0], p[1], p[2], autograd.AttentionMask{}, cfg)
		}, x, normal(x.shape...), normal(x.shape...), bias)
	}
	return []gradientCase{
		attention("full", normal(6, 8), normal(6, 8), autograd.AttentionConfig{Batch: 2, Heads: 2}),
		attention("causal grouped", normal(4, 12), normal(4, 6), autograd.AttentionConfig{Batch: 1, Heads: 4, KVHeads: 2, Causal: true}),
		attention("window", normal(6, 4), normal(6, 4), autograd.AttentionConfig{Batch: 1, Heads: 1, Causal: true, Window: 2}),
		attention("cross", normal(4, 4), normal(10, 4), autograd.AttentionConfig{Batch: 2, Heads: 2}),
		attention("documents", normal(6, 4), normal(6, 4), autograd.AttentionConfig{Batch: 1, Heads: 2, Causal: true}).
			with("segments", ints(0, 0, 0, 1, 1, -1)),
		attention("cross segments", normal(3, 4), normal(5, 4), autograd.AttentionConfig{Batch: 1, Heads: 2}).
			with("segments", ints(0, 1, -1)).with("keys", ints(0, 0, 1, 2, -1)),
		dropped(normal(6, 8), autograd.AttentionConfig{Batch: 2, Heads: 2, Causal: true, Dropout: 0.3}),
		biased(normal(6, 8), normal(2, 4), autograd.AttentionConfig{Batch: 2, Heads: 2, Behind: 1}),
		biased(normal(5, 6), normal(2, 3), autograd.AttentionConfig{Batch: 1, Heads: 2, Causal: true, Behind: 2, Scale: 1}),
		packed("causal", normal(5, 12), autograd.AttentionConfig{Batch: 1, Heads: 2, Causal: true}),
		packed("grouped", normal(6, 16), autograd.AttentionConfig{Batch: 2, Heads: 2, KVHeads: 1, Causal: true}),
	}
}

func lossGradients() []gradientCase {
	var list []gradientCase
	for _, cfg := range []autograd.LossConfig{{}, {Smoothing: 0.2}, {ZLoss: 0.1}, {Smoothing: 0.1, ZLoss: 0.1}} {
		name := fmt.Sprintf(" smoothing=%g z=%g", cfg.Smoothing, cfg.ZLoss)
		direct := gradientCase{name: "CrossEntropy" + name, kinds: []ir.Kind{ir.CrossEntropy}, params: []arg{normal(4, 5)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				loss, _ := autograd.CrossEntropy(p[0], in[0], in[1], cfg)
				return autograd.Scale(loss, 1.5)
			}}
		linear := gradientCase{name: "LinearCrossEntropy" + name, kinds: []ir.Kind{ir.LinearCrossEntropy}, params: []arg{normal(4, 3), normal(5, 3)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				loss, _ := autograd.LinearCrossEntropy(p[0], p[1], in[0], in[1], cfg)
				return autograd.Scale(loss, 1.5)
			}}
		tied := gradientCase{name: "tied" + name, kinds: []ir.Kind{ir.LinearCrossEntropy, ir.Embedding}, params: []arg{normal(5, 3)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				loss, _ := autograd.LinearCrossEntropy(autograd.Embedding(in[2], p[0]), p[0], in[0], in[1], cfg)
				return loss
			}}
		for _, c := range []gradientCase{direct, linear, tied.with("targets", ints(2, -1, 4, 0)).with("loss_weight", values(0.25)).with("ids", ints(0, 3, 3, 1))} {
			if c.order == nil {
				c = c.with("targets", ints(2, -1, 4, 0)).with("loss_weight", values(0.25))
			}
			list = append(list, c)
		}
	}
	return list
}

// TestGradients compares the gradients of package autograd, fused and laid out
// by package plan, with central differences of the forward program.
func TestGradients(t *testing.T) {
	b := open(t, backends()[0], 1)
	for _, c := range gradientCases() {
		t.Run(c.name, func(t *testing.T) {
			d := newDerivative(t, b, &c)
			for i, p := range c.params {
				got := d.analytic(i)
				want := result{d.name(i), make([]float32, len(p.floats))}
				for j := range want.data {
					want.data[j] = float32(d.numeric(i, j))
				}
				if err := near([]result{{want.name, got}}, []result{want}, 1e-3); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// derivative holds the programs of one case.
type derivative struct {
	t              *testing.T
	c              *gradientCase
	store          *exec.Store
	forward, train *exec.Session
	target         []float32 // nil: the expression is the loss
	y              []float32
}

func newDerivative(t *testing.T, b exec.Backend, c *gradientCase) *derivative {
	d := &derivative{t: t, c: c, store: exec.NewStore(b)}
	g := autograd.NewGraph()
	var params, inputs []*node
	for i, p := range c.params {
		params = append(params, g.Param(d.name(i), p.shape...))
	}
	for _, name := range c.order {
		if a := c.inputs[name]; a.ints != nil {
			inputs = append(inputs, g.Ints(name, a.shape...))
		} else {
			inputs = append(inputs, g.Floats(name, a.shape...))
		}
	}
	y := c.build(g, params, inputs)
	d.check(g.Err())
	loss := y
	if len(y.Shape()) > 0 {
		target := normal(y.Shape()...)
		d.target = target.floats
		loss = autograd.MSE(y, g.Floats("target", y.Shape()...))
	}
	d.y = make([]float32, y.Shape().Size())
	d.forward = d.session(g, "forward", y)
	d.train = d.session(g, "train", append([]*node{y}, g.Grad(loss)...)...)
	for i, p := range c.params {
		d.check(d.store.Write(d.name(i), p.floats))
	}
	return d
}

func (d *derivative) name(param int) string { return fmt.Sprintf("p%d", param) }

func (d *derivative) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *derivative) session(g *autograd.Graph, name string, outputs ...*node) *exec.Session {
	d.t.Helper()
	p, err := g.Lower(name, outputs...)
	d.check(err)
	b := d.store.Backend()
	pl, err := plan.Build(p, plan.Options{Target: b.Target()})
	d.check(err)
	arena, err := exec.NewArena(b, max(pl.Arena, plan.Align))
	d.check(err)
	s, err := exec.NewSession(pl, d.store, arena)
	d.check(err)
	for _, in := range s.Inputs() {
		switch a := d.c.inputs[in.Name()]; {
		case in.Name() == "target":
			d.check(in.SetFloats(d.target))
		case a.ints != nil:
			d.check(in.SetInts(a.ints))
		default:
			d.check(in.SetFloats(a.floats))
		}
	}
	return s
}

// analytic returns the gradient of a parameter.
func (d *derivative) analytic(param int) []float32 {
	grad := make([]float32, len(d.c.params[param].floats))
	d.check(d.train.Run())
	d.check(d.train.Output(1+param, grad))
	return grad
}

// numeric returns the derivative by element j of a parameter: central
// differences of width h and 2h, extrapolated so that the error is O(h⁴).
func (d *derivative) numeric(param, j int) float64 {
	const h = 1.0 / 32
	at := func(delta float32) float64 {
		p := append([]float32(nil), d.c.params[param].floats...)
		p[j] += delta
		d.check(d.store.Write(d.name(param), p))
		return d.loss()
	}
	slope := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
	d.check(d.store.Write(d.name(param), d.c.params[param].floats))
	return slope
}

// loss runs the forward program; what follows it is computed in float64.
func (d *derivative) loss() float64 {
	d.check(d.forward.Run())
	d.check(d.forward.Output(0, d.y))
	if d.target == nil {
		return float64(d.y[0])
	}
	var sum float64
	for i, y := range d.y {
		e := float64(y) - float64(d.target[i])
		sum += e * e
	}
	return sum / float64(len(d.y))
}
