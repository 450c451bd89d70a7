package main

import (
	"fmt"
	"math"
	"slices"

	"gotrain/autograd/ir"
	"gotrain/nn"
	"gotrain/nn/gpt2"
	"gotrain/train"
	"gotrain/train/device"
)

// caseSet is what there is to measure on a size of machine.
type caseSet struct {
	name    string
	kernels func() []kernelCase
	steps   []stepCase
}

// caseSets are what --shapes names. Kernels and steps of one model have the same
// shapes.
func caseSets() []caseSet {
	return []caseSet{
		{"small", smallKernels, []stepCase{
			reference("tiny", 2, gpt2.Config{Layers: 2, Heads: 2, Width: 128, Context: 32, Vocab: 67}),
		}},
		{"cpu", cpuKernels, []stepCase{
			reference("0.8m", 12, gpt2.Config{Layers: 4, Heads: 4, Width: 128, Context: 64, Vocab: 65}),
			reference("12.3m", 16, gpt2.Config{Layers: 6, Heads: 6, Width: 384, Context: 256, Vocab: 4096}),
			reference("124m", 4, gpt2Small(64, 50257)),
		}},
		{"gpu", gpuKernels, []stepCase{
			reference("124m-b16", 16, gpt2Small(1024, paddedVocab)),
			reference("124m-b32", 32, gpt2Small(1024, paddedVocab)),
			reference("124m-b64", 64, gpt2Small(1024, paddedVocab)),
			reference("124m-50257", 32, gpt2Small(1024, 50257)),
			reference("1558m-b4", 4, gpt2XL()),
			reference("1558m-b8", 8, gpt2XL()),
			reference("1558m-b16", 16, gpt2XL()),
		}},
	}
}

// paddedVocab is GPT-2's vocabulary rounded up to a multiple of 64, as is usual
// on GPUs.
const paddedVocab = 50304

func gpt2Small(context, vocab int) gpt2.Config {
	return gpt2.Config{Layers: 12, Heads: 12, Width: 768, Context: context, Vocab: vocab}
}

func gpt2XL() gpt2.Config {
	return gpt2.Config{Layers: 48, Heads: 25, Width: 1600, Context: 1024, Vocab: paddedVocab}
}

// reference is a model that PyTorch is measured with too, which applies its
// gradients without clipping.
func reference(name string, batch int, model gpt2.Config) stepCase {
	family := gpt2.Family()
	family.Config = func() any { c := model; return &c }
	cfg := train.DefaultConfig(nn.Families{family})
	cfg.Train.Batch = batch
	cfg.Optimizer.Clip, cfg.Optimizer.InBackward = 0, true
	return stepCase{name, cfg}
}

func caseSetNames() []string {
	var names []string
	for _, s := range caseSets() {
		names = append(names, s.name)
	}
	return names
}

// stepNames lists the steps of all sets.
func stepNames() []string {
	var names []string
	for _, set := range caseSets() {
		for _, s := range set.steps {
			names = append(names, s.name)
		}
	}
	return names
}

// cases are what --shapes names: the device's own size by default.
func (f *benchFlags) cases(d device.Device) caseSet {
	name := f.shapes
	switch {
	case name != "":
	case d.Card != nil:
		name = "gpu"
	default:
		name = "cpu"
	}
	sets := caseSets()
	return sets[slices.IndexFunc(sets, func(s caseSet) bool { return s.name == name })]
}

// chosenSteps are the steps that the flags ask for.
func (f *benchFlags) chosenSteps(d device.Device) ([]stepCase, error) {
	if f.config != "" {
		cfg, err := loadConfig(f.config, f.set)
		if err != nil {
			return nil, err
		}
		if cfg.Text().Vocab == 0 {
			if err := cfg.SetVocab(cfg.Tokenizer.Vocab); err != nil {
				return nil, err
			}
		}
		f.precision = cfg.Precision
		return []stepCase{{"config", cfg}}, nil
	}
	if len(f.steps) == 0 || slices.Contains(f.steps, "all") {
		return f.cases(d).steps, nil
	}
	var chosen []stepCase
	for _, set := range caseSets() {
		for _, s := range set.steps {
			if slices.Contains(f.steps, s.name) {
				chosen = append(chosen, s)
			}
		}
	}
	return chosen, nil
}

// chosenKernels are the kernels that the flags ask for.
func (f *benchFlags) chosenKernels(d device.Device) []kernelCase {
	cases := f.cases(d).kernels()
	if len(f.kernels) == 0 || slices.Contains(f.kernels, "all") {
		return cases
	}
	return slices.DeleteFunc(cases, func(k kernelCase) bool { return !slices.Contains(f.kernels, k.kind.String()) })
}

// kernelKinds lists the kinds of the kernels that are measured.
func kernelKinds() []string {
	var kinds []string
	for _, k := range smallKernels() {
		if !slices.Contains(kinds, k.kind.String()) {
			kinds = append(kinds, k.kind.String())
		}
	}
	return kinds
}

