package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

func relativeCases() []opCase {
	var list []opCase
	for _, a := range []struct {
		name                   string
		batch, t, s, heads, hd int
		window, reach          int
	}{
		{"one", 1, 1, 1, 1, 1, 0, 0},
		{"no memory", 2, 5, 5, 2, 7, 0, 0},
		{"memory", 2, 9, 21, 2, 16, 0, 0},
		{"tiles", 1, 70, 150, 2, 16, 0, 0},
		{"whole tiles", 2, 64, 192, 1, 32, 0, 0},
		{"long memory", 1, 3, 300, 2, 20, 0, 0},
		{"window", 1, 70, 200, 2, 8, 90, 0},
		{"narrow window", 2, 40, 150, 1, 8, 3, 0},
		{"documents", 2, 70, 140, 2, 12, 0, 30},
		{"documents of few", 1, 130, 260, 1, 16, 100, 3},
		{"large", 2, 128, 256, 4, 64, 0, 0},
		{"head 128", 1, 33, 65, 1, 128, 0, 0},
		{"head 256", 1, 17, 33, 1, 256, 0, 7},
	} {
		attrs := ir.RelativeAttrs{Batch: a.batch, Heads: a.heads, HeadDim: a.hd, Window: a.window, Scale: float32(1 / math.Sqrt(float64(a.hd)))}
		y, kv, lse := s(a.batch*a.t, a.heads*a.hd), s(a.batch*a.s, a.heads*a.hd), s(a.batch*a.heads*a.t)
		r := s(a.s, a.heads*a.hd)
		in := []arg{normal(y...), normal(kv...), normal(kv...), normal(y...), normal(r...), none}
		if a.reach > 0 {
			in[5] = below(a.reach*2, a.batch*a.t)
		}
		backward := append(append([]arg(nil), in...), normal(y...), about(math.Log(float64(a.s))+0.5, lse...), normal(y...))
		list = append(list, opCase{a.name, ir.RelativeAttention, attrs, in, []ir.Shape{y, lse}},
			opCase{a.name, ir.RelativeAttentionBackward, attrs, backward, []ir.Shape{y, kv, kv, y, r}})
	}
	for _, a := range []struct {
		name                           string
		t, capacity, heads, hd, window int
		positions                      []int32
	}{
		{"first token", 1, 4, 1, 2, 3, []int32{0}},
		{"short window", 1, 50, 4, 10, 20, []int32{3, 0, 49}},
		{"decode", 1, 300, 2, 64, 130, []int32{299, 100}},
		{"prompt", 7, 40, 2, 20, 9, []int32{0, 30}},
	} {
		b, width := len(a.positions), a.heads*a.hd
		attrs := ir.RelativeAttrs{Batch: b, Heads: a.heads, HeadDim: a.hd, Window: a.window, Scale: float32(1 / math.Sqrt(float64(a.hd)))}
		x, cache := s(b*a.t, width), s(b*a.capacity, width)
		list = append(list, opCase{a.name, ir.RelativeAttentionCached, attrs,
			[]arg{normal(x...), normal(x...), normal(x...), normal(x...), normal(a.window, width), normal(cache...), normal(cache...), ints(a.positions...)}, []ir.Shape{x}})
	}
	return list
}

// attentionShape is one attention: segments lists the length of the documents,
// 0 for no mask, and the padding at the end.
type attentionShape struct {
	name               string
	batch, t, s        int
	heads, kv, hd      int
	causal             bool
	window             int
	length, padding    int
	packed, ownKeySegs bool
	sparse             ir.Sparsity
	bias, behind       int  // distances
	fixed              bool // the bias has no gradient
	unsummed           bool // without sums of the gradients' rows
	drop               float32
}

