package optest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"example.com/gotrain/autograd/ir"
)

// draw is the source of all data of the table.
var draw = rand.New(rand.NewPCG(1, 2))

func fill(f func() float64, shape []int) arg {
	a := arg{shape: shape, floats: make([]float32, ir.Shape(shape).Size())}
	for i := range a.floats {
		a.floats[i] = float32(f())
	}
	return a
}

// normal draws from N(0, 1).
func normal(shape ...int) arg { return fill(draw.NormFloat64, shape) }

// wide draws from N(0, 5²): saturated activations and peaked softmaxes.
func wide(shape ...int) arg {
	return fill(func() float64 { return 5 * draw.NormFloat64() }, shape)
}

// positive draws from [0.5, 1.5).
func positive(shape ...int) arg { return fill(func() float64 { return 0.5 + draw.Float64() }, shape) }

// about draws from N(mean, 0.1²).
func about(mean float64, shape ...int) arg {
	return fill(func() float64 { return mean + 0.1*draw.NormFloat64() }, shape)
}

// values is a vector of the given numbers.
func values(x ...float32) arg { return arg{shape: ir.Shape{len(x)}, floats: x} }

// ints is a vector of the given numbers.
func ints(x ...int32) arg { return arg{shape: ir.Shape{len(x)}, ints: x} }

// below draws n integers from [0, limit).
func below(limit, n int) arg {
	a := arg{shape: ir.Shape{n}, ints: make([]int32, n)}
	for i := range a.ints {
		a.ints[i] = int32(draw.IntN(limit))
	}
	return a
}

// frequent is below with id limit/2 at two of three places.
func frequent(limit, n int) arg {
	a := below(limit, n)
	for i := range a.ints {
		if i%3 != 0 {
			a.ints[i] = int32(limit / 2)
		}
	}
	return a
}

// targets is below with every fifth ignored.
func targets(limit, n int) arg {
	a := below(limit, n)
	for i := 2; i < n; i += 5 {
		a.ints[i] = -1
	}
	return a
}

// documents numbers runs of about length tokens in each of batch rows, of which
// the last padding tokens are -1.
func documents(batch, tokens, length, padding int) arg {
	a := arg{shape: ir.Shape{batch * tokens}, ints: make([]int32, batch*tokens)}
	for b := range batch {
		for t := range tokens {
			a.ints[b*tokens+t] = int32((t + b) / length)
			if t >= tokens-padding {
				a.ints[b*tokens+t] = -1
			}
		}
	}
	return a
}

// none is an absent optional.
var none arg

// one is ir.Shape{1}.
var one = ir.Shape{1}

func s(dims ...int) ir.Shape { return dims }

// hyper is a step with learning rate 0.1 at t = 3 of β = (0.9, 0.99).
func hyper() arg { return values(0.1, 1-0.9*0.9*0.9, 1-0.99*0.99*0.99, 0, 0, 0, 0, 0) }

// perm writes the permutation of a Transpose.
func perm(p ...int8) (a [ir.MaxAxes]int8) {
	copy(a[:], p)
	return a
}

// axes marks the axes of a ReduceSum.
func axes(list ...int) (a [ir.MaxAxes]bool) {
	for _, i := range list {
		a[i] = true
	}
	return a
}

