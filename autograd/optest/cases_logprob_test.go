package optest

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

func logProbCases() []opCase {
	var list []opCase
	for _, l := range []struct {
		name    string
		n, v, d int
		rows    int
		scale   float32
		entropy bool
	}{
		{"one", 1, 1, 1, 1, 1, false},
		{"small", 7, 11, 5, 7, 1, false},
		{"small entropy", 7, 11, 5, 3, 1, true},
		{"chunks", 150, 300, 33, 64, 1, false},
		{"chunks hot entropy", 150, 300, 33, 64, 0.625, true},
		{"block", 3, 2056, 4, 2, 0.5, true},
		{"largest block", 2, 16417, 5, 2, 1, true},
		{"wider than shared memory", 2, 50504, 2, 2, 1, true},
	} {
		attrs := ir.LinearLogProbAttrs{Scale: l.scale, Entropy: l.entropy, Rows: l.rows}
		n, v, d := l.n, l.v, l.d
		y := s(1, n)
		if l.entropy {
			y = s(2, n)
		}
		x, w := s(n, d), s(v, d)
		list = append(list,
			opCase{l.name, ir.LinearLogProb, attrs, []arg{normal(n, d), normal(v, d), targets(v, n)}, []ir.Shape{y, s(n)}},
			opCase{l.name + " without lse", ir.LinearLogProb, attrs, []arg{normal(n, d), normal(v, d), targets(v, n)}, []ir.Shape{y, nil}},
			opCase{l.name, ir.LinearLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), targets(v, n), normal(y...), none}, []ir.Shape{x, w}},
			opCase{l.name + " addend", ir.LinearLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), targets(v, n), normal(y...), normal(v, d)}, []ir.Shape{x, w}},
			opCase{l.name + " dx only", ir.LinearLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), targets(v, n), normal(y...), none}, []ir.Shape{x, nil}},
			opCase{l.name + " dw only", ir.LinearLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), targets(v, n), normal(y...), none}, []ir.Shape{nil, w}},
		)
		attrs.Compute = ir.BF16
		list = append(list,
			opCase{l.name + " bf16", ir.LinearLogProb, attrs, []arg{normal(n, d), normal(v, d), targets(v, n)}, []ir.Shape{y, s(n)}},
			opCase{l.name + " bf16", ir.LinearLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), targets(v, n), normal(y...), none}, []ir.Shape{x, w}})
	}
	return list
}

// mapArgs are what a function is tried on.
func mapArgs(fn ir.Fn, shape ir.Shape) (x, b arg) {
	x, b = normal(shape...), none
	switch fn {
	case ir.Log:
		x = positive(shape...)
	case ir.Log1mExp:
		x = fill(func() float64 { return -0.01 - 3*draw.Float64() }, shape)
	case ir.Min, ir.Max:
		b = normal(shape...)
		for i := 0; i < len(b.floats); i += 3 {
			b.floats[i] = x.floats[i]
		}
	}
	return x, b
}

func mapCases() []opCase {
	var list []opCase
	for fn := ir.Affine; fn <= ir.Max; fn++ {
		for _, shape := range []ir.Shape{{}, {3, 21}, {20011}} {
			name, attrs := fmt.Sprint(fn, shape), ir.MapAttrs{Fn: fn, A: -0.5, B: 0.75}
			x, b := mapArgs(fn, shape)
			list = append(list,
				opCase{name, ir.Map, attrs, []arg{x, b}, []ir.Shape{shape}},
				opCase{name, ir.MapBackward, attrs, []arg{x, b, normal(shape...)}, []ir.Shape{shape}})
		}
	}
	far := values(-200, -90, -20, 0, 20, 90, 200)
	for _, fn := range []ir.Fn{ir.Sigmoid, ir.LogSigmoid, ir.Sign, ir.Step, ir.Clip} {
		attrs := ir.MapAttrs{Fn: fn, A: -20, B: 90}
		x := far
		if fn == ir.Sigmoid || fn == ir.LogSigmoid {
			x = values(-80, -30, 0, 30, 80)
		}
		list = append(list,
			opCase{fn.String() + " far", ir.Map, attrs, []arg{x, none}, []ir.Shape{s(x.shape...)}},
			opCase{fn.String() + " far", ir.MapBackward, attrs, []arg{x, none, normal(x.shape...)}, []ir.Shape{s(x.shape...)}})
	}
	return list
}

func segmentCases() []opCase {
	var list []opCase
	for _, c := range []struct {
		name     string
		n, count int
		segments arg
	}{
		{"one", 1, 1, ints(0)},
		{"documents", 40, 9, documents(1, 40, 5, 3)},
		{"scattered with an empty one", 3001, 70, targets(69, 3001)},
	} {
		list = append(list,
			opCase{c.name, ir.SegmentSum, nil, []arg{normal(c.n), c.segments}, []ir.Shape{s(c.count)}},
			opCase{c.name, ir.SegmentBroadcast, nil, []arg{normal(c.count), c.segments}, []ir.Shape{s(c.n)}})
	}
	return list
}
