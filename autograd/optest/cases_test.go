package optest

import (
	"fmt"
	"math/rand/v2"

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
	normSumCases(), patternCases(), dropCases(), adapterCases(), biasCases(),
)

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
