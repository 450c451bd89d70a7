package bench

import (
	"fmt"
	"math"

	"example.com/gotrain/autograd/ir"
)

func matMul(m, n, k int, transA, transB bool) Case {
	a, b, name := ir.Shape{m, k}, ir.Shape{k, n}, "MatMul "
	if transA {
		a = ir.Shape{k, m}
	}
	if transB {
		b = ir.Shape{n, k}
	}
	name += fmt.Sprintf("%s%s · %s%s", a, transposed(transA), b, transposed(transB))
	return Case{Name: name, Kind: ir.MatMul, Shape: Shape{M: m, N: n, K: k, TransA: transA, TransB: transB},
		FLOPs: 2 * float64(m) * float64(n) * float64(k), sums: transA, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.MatMul, Block: -1, Attrs: ir.MatMulAttrs{TransA: transA, TransB: transB},
				In:  []*ir.Value{p.NewValue(ir.State, "a", ir.F32, a...), p.NewValue(ir.State, "b", ir.F32, b...), nil, nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, m, n), nil, nil}}
			p.Emit(in)
			p.Outputs = in.Out[:1]
		}}
}

// withGELU is the product with the bias and the activation of an up projection,
// which keeps the argument of the activation for the backward pass.
func (k Case) withGELU() Case {
	product := k.emit
	k.Name += " + bias, GELU"
	k.emit = func(p *ir.Program) {
		product(p)
		in := p.Instrs[0]
		attrs := in.Attrs.(ir.MatMulAttrs)
		attrs.Act = ir.GELUTanh
		in.Attrs = attrs
		in.In[2] = p.NewValue(ir.State, "bias", ir.F32, k.Shape.N)
		in.Out[1] = p.NewValue(ir.Temp, "pre", ir.F32, k.Shape.M, k.Shape.N)
		p.Outputs = in.Out[:2]
	}
	return k
}

// withSums is the product of a weight's gradient that adds up the gradient of the bias too.
func (k Case) withSums() Case {
	product := k.emit
	k.Name += " + sums"
	k.emit = func(p *ir.Program) {
		product(p)
		in := p.Instrs[0]
		in.Out[2] = p.NewValue(ir.Temp, "sums", ir.F32, k.Shape.N)
		p.Outputs = []*ir.Value{in.Out[0], in.Out[2]}
	}
	return k
}

func transposed(yes bool) string {
	if yes {
		return "ᵀ"
	}
	return ""
}

// attention counts the products q·kᵀ and p·v over the keys that the causal mask
// leaves: 2·2·B·H·hd·T(T+1)/2, and two and a half times that backward.
func attention(batch, length, heads, headDim int) []Case {
	rows, width := batch*length, heads*headDim
	flops := 2 * float64(rows) * float64(length+1) * float64(width)
	attrs := ir.AttentionAttrs{Batch: batch, Heads: heads, KVHeads: heads, HeadDim: headDim, Causal: true, Packed: true, Scale: float32(1 / math.Sqrt(float64(headDim)))}
	name := fmt.Sprintf(" B %d T %d H %d hd %d", batch, length, heads, headDim)
	shape := Shape{Batch: batch, Length: length, Heads: heads, HeadDim: headDim}
	return []Case{
		{Name: "Attention" + name, Kind: ir.Attention, Shape: shape, FLOPs: flops, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.Attention, Block: -1, Attrs: attrs,
				In:  []*ir.Value{p.NewValue(ir.State, "qkv", ir.F32, rows, 3*width), nil, nil, nil, nil, nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, rows, width), p.NewValue(ir.Temp, "lse", ir.F32, rows*heads)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{Name: "AttentionBackward" + name, Kind: ir.AttentionBackward, Shape: shape, FLOPs: 2.5 * flops, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.AttentionBackward, Block: -1, Attrs: attrs,
				In: []*ir.Value{p.NewValue(ir.State, "qkv", ir.F32, rows, 3*width), nil, nil, nil, nil,
					p.NewValue(ir.State, "y", ir.F32, rows, width), p.NewValue(ir.State, "lse", ir.F32, rows*heads), p.NewValue(ir.State, "dy", ir.F32, rows, width), nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dqkv", ir.F32, rows, 3*width), nil, nil, nil, nil, nil, nil}}
			p.Emit(in)
			p.Outputs = in.Out[:1]
		}},
	}
}

// linearCrossEntropy counts the products of the logits, of dx and of dw.
func linearCrossEntropy(rows, width, vocab int) Case {
	return Case{Name: fmt.Sprintf("LinearCrossEntropy (%d, %d) · (%d, %d)ᵀ", rows, width, vocab, width), Kind: ir.LinearCrossEntropy,
		Shape: Shape{Rows: rows, Width: width, Vocab: vocab}, FLOPs: 3 * 2 * float64(rows) * float64(width) * float64(vocab), emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LinearCrossEntropy, Block: -1,
				In: []*ir.Value{p.NewValue(ir.State, "x", ir.F32, rows, width), p.NewValue(ir.State, "w", ir.F32, vocab, width),
					p.NewValue(ir.Input, "targets", ir.I32, rows), p.NewValue(ir.Input, "loss_weight", ir.F32, 1), nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "loss", ir.F32, 1), p.NewValue(ir.Temp, "nll", ir.F32, rows),
					p.NewValue(ir.Temp, "dx", ir.F32, rows, width), p.NewValue(ir.Temp, "dw", ir.F32, vocab, width)}}
			p.Emit(in)
			p.Outputs = in.Out
		}}
}

