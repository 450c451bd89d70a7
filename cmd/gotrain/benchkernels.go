package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
)

// kernelCase is one instruction to measure.
type kernelCase struct {
	name  string
	flops float64 // 0 where the memory is the bound
	emit  func(p *ir.Program)
}

// kernelResult is the speed of a kernel.
type kernelResult struct {
	Name           string  `json:"name"`
	MS             float64 `json:"ms"` // the fastest
	GFLOPS         float64 `json:"gflops,omitempty"`
	GBPerS         float64 `json:"gb_per_s"`         // arguments and results, each once
	FractionOfPeak float64 `json:"fraction_of_peak"` // of arithmetic where there are gflops, else of bandwidth
}

// kernelCases are the shapes of a step of the 12.3M model (N = 4096 tokens,
// D = 384) and of GPT-2 124M (N = 256, D = 768).
func kernelCases() []kernelCase {
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

func (k kernelCase) result(seconds timed, m machine, precision string) kernelResult {
	r := kernelResult{Name: k.name, MS: 1e3 * seconds.best, GBPerS: float64(seconds.bytes) / seconds.best / 1e9}
	if k.flops > 0 {
		r.GFLOPS = k.flops / seconds.best / 1e9
		r.FractionOfPeak = r.GFLOPS / m.peak(precision)
	} else {
		r.FractionOfPeak = r.GBPerS / m.Bandwidth
	}
	return r
}

func (r kernelResult) print(w io.Writer) {
	gflops := "-"
	if r.GFLOPS > 0 {
		gflops = fmt.Sprintf("%.1f", r.GFLOPS)
	}
	fmt.Fprintf(w, "%-44s %9.3f %9s %9.1f  %10.0f%%\n", r.Name, r.MS, gflops, r.GBPerS, 100*r.FractionOfPeak)
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
	return kernelCase{name, 2 * float64(m) * float64(n) * float64(k), func(p *ir.Program) {
		in := &ir.Instr{Kind: ir.MatMul, Block: -1, Attrs: ir.Attrs{TransA: transA, TransB: transB},
			In:  []*ir.Value{p.NewValue(ir.State, "a", ir.F32, a...), p.NewValue(ir.State, "b", ir.F32, b...), nil, nil, nil},
			Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, m, n), nil, nil}}
		p.Emit(in)
		p.Outputs = in.Out[:1]
	}}
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
	attrs := ir.Attrs{Batch: batch, Heads: heads, KVHeads: heads, HeadDim: headDim, Causal: true, Packed: true, Scale: 0.125}
	shape := fmt.Sprintf("B %d T %d H %d hd %d", batch, length, heads, headDim)
	return []kernelCase{
		{"Attention " + shape, flops, func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.Attention, Block: -1, Attrs: attrs,
				In:  []*ir.Value{p.NewValue(ir.State, "qkv", ir.F32, rows, 3*width), nil, nil, nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, rows, width), p.NewValue(ir.Temp, "lse", ir.F32, rows*heads)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{"AttentionBackward " + shape, 2.5 * flops, func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.AttentionBackward, Block: -1, Attrs: attrs,
				In: []*ir.Value{p.NewValue(ir.State, "qkv", ir.F32, rows, 3*width), nil, nil, nil, nil,
					p.NewValue(ir.State, "y", ir.F32, rows, width), p.NewValue(ir.State, "lse", ir.F32, rows*heads), p.NewValue(ir.State, "dy", ir.F32, rows, width)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dqkv", ir.F32, rows, 3*width), nil, nil}}
			p.Emit(in)
			p.Outputs = in.Out[:1]
		}},
	}
}

