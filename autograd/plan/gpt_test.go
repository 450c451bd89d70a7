package plan

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

// gptConfig describes a GPT-2-like program in the shape that the front end
// emits: forward, loss with gradients, backward in reverse, updates.
type gptConfig struct {
	layers, b, t, d, heads, v int
	dropout                   float32
	tied                      bool
	grads                     string // "": temps; "add": into state; "set": over state
	clip                      bool   // updates wait for GradNorm
	update                    bool
}

// builder writes programs for the tests.
type builder struct {
	options  Options // of the passes
	p        *ir.Program
	path     string
	backward bool
	block    int
}

func newBuilder(name string) *builder { return &builder{p: &ir.Program{Name: name}, block: -1} }

func (b *builder) temp(shape ...int) *ir.Value { return b.p.NewValue(ir.Temp, "", ir.F32, shape...) }

func (b *builder) input(name string, dtype ir.DType, shape ...int) *ir.Value {
	return b.p.NewValue(ir.Input, name, dtype, shape...)
}

func (b *builder) state(name string, shape ...int) *ir.Value {
	return b.p.NewValue(ir.State, name, ir.F32, shape...)
}

func (b *builder) constant(c float32) *ir.Value {
	v := b.p.NewValue(ir.Const, "", ir.F32, 1)
	v.Const = c
	return v
}

// emit appends an instruction and returns its first output.
func (b *builder) emit(kind ir.Kind, attrs ir.Attrs, out []*ir.Value, in ...*ir.Value) *ir.Value {
	b.p.Emit(&ir.Instr{Kind: kind, Attrs: attrs, In: in, Out: out, Path: b.path, Backward: b.backward, Block: b.block})
	if len(out) == 0 {
		return nil
	}
	return out[0]
}

// unary emits a kind whose one output has x's shape.
func (b *builder) unary(kind ir.Kind, attrs ir.Attrs, x *ir.Value, more ...*ir.Value) *ir.Value {
	return b.emit(kind, attrs, []*ir.Value{b.temp(x.Shape...)}, append([]*ir.Value{x}, more...)...)
}

func (b *builder) add(x, y *ir.Value) *ir.Value { return b.unary(ir.Add, nil, x, y) }

func (b *builder) matmul(x, y *ir.Value, transA, transB bool, bias *ir.Value) *ir.Value {
	rows, cols := x.Shape[0], y.Shape[1]
	if transA {
		rows = x.Shape[1]
	}
	if transB {
		cols = y.Shape[0]
	}
	return b.emit(ir.MatMul, ir.MatMulAttrs{TransA: transA, TransB: transB}, []*ir.Value{b.temp(rows, cols), nil, nil}, x, y, bias, nil, nil)
}

// gpt builds a training program and returns it.
func gpt(c gptConfig) *ir.Program {
	g := &gptBuilder{builder: newBuilder("gpt"), gptConfig: c, n: c.b * c.t, grad: map[*ir.Value]*ir.Value{}}
	g.build()
	return g.p
}

type gptBuilder struct {
	*builder
	gptConfig
	n, site int
	rng     *ir.Value
	params  []*ir.Value
	grad    map[*ir.Value]*ir.Value // of a parameter
	undo    []func(dy *ir.Value) *ir.Value
}

func (g *gptBuilder) param(name string, shape ...int) *ir.Value {
	v := g.state(name, shape...)
	g.params = append(g.params, v)
	return v
}

// back pushes the gradient of what has just been built.
func (g *gptBuilder) back(f func(dy *ir.Value) *ir.Value) {
	path, block := g.path, g.block
	g.undo = append(g.undo, func(dy *ir.Value) *ir.Value {
		g.path, g.block = path, block
		return f(dy)
	})
}

// run emits the gradients pushed since mark, last first.
func (g *gptBuilder) run(mark int, dy *ir.Value) *ir.Value {
	for i := len(g.undo) - 1; i >= mark; i-- {
		dy = g.undo[i](dy)
	}
	g.undo = g.undo[:mark]
	return dy
}