func attentionCases() []opCase {
	var list []opCase
	for _, a := range []attentionShape{
		{name: "one", batch: 1, t: 1, s: 1, heads: 1, kv: 1, hd: 1},
		{name: "full", batch: 2, t: 5, s: 5, heads: 2, kv: 2, hd: 7, unsummed: true},
		{name: "causal", batch: 2, t: 70, s: 70, heads: 2, kv: 2, hd: 16, causal: true},
		{name: "grouped", batch: 1, t: 33, s: 33, heads: 6, kv: 2, hd: 20, causal: true},
		{name: "window", batch: 2, t: 150, s: 150, heads: 2, kv: 1, hd: 8, causal: true, window: 40},
		{name: "cross", batch: 2, t: 9, s: 75, heads: 2, kv: 2, hd: 12},
		{name: "cross causal", batch: 1, t: 9, s: 75, heads: 2, kv: 2, hd: 12, causal: true},
		{name: "cross long queries", batch: 1, t: 75, s: 9, heads: 2, kv: 2, hd: 12},
		{name: "documents", batch: 2, t: 90, s: 90, heads: 2, kv: 1, hd: 16, causal: true, length: 13},
		{name: "padding", batch: 2, t: 90, s: 90, heads: 2, kv: 2, hd: 16, length: 100, padding: 31},
		{name: "cross segments", batch: 2, t: 20, s: 90, heads: 2, kv: 2, hd: 16, length: 17, padding: 3, ownKeySegs: true},
		{name: "packed", batch: 2, t: 65, s: 65, heads: 3, kv: 3, hd: 16, causal: true, packed: true},
		{name: "packed grouped documents", batch: 2, t: 65, s: 65, heads: 4, kv: 2, hd: 10, causal: true, packed: true, length: 20, padding: 5},
		{name: "large", batch: 2, t: 130, s: 130, heads: 4, kv: 4, hd: 64, causal: true, packed: true},
		// Heads and tiles of the tensor-core kernels: 128 queries by 64 keys.
		{name: "tiles", batch: 2, t: 128, s: 128, heads: 1, kv: 1, hd: 32, causal: true},
		{name: "head 64 long queries", batch: 1, t: 193, s: 65, heads: 2, kv: 2, hd: 64, causal: true},
		{name: "head 96 cross", batch: 1, t: 63, s: 129, heads: 2, kv: 1, hd: 96},
		{name: "head 128", batch: 1, t: 129, s: 129, heads: 2, kv: 1, hd: 128, causal: true, length: 67},
		{name: "head 64 window", batch: 2, t: 150, s: 280, heads: 2, kv: 1, hd: 64, window: 70, unsummed: true},
		{name: "head 128 documents of tiles", batch: 1, t: 330, s: 330, heads: 2, kv: 1, hd: 128, causal: true, packed: true, length: 128, padding: 66},
		{name: "head 256", batch: 1, t: 33, s: 33, heads: 1, kv: 1, hd: 256, causal: true},
		{name: "window of tiles", batch: 1, t: 260, s: 260, heads: 2, kv: 1, hd: 32, causal: true, window: 65},
		{name: "window both ways", batch: 1, t: 140, s: 200, heads: 1, kv: 1, hd: 32, window: 30},
		{name: "documents of tiles", batch: 1, t: 330, s: 330, heads: 2, kv: 1, hd: 32, causal: true, packed: true, length: 128, padding: 66},
		{name: "documents both ways", batch: 2, t: 140, s: 140, heads: 1, kv: 1, hd: 64, length: 64},
		{name: "documents of few of many tiles", batch: 1, t: 2200, s: 2200, heads: 1, kv: 1, hd: 32, length: 50},
		{name: "strided", batch: 1, t: 500, s: 500, heads: 2, kv: 1, hd: 16, causal: true, sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 2, Stride: 3}},
		{name: "strided both ways", batch: 2, t: 330, s: 330, heads: 1, kv: 1, hd: 32, sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 4}},
		{name: "fixed documents", batch: 1, t: 450, s: 450, heads: 2, kv: 2, hd: 64, causal: true, packed: true, length: 140, padding: 9,
			sparse: ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 3, Global: 1}},
		{name: "local global", batch: 1, t: 600, s: 600, heads: 1, kv: 1, hd: 32, sparse: ir.Sparsity{Pattern: ir.LocalGlobal, Block: 128, Local: 1, Global: 1}},
		{name: "local global causal", batch: 1, t: 400, s: 400, heads: 2, kv: 1, hd: 20, causal: true, sparse: ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 2, Global: 1}},
		{name: "continued fixed", batch: 1, t: 130, s: 386, heads: 1, kv: 1, hd: 32, causal: true, sparse: ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 2, Global: 1}},
		{name: "head 128 of tiles", batch: 1, t: 280, s: 280, heads: 2, kv: 1, hd: 128, causal: true, packed: true, length: 100},
		{name: "head 64 across tiles", batch: 1, t: 150, s: 300, heads: 4, kv: 2, hd: 64},
		{name: "head 96 of tiles", batch: 1, t: 150, s: 150, heads: 1, kv: 1, hd: 96, causal: true},
		{name: "head 256 of tiles", batch: 1, t: 150, s: 150, heads: 2, kv: 1, hd: 256, causal: true, window: 70},
		{name: "head 256 documents", batch: 1, t: 97, s: 97, heads: 1, kv: 1, hd: 256, packed: true, length: 40, padding: 20},
		{name: "bias", batch: 2, t: 5, s: 5, heads: 2, kv: 2, hd: 7, bias: 4, behind: 1, unsummed: true},
		{name: "bias of tiles", batch: 3, t: 150, s: 150, heads: 2, kv: 2, hd: 16, bias: 90, behind: 40},
		{name: "bias causal packed documents", batch: 2, t: 165, s: 165, heads: 4, kv: 2, hd: 10, causal: true, packed: true, length: 70, padding: 5, bias: 33, behind: 32},
		{name: "bias of all distances", batch: 1, t: 130, s: 130, heads: 3, kv: 1, hd: 32, causal: true, bias: 130, behind: 129, fixed: true},
		{name: "bias cross window", batch: 2, t: 70, s: 140, heads: 2, kv: 1, hd: 64, window: 50, bias: 11, behind: 7},
		{name: "bias of one", batch: 1, t: 66, s: 40, heads: 2, kv: 2, hd: 32, bias: 1},
		{name: "bias strided", batch: 2, t: 300, s: 300, heads: 2, kv: 1, hd: 16, causal: true, bias: 120, behind: 110, sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 2}},
		{name: "dropout", batch: 2, t: 5, s: 5, heads: 2, kv: 2, hd: 7, drop: 0.5},
		{name: "dropout of tiles", batch: 2, t: 150, s: 150, heads: 4, kv: 2, hd: 16, causal: true, packed: true, drop: 0.1},
		{name: "dropout cross", batch: 2, t: 70, s: 141, heads: 2, kv: 1, hd: 32, window: 90, drop: 0.3},
		{name: "dropout documents", batch: 1, t: 165, s: 165, heads: 2, kv: 2, hd: 10, causal: true, length: 70, padding: 5, bias: 33, behind: 32, drop: 0.2},
		{name: "all padding", batch: 1, t: 70, s: 70, heads: 1, kv: 1, hd: 32, length: 8, padding: 70},
	} {
		list = append(list, a.cases()...)
	}
	return list
}