// smallKernels have every kind of the others, in a size for a simulated device.
func smallKernels() []kernelCase {
	cases := []kernelCase{
		matMul(64, 128, 64, false, false),
		matMul(64, 128, 64, false, false).withGELU(),
		matMul(64, 64, 128, false, true),
		matMul(64, 128, 64, true, false),
	}
	cases = append(cases, attention(1, 64, 2, 64)...)
	cases = append(cases, attention(1, 64, 1, 128)...)
	cases = append(cases, memoryBound(64, 128, 10_000)...)
	return append(cases, linearCrossEntropy(64, 64, 130))
}

// cpuKernels are the shapes of a step of the 12.3M model (N = 4096 tokens,
// D = 384) and of GPT-2 124M (N = 256, D = 768).
func cpuKernels() []kernelCase {
	cases := []kernelCase{
		matMul(4096, 1536, 384, false, false), // up projection
		matMul(4096, 384, 1536, false, true),  // its gradient of the input
		matMul(384, 1536, 4096, true, false),  // its gradient of the weight
		matMul(256, 3072, 768, false, false),  // the same of GPT-2 124M
		matMul(256, 768, 3072, false, true),
		matMul(768, 3072, 256, true, false),
		matMul(256, 50257, 768, false, true), // head
	}
	cases = append(cases, attention(16, 256, 6, 64)...)
	cases = append(cases, attention(1, 1024, 12, 64)...)
	return append(cases, memoryBound(4096, 384, 12_300_000)...)
}

// gpuKernels are the shapes of a step of GPT-2 124M (N = 16,384 tokens, D = 768)
// and of GPT-2 1558M (N = 8192, D = 1600), attention over longer sequences of
// 16,384 tokens in all, and a product of the size at which libraries peak.
func gpuKernels() []kernelCase {
	cases := []kernelCase{matMul(8192, 8192, 8192, false, false)}
	for _, model := range [][2]int{{16384, 768}, {8192, 1600}} {
		n, d := model[0], model[1]
		cases = append(cases,
			matMul(n, 3*d, d, false, false), // queries, keys, values
			matMul(n, d, d, false, false),   // projection of attention
			matMul(n, 4*d, d, false, false).withGELU(),
			matMul(n, d, 4*d, false, false),
			matMul(n, d, 4*d, false, true), // gradients of the up projection
			matMul(d, 4*d, n, true, false),
		)
	}
	cases = append(cases, attention(16, 1024, 12, 64)...)
	for _, shape := range [][2]int{{12, 64}, {16, 128}} {
		for _, length := range []int{2048, 4096, 8192} {
			cases = append(cases, attention(16384/length, length, shape[0], shape[1])...)
		}
	}
	cases = append(cases, memoryBound(16384, 768, 124_000_000)...)
	return append(cases, linearCrossEntropy(16384, 768, paddedVocab), linearCrossEntropy(8192, 1600, paddedVocab))
}

// kernelShape is the shape of a kernel case: M, N, K of a product, the rest of
// other kinds.
type kernelShape struct {
	M       int  `json:"m,omitempty"`
	N       int  `json:"n,omitempty"`
	K       int  `json:"k,omitempty"`
	TransA  bool `json:"trans_a,omitempty"`
	TransB  bool `json:"trans_b,omitempty"`
	Batch   int  `json:"batch,omitempty"`
	Length  int  `json:"length,omitempty"`
	Heads   int  `json:"heads,omitempty"`
	HeadDim int  `json:"head_dim,omitempty"`
	Rows    int  `json:"rows,omitempty"`
	Width   int  `json:"width,omitempty"`
	Vocab   int  `json:"vocab,omitempty"`
	Params  int  `json:"params,omitempty"`
}

func matMul(m, n, k int, transA, transB bool) kernelCase {
	a, b, name := ir.Shape{m, k}, ir.Shape{k, n}, "MatMul "
	if transA {
		a = ir.Shape{k, m}
	}
	if transB {
		b = ir.Shape{n, k}
	}
	name += fmt.Sprintf("%s%s · %s%s", a, transposed(transA), b, transposed(transB))
	return kernelCase{name: name, kind: ir.MatMul, shape: kernelShape{M: m, N: n, K: k, TransA: transA, TransB: transB},
		flops: 2 * float64(m) * float64(n) * float64(k), sums: transA, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.MatMul, Block: -1, Attrs: ir.MatMulAttrs{TransA: transA, TransB: transB},
				In:  []*ir.Value{p.NewValue(ir.State, "a", ir.F32, a...), p.NewValue(ir.State, "b", ir.F32, b...), nil, nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, m, n), nil, nil}}
			p.Emit(in)
			p.Outputs = in.Out[:1]
		}}
}

