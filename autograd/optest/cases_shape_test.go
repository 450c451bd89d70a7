package optest

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

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