// patternCases are patterns of blocks with the heads of the tensor-core kernels.
func patternCases() []opCase {
	var list []opCase
	for _, a := range []attentionShape{
		{name: "head 64 continued strided", batch: 1, t: 200, s: 392, heads: 2, kv: 1, hd: 64, causal: true, sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 2}},
		{name: "head 96 fixed both ways", batch: 1, t: 200, s: 200, heads: 2, kv: 1, hd: 96, sparse: ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 2, Global: 1}},
		{name: "head 128 strided documents", batch: 1, t: 330, s: 330, heads: 2, kv: 1, hd: 128, causal: true, packed: true, length: 150, padding: 70,
			sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 3}},
		{name: "head 256 local global", batch: 1, t: 200, s: 200, heads: 1, kv: 1, hd: 256, causal: true, sparse: ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 1, Global: 1}},
	} {
		list = append(list, a.cases()...)
	}
	return list
}

// dropCases drop weights with the heads of the tensor-core kernels, and beside a pattern. Blocks of Philox begin at
// tiles in the second sequence of "cross", which begins in row 44 of the run, and between queries elsewhere.
func dropCases() []opCase {
	var list []opCase
	for _, a := range []attentionShape{
		{name: "dropout head 64", batch: 2, t: 70, s: 70, heads: 2, kv: 1, hd: 64, causal: true, packed: true, drop: 0.1},
		{name: "dropout head 96 cross", batch: 2, t: 35, s: 66, heads: 2, kv: 1, hd: 96, drop: 0.3},
		{name: "dropout head 128 documents", batch: 1, t: 70, s: 70, heads: 1, kv: 1, hd: 128, length: 40, padding: 7, drop: 0.2},
		{name: "dropout head 256", batch: 1, t: 35, s: 35, heads: 1, kv: 1, hd: 256, causal: true, drop: 0.5},
		{name: "dropout strided", batch: 1, t: 192, s: 192, heads: 1, kv: 1, hd: 32, causal: true, sparse: ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 2}, drop: 0.2},
	} {
		list = append(list, a.cases()...)
	}
	return list
}

// biasCases have a bias by distance with the heads of the tensor-core kernels.
func biasCases() []opCase {
	var list []opCase
	for _, a := range []attentionShape{
		{name: "bias head 64 documents", batch: 2, t: 100, s: 100, heads: 4, kv: 2, hd: 64, causal: true, packed: true, length: 70, padding: 5, bias: 33, behind: 32},
		{name: "bias head 96 cross", batch: 1, t: 35, s: 130, heads: 2, kv: 1, hd: 96, bias: 200, behind: 90},
		{name: "bias head 128", batch: 1, t: 70, s: 70, heads: 2, kv: 1, hd: 128, causal: true, bias: 70, behind: 69, fixed: true},
		{name: "bias head 128 window", batch: 1, t: 70, s: 70, heads: 1, kv: 1, hd: 128, window: 30, bias: 9, behind: 5},
		{name: "bias head 256", batch: 2, t: 35, s: 35, heads: 1, kv: 1, hd: 256, bias: 40, behind: 20},
	} {
		list = append(list, a.cases()...)
	}
	return list
}

