package optest

import (
	"math"
	"slices"

	"example.com/gotrain/autograd/ir"
)

func assignCases() []opCase {
	inf := float32(math.Inf(1))
	return []opCase{
		{"finite", ir.Assign, ir.AssignAttrs{}, []arg{normal(3, 5), normal(3, 5)}, nil},
		{"overflow", ir.Assign, ir.AssignAttrs{Mean: true}, []arg{normal(5), values(nan, 1, inf, -inf, -3e38)}, nil},
		{"large", ir.Assign, ir.AssignAttrs{}, []arg{normal(300, 301), normal(300, 301)}, nil},
	}
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