// memoryBound are the kernels that memory bounds: the norms of n rows of d, the
// activation of n rows of 4·d, and AdamW.
func memoryBound(n, d, params int) []Case {
	rows := Shape{Rows: n, Width: d}
	return []Case{
		{Name: fmt.Sprintf("LayerNorm (%d, %d)", n, d), Kind: ir.LayerNorm, Shape: rows, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LayerNorm, Block: -1, Attrs: ir.NormAttrs{Eps: 1e-5},
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, d), p.NewValue(ir.State, "w", ir.F32, d), p.NewValue(ir.State, "b", ir.F32, d)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, n, d), p.NewValue(ir.Temp, "mean", ir.F32, n), p.NewValue(ir.Temp, "rstd", ir.F32, n)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{Name: fmt.Sprintf("LayerNormBackward (%d, %d)", n, d), Kind: ir.LayerNormBackward, Shape: rows, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LayerNormBackward, Block: -1, Attrs: ir.NormAttrs{Eps: 1e-5},
				In: []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, d), p.NewValue(ir.State, "w", ir.F32, d), p.NewValue(ir.State, "mean", ir.F32, n),
					p.NewValue(ir.State, "rstd", ir.F32, n), p.NewValue(ir.State, "dy", ir.F32, n, d), nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dx", ir.F32, n, d), p.NewValue(ir.Temp, "dw", ir.F32, d), p.NewValue(ir.Temp, "db", ir.F32, d), nil}}
			p.Emit(in)
			p.Outputs = in.Out[:3]
		}},
		{Name: fmt.Sprintf("Activation gelu_tanh (%d, %d)", n, 4*d), Kind: ir.Activation, Shape: Shape{Rows: n, Width: 4 * d}, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.Activation, Block: -1, Attrs: ir.ActivationAttrs{Act: ir.GELUTanh},
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, 4*d)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, n, 4*d)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{Name: fmt.Sprintf("AdamW (%d)", params), Kind: ir.AdamW, Shape: Shape{Params: params}, emit: func(p *ir.Program) {
			p.Emit(&ir.Instr{Kind: ir.AdamW, Block: -1, Attrs: ir.AdamWAttrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, LRScale: 1},
				In: []*ir.Value{p.NewValue(ir.State, "p", ir.F32, params), p.NewValue(ir.State, "g", ir.F32, params), p.NewValue(ir.State, "exp_avg.p", ir.F32, params),
					p.NewValue(ir.State, "exp_avg_sq.p", ir.F32, params), p.NewValue(ir.State, "hyper", ir.F32, ir.HyperLen), nil, nil}})
		}},
	}
}