// memoryBound are the kernels that memory bounds: the norms of n rows of d, the
// activation of n rows of 4·d, and AdamW.
func memoryBound(n, d, params int) []kernelCase {
	return []kernelCase{
		{fmt.Sprintf("LayerNorm (%d, %d)", n, d), 0, func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LayerNorm, Block: -1, Attrs: ir.Attrs{Eps: 1e-5},
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, d), p.NewValue(ir.State, "w", ir.F32, d), p.NewValue(ir.State, "b", ir.F32, d)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, n, d), p.NewValue(ir.Temp, "mean", ir.F32, n), p.NewValue(ir.Temp, "rstd", ir.F32, n)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{fmt.Sprintf("LayerNormBackward (%d, %d)", n, d), 0, func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.LayerNormBackward, Block: -1, Attrs: ir.Attrs{Eps: 1e-5},
				In: []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, d), p.NewValue(ir.State, "w", ir.F32, d), p.NewValue(ir.State, "mean", ir.F32, n),
					p.NewValue(ir.State, "rstd", ir.F32, n), p.NewValue(ir.State, "dy", ir.F32, n, d), nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dx", ir.F32, n, d), p.NewValue(ir.Temp, "dw", ir.F32, d), p.NewValue(ir.Temp, "db", ir.F32, d)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{fmt.Sprintf("Activation gelu_tanh (%d, %d)", n, 4*d), 0, func(p *ir.Program) {
			in := &ir.Instr{Kind: ir.Activation, Block: -1, Attrs: ir.Attrs{Act: ir.GELUTanh},
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, n, 4*d)},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, n, 4*d)}}
			p.Emit(in)
			p.Outputs = in.Out
		}},
		{fmt.Sprintf("AdamW (%d)", params), 0, func(p *ir.Program) {
			p.Emit(&ir.Instr{Kind: ir.AdamW, Block: -1, Attrs: ir.Attrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, LRScale: 1},
				In: []*ir.Value{p.NewValue(ir.State, "p", ir.F32, params), p.NewValue(ir.State, "g", ir.F32, params), p.NewValue(ir.State, "exp_avg.p", ir.F32, params),
					p.NewValue(ir.State, "exp_avg_sq.p", ir.F32, params), p.NewValue(ir.State, "hyper", ir.F32, ir.HyperLen), nil}})
		}},
	}
}

// timed is the fastest run of a kernel and the bytes that it reads and writes.
type timed struct {
	best  float64 // seconds
	bytes int64
}

// timeKernel runs the instruction for about budget seconds.
func timeKernel(k kernelCase, backend exec.Backend, compute ir.DType, budget float64) (timed, error) {
	p := &ir.Program{Name: "bench"}
	k.emit(p)
	built, err := plan.Build(p, plan.Options{Compute: compute, Target: backend.Target()})
	if err != nil {
		return timed{}, err
	}
	store := exec.NewStore(backend)
	arena, err := exec.NewArena(backend, built.Arena)
	if err != nil {
		return timed{}, err
	}
	session, err := exec.NewSession(built, store, arena)
	if err != nil {
		return timed{}, err
	}
	if err := randomize(store); err != nil {
		return timed{}, err
	}
	t := timed{best: 1e9, bytes: traffic(built.Program.Instrs[0])}
	for began, runs := time.Now(), 0; runs < 3 || time.Since(began).Seconds() < budget; runs++ {
		start := time.Now()
		if err := session.Run(); err != nil {
			return t, err
		}
		t.best = min(t.best, time.Since(start).Seconds())
	}
	return t, nil
}

// randomize fills all state with positive numbers below 1.
func randomize(store *exec.Store) error {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range store.Names() {
		values := make([]float32, store.Get(name).Shape.Size())
		for i := range values {
			values[i] = r.Float32()
		}
		if err := store.Write(name, values); err != nil {
			return err
		}
	}
	return nil
}

// traffic counts arguments and results once, what is updated in place twice.
func traffic(in *ir.Instr) int64 {
	var n int64
	for _, v := range in.In {
		if v != nil {
			n += v.Bytes()
		}
	}
	in.Writes(func(v *ir.Value) { n += v.Bytes() })
	return n
}