// cases is the table. Sizes: odd ones beside every vector width, one that is
// split over threads, one that is a single element or row.
var cases = concat(
	embeddingCases(), matMulCases(), normCases(), activationCases(), attentionCases(), cachedCases(),
	lossCases(), elementwiseCases(), shapeCases(), optimizerCases(), assignCases(), recurrentCases(), relativeCases(), logProbCases(), topLogProbCases(), mapCases(), segmentCases(), pictureCases(),
	normSumCases(), patternCases(),
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

func assignCases() []opCase {
	inf := float32(math.Inf(1))
	return []opCase{
		{"finite", ir.Assign, ir.AssignAttrs{}, []arg{normal(3, 5), normal(3, 5)}, nil},
		{"overflow", ir.Assign, ir.AssignAttrs{Mean: true}, []arg{normal(5), values(nan, 1, inf, -inf, -3e38)}, nil},
		{"large", ir.Assign, ir.AssignAttrs{}, []arg{normal(300, 301), normal(300, 301)}, nil},
	}
}

func concat(lists ...[]opCase) (all []opCase) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func embeddingCases() []opCase {
	var list []opCase
	for _, d := range storedTypes {
		list = append(list, opCase{d.String(), ir.Embedding, nil, []arg{below(9, 40), storedAs(d, normal(9, 67))}, []ir.Shape{s(40, 67)}})
	}
	return append(list, []opCase{
		{"small", ir.Embedding, nil, []arg{below(7, 5), normal(7, 3)}, []ir.Shape{s(5, 3)}},
		{"large", ir.Embedding, nil, []arg{below(100, 600), normal(100, 67)}, []ir.Shape{s(600, 67)}},
		{"repeated", ir.EmbeddingBackward, nil, []arg{ints(3, 0, 3, 3, 6), normal(5, 3), none}, []ir.Shape{s(7, 3)}},
		{"addend", ir.EmbeddingBackward, nil, []arg{below(7, 5), normal(5, 3), normal(7, 3)}, []ir.Shape{s(7, 3)}},
		{"large", ir.EmbeddingBackward, nil, []arg{below(50, 600), normal(600, 131), none}, []ir.Shape{s(50, 131)}},
		{"large addend", ir.EmbeddingBackward, nil, []arg{below(900, 600), normal(600, 131), normal(900, 131)}, []ir.Shape{s(900, 131)}},
		{"slices", ir.Embedding, nil, []arg{below(9, 10), normal(9, 520)}, []ir.Shape{s(10, 520)}},
		{"slices", ir.EmbeddingBackward, nil, []arg{below(9, 10), normal(10, 520), none}, []ir.Shape{s(9, 520)}},
		{"frequent", ir.EmbeddingBackward, nil, []arg{frequent(9, 700), normal(700, 24), normal(9, 24)}, []ir.Shape{s(9, 24)}},
		{"frequent odd", ir.EmbeddingBackward, nil, []arg{frequent(300, 4500), normal(4500, 5), none}, []ir.Shape{s(300, 5)}},
		{"only one", ir.EmbeddingBackward, nil, []arg{below(1, 200), normal(200, 8), none}, []ir.Shape{s(1, 8)}},
		{"large vocabulary", ir.EmbeddingBackward, nil, []arg{below(70000, 100), normal(100, 2), none}, []ir.Shape{s(70000, 2)}},
	}...)
}

// storedTypes are those of weights beside float32.
var storedTypes = []ir.DType{ir.BF16, ir.Int8, ir.NF4, ir.NF4Double}

func matMulCases() []opCase {
	var list []opCase
	add := func(name string, attrs ir.MatMulAttrs, in []arg, out ...ir.Shape) {
		for len(in) < 5 {
			in = append(in, none)
		}
		list = append(list, opCase{name, ir.MatMul, attrs, in, append(out, nil, nil)[:3]})
	}
	type dims struct{ m, n, k int }
	for _, d := range []dims{{1, 1, 1}, {5, 7, 3}, {1, 65, 33}, {64, 48, 96}, {130, 97, 70}, {300, 50, 520}} {
		for t := range 4 {
			a, b := normal(d.m, d.k), normal(d.k, d.n)
			attrs := ir.MatMulAttrs{TransA: t&1 != 0, TransB: t&2 != 0}
			if attrs.TransA {
				a.shape = s(d.k, d.m)
			}
			if attrs.TransB {
				b.shape = s(d.n, d.k)
			}
			name := fmt.Sprintf("%dx%dx%d transA=%t transB=%t", d.m, d.n, d.k, attrs.TransA, attrs.TransB)
			add(name, attrs, []arg{a, b}, s(d.m, d.n))
			attrs.Compute = ir.BF16
			add(name+" bf16", attrs, []arg{a, b}, s(d.m, d.n))
		}
	}
	for _, act := range []ir.Act{ir.GELU, ir.GELUTanh, ir.SiLU, ir.ReLU2, ir.ReLU} {
		add("bias "+act.String(), ir.MatMulAttrs{TransB: true, Act: act}, []arg{normal(70, 9), normal(50, 9), normal(50)}, s(70, 50))
		add("pre "+act.String(), ir.MatMulAttrs{TransB: true, Act: act}, []arg{normal(70, 9), normal(50, 9), normal(50)}, s(70, 50), s(70, 50))
		add("backward "+act.String(), ir.MatMulAttrs{Act: act, ActBackward: true}, []arg{normal(70, 9), normal(9, 50), none, none, normal(70, 50)}, s(70, 50))
	}
	for _, d := range []dims{{5, 7, 3}, {65, 33, 300}} {
		name, a, b := fmt.Sprintf("sum %dx%dx%d", d.m, d.n, d.k), normal(d.k, d.m), normal(d.k, d.n)
		add(name, ir.MatMulAttrs{TransA: true}, []arg{a, b}, s(d.m, d.n), nil, s(d.n))
		add(name+" of a", ir.MatMulAttrs{TransA: true, SumA: true}, []arg{a, b}, s(d.m, d.n), nil, s(d.m))
	}
	add("bias", ir.MatMulAttrs{}, []arg{normal(33, 20), normal(20, 65), normal(65)}, s(33, 65))
	add("addend", ir.MatMulAttrs{}, []arg{normal(33, 20), normal(20, 65), none, normal(33, 65)}, s(33, 65))
	add("bias addend", ir.MatMulAttrs{TransB: true}, []arg{normal(130, 20), normal(65, 20), normal(65), normal(130, 65)}, s(130, 65))
	add("bias addend act pre", ir.MatMulAttrs{Act: ir.GELUTanh}, []arg{normal(33, 20), normal(20, 65), normal(65), normal(33, 65)}, s(33, 65), s(33, 65))
	add("long backward", ir.MatMulAttrs{Act: ir.SiLU, ActBackward: true}, []arg{normal(2100, 9), normal(9, 20), none, none, normal(2100, 20)}, s(2100, 20))
	add("long backward transA", ir.MatMulAttrs{TransA: true, Act: ir.SiLU, ActBackward: true}, []arg{normal(9, 1100), normal(9, 20), none, none, normal(1100, 20)}, s(1100, 20))
	add("batched", ir.MatMulAttrs{TransB: true}, []arg{normal(2, 3, 17, 9), normal(2, 3, 21, 9)}, s(2, 3, 17, 21))
	add("batched act", ir.MatMulAttrs{TransA: true, Act: ir.SiLU}, []arg{normal(3, 9, 17), normal(3, 9, 21), normal(21), normal(3, 17, 21)}, s(3, 17, 21), s(3, 17, 21))
	add("batched backward", ir.MatMulAttrs{Act: ir.ReLU2, ActBackward: true}, []arg{normal(3, 17, 9), normal(3, 9, 21), none, none, normal(3, 17, 21)}, s(3, 17, 21))
	for _, d := range storedTypes {
		for _, x := range []struct{ m, n, k int }{{1, 70, 200}, {3, 33, 67}, {40, 65, 130}} {
			name := fmt.Sprintf("%s %dx%dx%d", d, x.m, x.n, x.k)
			add(name, ir.MatMulAttrs{TransB: true}, []arg{normal(x.m, x.k), storedAs(d, normal(x.n, x.k)), normal(x.n)}, s(x.m, x.n))
			add(name+" backward", ir.MatMulAttrs{Compute: ir.BF16}, []arg{normal(x.m, x.k), storedAs(d, normal(x.k, x.n)), none, normal(x.m, x.n)}, s(x.m, x.n))
		}
	}
	add("batched large", ir.MatMulAttrs{}, []arg{normal(2, 210, 200), normal(2, 200, 201)}, s(2, 210, 201))
	return list
}

// normShapes are rows and columns.
var normShapes = [...][2]int{
	{1, 1}, {3, 5}, {7, 64}, {700, 67}, {300, 64},
	{5, 768},                                    // its sums of bfloat16 rows take all of the 48 KiB that a block of CUDA has unasked, and the kernel some of its own
	{3, 1024}, {2, 2051}, {2, 8200}, {2, 24600}, // a warp a row, a block, and more than a block or shared memory holds
}

// normSumCases are gradients of LayerNorm with the sum of their rows.
func normSumCases() []opCase {
	var list []opCase
	for _, d := range normShapes {
		n, w := d[0], d[1]
		x, row := s(n, w), s(w)
		name := fmt.Sprintf("%dx%d", n, w)
		list = append(list,
			opCase{name + " addend sum", ir.LayerNormBackward, ir.NormAttrs{Eps: 1e-5},
				[]arg{normal(n, w), normal(w), normal(n), positive(n), normal(n, w), normal(n, w)}, []ir.Shape{x, row, row, row}},
			opCase{name + " no bias sum", ir.LayerNormBackward, ir.NormAttrs{Eps: 1e-5},
				[]arg{normal(n, w), normal(w), normal(n), positive(n), normal(n, w), none}, []ir.Shape{x, row, nil, row}})
	}
	return list
}

func normCases() []opCase {
	var list []opCase
	for _, d := range normShapes {
		n, w := d[0], d[1]
		x, row, rows := s(n, w), s(w), s(n)
		name := fmt.Sprintf("%dx%d", n, w)
		list = append(list,
			opCase{name, ir.LayerNorm, ir.NormAttrs{Eps: 1e-5}, []arg{normal(n, w), normal(w), normal(w)}, []ir.Shape{x, rows, rows}},
			opCase{name + " no bias", ir.LayerNorm, ir.NormAttrs{Eps: 1e-5}, []arg{about(3, n, w), normal(w), none}, []ir.Shape{x, rows, rows}},
			opCase{name, ir.LayerNormBackward, ir.NormAttrs{Eps: 1e-5},
				[]arg{normal(n, w), normal(w), normal(n), positive(n), normal(n, w), none}, []ir.Shape{x, row, row, nil}},
			opCase{name + " addend no bias", ir.LayerNormBackward, ir.NormAttrs{Eps: 1e-5},
				[]arg{normal(n, w), normal(w), normal(n), positive(n), normal(n, w), normal(n, w)}, []ir.Shape{x, row, nil, nil}},
			opCase{name, ir.RMSNorm, ir.NormAttrs{Eps: 1e-6}, []arg{normal(n, w), normal(w)}, []ir.Shape{x, rows}},
			opCase{name, ir.RMSNormBackward, ir.NormAttrs{Eps: 1e-6},
				[]arg{normal(n, w), normal(w), positive(n), normal(n, w), none}, []ir.Shape{x, row}},
			opCase{name + " addend", ir.RMSNormBackward, ir.NormAttrs{Eps: 1e-6},
				[]arg{normal(n, w), normal(w), positive(n), normal(n, w), normal(n, w)}, []ir.Shape{x, row}},
			opCase{name, ir.ColumnSum, nil, []arg{normal(n, w), none}, []ir.Shape{row}},
			opCase{name + " addend", ir.ColumnSum, nil, []arg{normal(n, w), normal(w)}, []ir.Shape{row}},
		)
	}
	return append(list,
		opCase{"3 axes", ir.LayerNorm, ir.NormAttrs{Eps: 1e-5}, []arg{normal(2, 3, 5), normal(5), normal(5)}, []ir.Shape{s(2, 3, 5), s(6), s(6)}},
		opCase{"3 axes", ir.ColumnSum, nil, []arg{normal(2, 3, 5), none}, []ir.Shape{s(5)}},
	)
}

func activationCases() []opCase {
	var list []opCase
	for _, act := range []ir.Act{ir.NoAct, ir.GELU, ir.GELUTanh, ir.SiLU, ir.ReLU2, ir.ReLU} {
		for _, shape := range []ir.Shape{{1, 1}, {3, 21}, {90, 101}} {
			name := act.String() + shape.String()
			list = append(list,
				opCase{name, ir.Activation, ir.ActivationAttrs{Act: act}, []arg{wide(shape...)}, []ir.Shape{shape}},
				opCase{name, ir.ActivationBackward, ir.ActivationAttrs{Act: act}, []arg{wide(shape...), normal(shape...)}, []ir.Shape{shape}})
		}
	}
	for _, shape := range []ir.Shape{{1, 1}, {3, 21}, {90, 101}} {
		list = append(list,
			opCase{shape.String(), ir.SwiGLU, nil, []arg{wide(shape...), normal(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.SwiGLUBackward, nil, []arg{wide(shape...), normal(shape...), normal(shape...)}, []ir.Shape{shape, shape}},
			opCase{shape.String(), ir.Softmax, nil, []arg{wide(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.SoftmaxBackward, nil, []arg{positive(shape...), normal(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.Dropout, ir.DropoutAttrs{P: 0.3, Site: 5}, []arg{normal(shape...), ints(17, -4, -9, 1)}, []ir.Shape{shape}},
			opCase{shape.String() + " of row 0", ir.Dropout, ir.DropoutAttrs{P: 0.3, Site: 5}, []arg{normal(shape...), ints(17, -4, 0, 0)}, []ir.Shape{shape}})
	}
	for _, shape := range []ir.Shape{{5, 64}, {2, 261}, {2, 1032}, {1, 4104}} { // a warp a row, a block, and more than a block holds
		list = append(list,
			opCase{shape.String(), ir.Softmax, nil, []arg{wide(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.SoftmaxBackward, nil, []arg{positive(shape...), normal(shape...)}, []ir.Shape{shape}})
	}
	for _, inverse := range []bool{false, true} {
		attrs := ir.RoPEAttrs{Heads: 3, HeadDim: 10, Inverse: inverse}
		name := fmt.Sprintf("inverse=%t", inverse)
		list = append(list,
			opCase{name, ir.RoPE, attrs, []arg{normal(6, 30), normal(9, 10), below(9, 6)}, []ir.Shape{s(6, 30)}},
			opCase{name + " large", ir.RoPE, attrs, []arg{normal(700, 30), normal(9, 10), below(9, 700)}, []ir.Shape{s(700, 30)}})
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

func lossCases() []opCase {
	var list []opCase
	for _, l := range []struct {
		name     string
		n, v, d  int
		rows     int
		smoothed bool
	}{
		{"one", 1, 1, 1, 1, false},
		{"small", 7, 11, 5, 7, false},
		{"small smoothed", 7, 11, 5, 3, true},
		{"chunks", 150, 300, 33, 64, false},
		{"chunks smoothed", 150, 300, 33, 64, true},
		{"block", 3, 2056, 4, 2, true},
		{"largest block", 2, 16417, 5, 2, false},
		{"wider than shared memory", 2, 50504, 2, 2, true},
	} {
		var attrs ir.LossAttrs
		if l.smoothed {
			attrs = ir.LossAttrs{Smoothing: 0.1, ZLoss: 1e-2}
		}
		linear := ir.LinearCrossEntropyAttrs{LossAttrs: attrs, Rows: l.rows}
		n, v, d := l.n, l.v, l.d
		rows, logits, x, w := s(n), s(n, v), s(n, d), s(v, d)
		norm := values(1 / float32(n))
		list = append(list,
			opCase{l.name, ir.CrossEntropy, attrs, []arg{wide(n, v), targets(v, n), norm}, []ir.Shape{one, rows, rows}},
			opCase{l.name, ir.CrossEntropyBackward, attrs, []arg{wide(n, v), targets(v, n), norm, normal(n), values(0.7)}, []ir.Shape{logits}},
			opCase{l.name, ir.LinearCrossEntropy, linear, []arg{normal(n, d), normal(v, d), targets(v, n), norm, none}, []ir.Shape{one, rows, x, w}},
			opCase{l.name + " addend", ir.LinearCrossEntropy, linear, []arg{normal(n, d), normal(v, d), targets(v, n), norm, normal(v, d)}, []ir.Shape{one, rows, x, w}},
			opCase{l.name + " loss only", ir.LinearCrossEntropy, linear, []arg{normal(n, d), normal(v, d), targets(v, n), norm, none}, []ir.Shape{one, rows, nil, nil}},
			opCase{l.name + " bf16 weight", ir.LinearCrossEntropy, linear, []arg{normal(n, d), storedAs(ir.BF16, normal(v, d)), targets(v, n), norm, none}, []ir.Shape{one, rows, x, nil}},
			opCase{l.name + " nf4", ir.LinearCrossEntropy, linear, []arg{normal(n, d), storedAs(ir.NF4Double, normal(v, d)), targets(v, n), norm, none}, []ir.Shape{one, rows, x, nil}},
			opCase{l.name + " dx only", ir.LinearCrossEntropy, linear, []arg{normal(n, d), normal(v, d), targets(v, n), norm, none}, []ir.Shape{one, rows, x, nil}},
			opCase{l.name + " dw only", ir.LinearCrossEntropy, linear, []arg{normal(n, d), normal(v, d), targets(v, n), norm, none}, []ir.Shape{one, rows, nil, w}},
			opCase{l.name, ir.MSE, nil, []arg{normal(n, v), normal(n, v)}, []ir.Shape{one}},
			opCase{l.name, ir.MSEBackward, nil, []arg{normal(n, v), normal(n, v), values(0.7)}, []ir.Shape{logits}},
		)
		linear.Compute = ir.BF16
		list = append(list, opCase{l.name + " bf16", ir.LinearCrossEntropy, linear, []arg{normal(n, d), normal(v, d), targets(v, n), norm, none}, []ir.Shape{one, rows, x, w}})
	}
	return append(list,
		opCase{"large", ir.MSE, nil, []arg{normal(400, 401), normal(400, 401)}, []ir.Shape{one}},
		opCase{"all ignored", ir.CrossEntropy, ir.LossAttrs{}, []arg{normal(2, 3), ints(-1, -1), values(1)}, []ir.Shape{one, s(2), s(2)}},
	)
}

func elementwiseCases() []opCase {
	var list []opCase
	for _, shape := range []ir.Shape{{}, {1}, {3, 21}, {5, 90, 101}} {
		list = append(list,
			opCase{shape.String(), ir.Add, nil, []arg{normal(shape...), normal(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.Mul, nil, []arg{normal(shape...), normal(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.Scale, ir.ScaleAttrs{Alpha: -1.5}, []arg{normal(shape...)}, []ir.Shape{shape}},
			opCase{shape.String(), ir.ScaleBy, nil, []arg{normal(shape...), values(0.3)}, []ir.Shape{shape}})
	}
	return list
}

func shapeCases() []opCase {
	var list []opCase
	list = append(list, opCase{"flatten", ir.Reshape, nil, []arg{normal(3, 4)}, []ir.Shape{s(12)}})
	for _, kind := range []ir.Kind{ir.AllReduce, ir.ReduceTo, ir.BroadcastFrom, ir.Await} {
		list = append(list, opCase{"alone", kind, ir.Kinds[kind].Attrs, []arg{normal(3, 5)}, []ir.Shape{s(3, 5)}})
	}
	for _, t := range []struct {
		shape ir.Shape
		perm  []int8
	}{
		{s(1, 1), []int8{1, 0}},
		{s(5, 7), []int8{1, 0}},
		{s(300, 131), []int8{1, 0}},
		{s(3, 4, 5), []int8{0, 2, 1}},
		{s(3, 4, 5), []int8{1, 0, 2}},
		{s(3, 4, 5), []int8{2, 1, 0}},
		{s(3, 4, 5), []int8{2, 0, 1}},
		{s(3, 4, 5), []int8{0, 1, 2}},
		{s(3, 5, 16), []int8{1, 0, 2}},
		{s(4, 33, 5, 20), []int8{0, 2, 1, 3}},
		{s(2, 3, 4, 5, 2, 3), []int8{5, 3, 1, 0, 2, 4}},
		{s(2, 1, 4, 1), []int8{3, 2, 1, 0}},
	} {
		out := make(ir.Shape, len(t.perm))
		for i, p := range t.perm {
			out[i] = t.shape[p]
		}
		list = append(list, opCase{fmt.Sprint(t.shape, t.perm), ir.Transpose, ir.TransposeAttrs{Perm: perm(t.perm...)}, []arg{normal(t.shape...)}, []ir.Shape{out}})
	}
	for _, c := range []struct {
		shape            ir.Shape
		axis, start, end int
	}{{s(5), 0, 1, 4}, {s(3, 7), 1, 0, 2}, {s(3, 7), 0, 2, 3}, {s(3, 7, 2), 1, 5, 7}, {s(6, 64), 1, 16, 48}, {s(500, 90), 1, 30, 85}} {
		out := append(ir.Shape(nil), c.shape...)
		out[c.axis] = c.end - c.start
		rest := append(ir.Shape(nil), c.shape...)
		rest[c.axis] -= out[c.axis]
		attrs := ir.SliceAttrs{Axis: c.axis, Start: c.start, End: c.end}
		name := fmt.Sprintf("%v axis %d", c.shape, c.axis)
		list = append(list,
			opCase{name, ir.Slice, attrs, []arg{normal(c.shape...)}, []ir.Shape{out}},
			opCase{name, ir.SliceBackward, attrs, []arg{normal(out...)}, []ir.Shape{c.shape}},
			opCase{name, ir.Concat, ir.ConcatAttrs{Axis: c.axis}, []arg{normal(out...), normal(rest...)}, []ir.Shape{c.shape}})
	}
	list = append(list, opCase{"three", ir.Concat, ir.ConcatAttrs{Axis: 1}, []arg{normal(2, 1), normal(2, 3), normal(2, 2)}, []ir.Shape{s(2, 6)}})
	for _, r := range []struct {
		shape ir.Shape
		axes  []int
	}{
		{s(1), []int{0}},
		{s(3, 5), nil},
		{s(3, 5), []int{0, 1}},
		{s(3, 5), []int{0}},
		{s(3, 5), []int{1}},
		{s(3, 4, 5), []int{1}},
		{s(3, 4, 5), []int{0, 2}},
		{s(2, 3, 4, 5), []int{0, 2}},
		{s(2, 3, 4, 5), []int{1, 3}},
		{s(2, 3, 2, 3, 2, 3), []int{0, 2, 4}},
		{s(300, 301), []int{0, 1}},
		{s(90, 7, 101), []int{1}},
		{s(900, 101), []int{1}},
		{s(5, 64), []int{1}},
		{s(3, 16, 24), []int{0}},
		{s(200, 136), []int{0}},
		{s(300, 3, 100), []int{0, 2}},
		{s(300, 2, 3, 8), []int{0, 2}},
	} {
		attrs := ir.ReduceAttrs{Alpha: 0.5, Axes: axes(r.axes...)}
		reduced := append(ir.Shape(nil), r.shape...)
		for _, a := range r.axes {
			reduced[a] = 1
		}
		name := fmt.Sprint(r.shape, r.axes)
		list = append(list,
			opCase{name, ir.ReduceSum, attrs, []arg{normal(r.shape...)}, []ir.Shape{reduced}},
			opCase{name, ir.Broadcast, ir.ScaleAttrs{Alpha: 0.5}, []arg{normal(reduced...)}, []ir.Shape{r.shape}})
	}
	for _, n := range []int{1, 7, 4099} {
		list = append(list, opCase{fmt.Sprint(n), ir.Cast, nil, []arg{wide(n)}, []ir.Shape{s(n)}})
	}
	for _, n := range []int{1, 7, 8, 9, 64, 4099, 50001} {
		for _, d := range []ir.DType{ir.I32, ir.U8, ir.U4, ir.U1} {
			x := below(1<<min(d.Bits(), 20), n)
			x.packed = d
			list = append(list, opCase{fmt.Sprintf("%s %d", d, n), ir.ToFloat, ir.ToFloatAttrs{Scale: 1 / 127.5, Shift: -1}, []arg{x}, []ir.Shape{s(n)}})
		}
	}
	return list
}

func optimizerCases() []opCase {
	var list []opCase
	for _, shape := range []ir.Shape{{1}, {5, 7}, {40, 30}, {300, 171}} {
		for _, clip := range []struct {
			name string
			arg  arg
		}{{"", none}, {" clip", values(0.4)}, {" skip", values(nan)}} {
			name := shape.String() + clip.name
			p, g, m, v := normal(shape...), normal(shape...), normal(shape...), positive(shape...)
			adamw := ir.AdamWAttrs{Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: 0.1, LRScale: 1.5}
			sgd := ir.SGDAttrs{Beta1: 0.9, Decay: 0.1, LRScale: 0.5}
			plainSGD, nesterov := sgd, sgd
			plainSGD.Beta1, nesterov.Nesterov = 0, true
			lion := ir.LionAttrs{Beta1: 0.9, Beta2: 0.99, Decay: 0.1, LRScale: 0.5}
			muon := ir.MuonAttrs{Beta1: 0.9, Decay: 0.1, LRScale: 0.5, NewtonSchulz: 5}
			muonNesterov := muon
			muonNesterov.Nesterov = true
			list = append(list,
				opCase{name, ir.AdamW, adamw, []arg{p, g, m, v, hyper(), clip.arg, none}, nil},
				opCase{name, ir.SGD, sgd, []arg{p, g, m, hyper(), clip.arg, none}, nil},
				opCase{name + " first", ir.SGD, sgd, []arg{p, g, m, values(0.1, 0, 0, 0, 1, 0, 0, 0), clip.arg, none}, nil},
				opCase{name + " nesterov", ir.SGD, nesterov, []arg{p, g, m, hyper(), clip.arg, none}, nil},
				opCase{name + " no momentum", ir.SGD, plainSGD, []arg{p, g, none, hyper(), clip.arg, none}, nil},
				opCase{name, ir.Lion, lion, []arg{p, g, m, hyper(), clip.arg, none}, nil},
				opCase{name, ir.Muon, muon, []arg{p, g, m, hyper(), clip.arg, none}, nil},
				opCase{name + " nesterov", ir.Muon, muonNesterov, []arg{p, g, m, hyper(), clip.arg, none}, nil},
				opCase{name, ir.EMA, ir.EMAAttrs{Beta1: 0.9}, []arg{m, p, clip.arg}, nil},
			)
			for _, c := range list[len(list)-9:] { // the same with a copy of p
				if position := ir.Kinds[c.kind].Copy; position > 0 {
					c.name, c.in = c.name+" copied", slices.Clone(c.in)
					c.in[position] = normal(shape...)
					list = append(list, c)
				}
			}
		}
	}
	bf16 := ir.MuonAttrs{Beta1: 0.9, LRScale: 1, NewtonSchulz: 5, Compute: ir.BF16}
	list = append(list,
		opCase{"wide", ir.Muon, ir.MuonAttrs{Beta1: 0.9, LRScale: 1, NewtonSchulz: 5}, []arg{normal(30, 90), normal(30, 90), normal(30, 90), hyper(), none, none}, nil},
		opCase{"bf16", ir.Muon, bf16, []arg{normal(90, 30), normal(90, 30), normal(90, 30), hyper(), none, normal(90, 30)}, nil},
	)
	inf := float32(math.Inf(1))
	limit := values(0.1, 0, 0, 3, 0, 0, 0, 0)
	for _, g := range []struct {
		name  string
		ranks int
		grads []arg
	}{
		{"one", 1, []arg{values(3)}},
		{"two", 1, []arg{normal(3, 5), normal(7)}},
		{"last of three ranks", 3, []arg{normal(3, 5), normal(7), normal(1)}},
		{"zero", 1, []arg{values(0, 0)}},
		{"nan", 2, []arg{normal(3, 5), values(1, nan)}},
		{"large", 1, []arg{normal(400, 401), normal(7), normal(300, 300)}},
		{"many ranks", 1000, []arg{normal(30)}},
	} {
		list = append(list, opCase{g.name, ir.SumSquares, ir.RootAttrs{Root: g.ranks - 1}, g.grads, []ir.Shape{s(g.ranks, 2)}})
	}
	for _, g := range []struct {
		name    string
		max     float32
		hyper   arg
		squares []float32
	}{
		{"one", 0, hyper(), []float32{9, 0}},
		{"below", 100, hyper(), []float32{3, 1e-8, 5, -1e-7}},
		{"clipped", 1, hyper(), []float32{3, 1e-8, 5, -1e-7, 40, 0}},
		{"zero", 1, hyper(), []float32{0, 0}},
		{"nan", 1, hyper(), []float32{3, 0, nan, 0}},
		{"inf", 1, hyper(), []float32{inf, 0, 1, 0}},
		{"above limit", 1, limit, []float32{9, 0, 16, 0}},
		{"above a small limit", 1, values(0.1, 0, 0, 0.25, 0, 0, 0, 0), []float32{0.09, 0, 0.16, 0}},
		{"within limit", 1, limit, []float32{1, 0, 1, 0}},
	} {
		squares := arg{shape: s(len(g.squares)/2, 2), floats: g.squares}
		list = append(list, opCase{g.name, ir.GradNorm, ir.GradNormAttrs{MaxNorm: g.max}, []arg{g.hyper, squares}, []ir.Shape{one, one}})
	}
	return list
}