func (g *gptBuilder) accumulate(param, d *ir.Value) {
	if old := g.grad[param]; old != nil {
		d = g.add(old, d)
	}
	g.grad[param] = d
}

func (g *gptBuilder) linear(name string, x *ir.Value, out int) *ir.Value {
	w, bias := g.param(name+".w", out, x.Shape[1]), g.param(name+".b", out)
	y := g.matmul(x, w, false, true, bias)
	g.back(func(dy *ir.Value) *ir.Value {
		dx := g.matmul(dy, w, false, false, nil)
		g.accumulate(w, g.matmul(dy, x, true, false, nil))
		g.accumulate(bias, g.emit(ir.ColumnSum, nil, []*ir.Value{g.temp(out)}, dy, nil))
		return dx
	})
	return y
}

func (g *gptBuilder) norm(name string, x *ir.Value) *ir.Value {
	w, bias := g.param(name+".w", g.d), g.param(name+".b", g.d)
	attrs := ir.NormAttrs{Eps: 1e-5}
	mean, rstd := g.temp(g.n), g.temp(g.n)
	y := g.emit(ir.LayerNorm, attrs, []*ir.Value{g.temp(g.n, g.d), mean, rstd}, x, w, bias)
	g.back(func(dy *ir.Value) *ir.Value {
		dw, db := g.temp(g.d), g.temp(g.d)
		dx := g.emit(ir.LayerNormBackward, attrs, []*ir.Value{g.temp(g.n, g.d), dw, db, nil}, x, w, mean, rstd, dy, nil)
		g.accumulate(w, dw)
		g.accumulate(bias, db)
		return dx
	})
	return y
}

func (g *gptBuilder) gelu(x *ir.Value) *ir.Value {
	attrs := ir.ActivationAttrs{Act: ir.GELUTanh}
	g.back(func(dy *ir.Value) *ir.Value { return g.unary(ir.ActivationBackward, attrs, x, dy) })
	return g.unary(ir.Activation, attrs, x)
}

func (g *gptBuilder) attention(qkv *ir.Value) *ir.Value {
	attrs := ir.AttentionAttrs{Batch: g.b, Heads: g.heads, KVHeads: g.heads, HeadDim: g.d / g.heads, Causal: true, Packed: true, Scale: 1}
	lse := g.temp(g.n * g.heads)
	y := g.emit(ir.Attention, attrs, []*ir.Value{g.temp(g.n, g.d), lse}, qkv, nil, nil, nil, nil, nil, nil)
	g.back(func(dy *ir.Value) *ir.Value {
		return g.emit(ir.AttentionBackward, attrs, []*ir.Value{g.temp(qkv.Shape...), nil, nil, nil, nil, nil, nil}, qkv, nil, nil, nil, nil, y, lse, dy, nil, nil)
	})
	return y
}

func (g *gptBuilder) drop(x *ir.Value) *ir.Value {
	if g.dropout == 0 {
		return x
	}
	g.site++
	attrs := ir.DropoutAttrs{P: g.dropout, Site: uint32(g.site)}
	g.back(func(dy *ir.Value) *ir.Value { return g.unary(ir.Dropout, attrs, dy, g.rng) })
	return g.unary(ir.Dropout, attrs, x, g.rng)
}

// residual returns x + f(x).
func (g *gptBuilder) residual(x *ir.Value, f func(*ir.Value) *ir.Value) *ir.Value {
	mark := len(g.undo)
	y := g.add(x, f(x))
	inner := append([]func(*ir.Value) *ir.Value(nil), g.undo[mark:]...)
	g.undo = g.undo[:mark]
	g.back(func(dy *ir.Value) *ir.Value {
		g.undo = append(g.undo, inner...)
		return g.add(dy, g.run(len(g.undo)-len(inner), dy))
	})
	return y
}