// withGELU is the product with the bias and the activation of an up projection,
// which keeps the argument of the activation for the backward pass.
func (k kernelCase) withGELU() kernelCase {
	product := k.emit
	k.name += " + bias, GELU"
	k.emit = func(p *ir.Program) {
		product(p)
		in := p.Instrs[0]
		attrs := in.Attrs.(ir.MatMulAttrs)
		attrs.Act = ir.GELUTanh
		in.Attrs = attrs
		in.In[2] = p.NewValue(ir.State, "bias", ir.F32, k.shape.N)
		in.Out[1] = p.NewValue(ir.Temp, "pre", ir.F32, k.shape.M, k.shape.N)
		p.Outputs = in.Out[:2]
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
func attention(batch, length, heads, headDim int) []kernelCase {
	rows, width := batch*length, heads*headDim
	flops := 2 * float64(rows) * float64(length+1) * float64(width)
	attrs := ir.AttentionAttrs{Batch: batch, Heads: heads, KVHeads: heads, HeadDim: headDim, Causal: true, Packed: true, Scale: float32(1 / math.Sqrt(float64(headDim)))}
	name := fmt.Sprintf(" B %d T %d H %d hd %d", batch, length, heads, headDim)
	shape := kernelShape{Batch: batch, Length: length, Heads: heads, HeadDim: headDim}
	return []kernelCase{
		{name: "Attention" + name, kind: ir.Attention, shape: shape, flops: flops, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.Attention, Block: -1, Attrs: attrs,
				In:  []*ir.Value{p.NewValue(ir.State, "qkv", ir.F32, rows, 3*width), nil, nil, nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, rows, width), p.NewValue(ir.Temp, "lse", ir.F32, rows*heads)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{name: "AttentionBackward" + name, kind: ir.AttentionBackward, shape: shape, flops: 2.5 * flops, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.AttentionBackward, Block: -1, Attrs: attrs,
				In: []*ir.Value{p.NewValue(ir.State, "qkv", ir.F32, rows, 3*width), nil, nil, nil, nil,
					p.NewValue(ir.State, "y", ir.F32, rows, width), p.NewValue(ir.State, "lse", ir.F32, rows*heads), p.NewValue(ir.State, "dy", ir.F32, rows, width)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dqkv", ir.F32, rows, 3*width), nil, nil}}
			p.Emit(in)
			p.Outputs = in.Out[:1]
		}},
	}
}

// linearCrossEntropy counts the products of the logits, of dx and of dw.
func linearCrossEntropy(rows, width, vocab int) kernelCase {
	return kernelCase{name: fmt.Sprintf("LinearCrossEntropy (%d, %d) · (%d, %d)ᵀ", rows, width, vocab, width), kind: ir.LinearCrossEntropy,
		shape: kernelShape{Rows: rows, Width: width, Vocab: vocab}, flops: 3 * 2 * float64(rows) * float64(width) * float64(vocab), emit: func(p *ir.Program) {
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
func memoryBound(n, d, params int) []kernelCase {
	rows := kernelShape{Rows: n, Width: d}
	return []kernelCase{
		{name: fmt.Sprintf("LayerNorm (%d, %d)", n, d), kind: ir.LayerNorm, shape: rows, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LayerNorm, Block: -1, Attrs: ir.NormAttrs{Eps: 1e-5},
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, d), p.NewValue(ir.State, "w", ir.F32, d), p.NewValue(ir.State, "b", ir.F32, d)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, n, d), p.NewValue(ir.Temp, "mean", ir.F32, n), p.NewValue(ir.Temp, "rstd", ir.F32, n)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{name: fmt.Sprintf("LayerNormBackward (%d, %d)", n, d), kind: ir.LayerNormBackward, shape: rows, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LayerNormBackward, Block: -1, Attrs: ir.NormAttrs{Eps: 1e-5},
				In: []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, d), p.NewValue(ir.State, "w", ir.F32, d), p.NewValue(ir.State, "mean", ir.F32, n),
					p.NewValue(ir.State, "rstd", ir.F32, n), p.NewValue(ir.State, "dy", ir.F32, n, d), nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dx", ir.F32, n, d), p.NewValue(ir.Temp, "dw", ir.F32, d), p.NewValue(ir.Temp, "db", ir.F32, d)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{name: fmt.Sprintf("Activation gelu_tanh (%d, %d)", n, 4*d), kind: ir.Activation, shape: kernelShape{Rows: n, Width: 4 * d}, emit: func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.Activation, Block: -1, Attrs: ir.ActivationAttrs{Act: ir.GELUTanh},
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, 4*d)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, n, 4*d)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{name: fmt.Sprintf("AdamW (%d)", params), kind: ir.AdamW, shape: kernelShape{Params: params}, emit: func(p *ir.Program) {
			p.Emit(&ir.Instr{Kind: ir.AdamW, Block: -1, Attrs: ir.AdamWAttrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, LRScale: 1},
				In: []*ir.Value{p.NewValue(ir.State, "p", ir.F32, params), p.NewValue(ir.State, "g", ir.F32, params), p.NewValue(ir.State, "exp_avg.p", ir.F32, params),
					p.NewValue(ir.State, "exp_avg_sq.p", ir.F32, params), p.NewValue(ir.State, "hyper", ir.F32, ir.HyperLen), nil}})
		}},
	}
}