func (a attentionShape) cases() []opCase {
	attrs := ir.AttentionAttrs{Batch: a.batch, Heads: a.heads, KVHeads: a.kv, HeadDim: a.hd, Window: a.window,
		Causal: a.causal, Packed: a.packed, Scale: float32(1 / math.Sqrt(float64(a.hd))), Sparse: a.sparse, Behind: a.behind}
	rng := none
	if a.drop > 0 {
		attrs.Drop, rng = ir.DropoutAttrs{P: a.drop, Site: 3}, ints(17, -4, 9, 1)
	}
	y := s(a.batch*a.t, a.heads*a.hd)
	kv := s(a.batch*a.s, a.kv*a.hd)
	in := []arg{normal(y...), normal(kv...), normal(kv...), none, none}
	gradients := []ir.Shape{y, kv, kv, nil, nil, nil, nil}
	if a.packed {
		row := s(a.batch*a.t, (a.heads+2*a.kv)*a.hd)
		in[0], in[1], in[2] = normal(row...), none, none
		gradients[0], gradients[1], gradients[2] = row, nil, nil
	}
	for i, of := range gradients[:3] {
		if of != nil && !a.unsummed {
			gradients[4+i] = of[1:]
		}
	}
	if a.length > 0 {
		in[3] = documents(a.batch, a.t, a.length, a.padding)
	}
	if a.ownKeySegs {
		in[4] = documents(a.batch, a.s, a.length, a.padding)
	}
	bias := none
	if a.bias > 0 {
		bias = normal(a.heads, a.bias)
		if !a.fixed {
			gradients[3] = bias.shape
		}
	}
	lse := s(a.batch * a.heads * a.t)
	backward := append(append([]arg(nil), in...), normal(y...), about(math.Log(float64(a.s))+0.5, lse...), normal(y...), rng, bias)
	return []opCase{
		{a.name, ir.Attention, attrs, append(in, rng, bias), []ir.Shape{y, lse}},
		{a.name, ir.AttentionBackward, attrs, backward, gradients},
	}
}

func cachedCases() []opCase {
	var list []opCase
	for _, a := range []struct {
		name          string
		t, capacity   int
		heads, kv, hd int
		window        int
		positions     []int32
		sparse        ir.Sparsity
	}{
		{"first token", 1, 4, 1, 1, 2, 0, []int32{0}, ir.Sparsity{}},
		{"decode", 1, 50, 4, 2, 10, 0, []int32{3, 0, 49}, ir.Sparsity{}},
		{"decode long", 1, 700, 4, 1, 64, 0, []int32{699, 100}, ir.Sparsity{}},
		{"decode window", 1, 50, 2, 2, 10, 7, []int32{30, 5}, ir.Sparsity{}},
		{"decode long window", 1, 600, 9, 1, 20, 300, []int32{599, 10, 256}, ir.Sparsity{}},
		{"decode wide", 1, 260, 2, 1, 256, 0, []int32{255, 259}, ir.Sparsity{}},
		{"prompt", 9, 50, 4, 2, 10, 0, []int32{0, 0}, ir.Sparsity{}},
		{"continue", 9, 50, 4, 2, 10, 0, []int32{3, 41}, ir.Sparsity{}},
		{"prompt window", 80, 160, 2, 2, 16, 30, []int32{0, 75}, ir.Sparsity{}},
		{"prompt large", 130, 200, 4, 2, 32, 0, []int32{0, 70}, ir.Sparsity{}},
		{"decode strided", 1, 700, 4, 2, 20, 0, []int32{699, 130, 5}, ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 2, Stride: 3}},
		{"decode local global", 1, 500, 2, 1, 64, 0, []int32{400, 64}, ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 1, Global: 1}},
		{"prompt fixed", 100, 500, 2, 1, 16, 0, []int32{0, 333}, ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 3, Global: 1}},
		{"prompt strided of a tile", 70, 300, 1, 1, 32, 0, []int32{101, 200}, ir.Sparsity{Pattern: ir.Strided, Block: 64, Local: 1, Stride: 2}},
	} {
		batch := len(a.positions)
		q, kv, cache := s(batch*a.t, a.heads*a.hd), s(batch*a.t, a.kv*a.hd), s(batch*a.capacity, a.kv*a.hd)
		attrs := ir.AttentionAttrs{Batch: batch, Heads: a.heads, KVHeads: a.kv, HeadDim: a.hd, Window: a.window, Causal: true, Scale: 0.3, Sparse: a.sparse}
		in := []arg{normal(q...), normal(kv...), normal(kv...), normal(cache...), normal(cache...), ints(a.positions...)}
		biased := attrs
		biased.Behind = a.capacity / 3
		list = append(list, opCase{a.name, ir.AttentionCached, attrs, append(in[:6:6], none), []ir.Shape{q}},
			opCase{a.name + " bias", ir.AttentionCached, biased, append(in[:6:6], normal(a.heads, biased.Behind+2)), []ir.Shape{q}})
	}
	return list
}