func (g *gptBuilder) build() {
	ids, targets := g.input("ids", ir.I32, g.n), g.input("targets", ir.I32, g.n)
	lossWeight := g.input("loss_weight", ir.F32, 1)
	if g.dropout > 0 {
		g.rng = g.input("rng", ir.I32, 4)
	}
	g.path = "wte"
	wte := g.param("wte", g.v, g.d)
	x := g.emit(ir.Embedding, nil, []*ir.Value{g.temp(g.n, g.d)}, ids, wte)
	g.back(func(dy *ir.Value) *ir.Value {
		g.accumulate(wte, g.emit(ir.EmbeddingBackward, nil, []*ir.Value{g.temp(g.v, g.d)}, ids, dy, nil))
		return nil
	})
	for l := range g.layers {
		g.block = l
		name := fmt.Sprintf("blocks.%d.", l)
		x = g.residual(x, func(x *ir.Value) *ir.Value {
			g.path = name + "attn"
			h := g.linear(name+"qkv", g.norm(name+"norm1", x), 3*g.d)
			return g.drop(g.linear(name+"out", g.attention(h), g.d))
		})
		x = g.residual(x, func(x *ir.Value) *ir.Value {
			g.path = name + "mlp"
			h := g.gelu(g.linear(name+"up", g.norm(name+"norm2", x), 4*g.d))
			return g.drop(g.linear(name+"down", h, g.d))
		})
	}
	g.block, g.path = -1, "head"
	x = g.norm("norm", x)
	head := wte
	if !g.tied {
		head = g.param("head", g.v, g.d)
	}
	dx, dw := g.temp(g.n, g.d), g.temp(g.v, g.d)
	loss := g.emit(ir.LinearCrossEntropy, ir.LinearCrossEntropyAttrs{Rows: 16}, []*ir.Value{g.temp(1), g.temp(g.n), dx, dw}, x, head, targets, lossWeight, nil)
	g.p.Outputs = append(g.p.Outputs, loss)
	g.backward = true
	g.accumulate(head, g.unary(ir.ScaleBy, nil, dw, g.constant(1)))
	g.run(0, g.unary(ir.ScaleBy, nil, dx, g.constant(1)))
	g.block = -1
	g.finish()
}

// finish stores the gradients and emits the updates.
func (g *gptBuilder) finish() {
	g.path = "grads"
	for _, param := range g.params {
		d := g.grad[param]
		if g.grads == "" {
			continue
		}
		state := g.state("grad."+param.Name, param.Shape...)
		if g.grads == "set" {
			for _, in := range g.p.Instrs {
				for j, v := range in.Out {
					if v == d {
						in.Out[j] = state
					}
				}
			}
			g.grad[param] = state
			continue
		}
		next := g.state("grad."+param.Name, param.Shape...)
		next.Base = state
		g.grad[param] = g.emit(ir.Add, nil, []*ir.Value{next}, state, d)
	}
	if !g.update {
		if g.grads == "" {
			for _, param := range g.params {
				g.p.Outputs = append(g.p.Outputs, g.grad[param])
			}
		}
		return
	}
	g.path, g.backward = "optimizer", false
	hyper := g.input("hyper", ir.F32, ir.HyperLen)
	var clip *ir.Value
	if g.clip {
		clip = g.temp(1)
		var grads []*ir.Value
		for _, param := range g.params {
			grads = append(grads, g.grad[param])
		}
		squares := g.emit(ir.SumSquares, ir.RootAttrs{}, []*ir.Value{g.temp(1, 2)}, grads...)
		g.p.Outputs = append(g.p.Outputs, g.emit(ir.GradNorm, ir.GradNormAttrs{MaxNorm: 1}, []*ir.Value{g.temp(1), clip}, hyper, squares))
	}
	for _, param := range g.params {
		m, v := g.state("m."+param.Name, param.Shape...), g.state("v."+param.Name, param.Shape...)
		g.emit(ir.AdamW, ir.AdamWAttrs{Beta1: 0.9, Beta2: 0.95}, nil, param, g.grad[param], m, v, hyper, clip, nil)
	}
}
