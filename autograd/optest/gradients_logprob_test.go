package optest

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

func logProbGradients() []gradientCase {
	var list []gradientCase
	for _, cfg := range []autograd.LogProbConfig{{}, {Temperature: 2}, {Entropy: true}, {Temperature: 0.75, Entropy: true}} {
		build := func(x, w *node, in []*node) *node {
			logp, entropy, _ := autograd.LinearLogProb(x, w, in[0], cfg)
			if cfg.Entropy {
				return autograd.Concat(0, logp, autograd.Scale(entropy, 2))
			}
			return logp
		}
		name := fmt.Sprintf(" temperature=%g entropy=%t", cfg.Temperature, cfg.Entropy)
		list = append(list,
			gradientCase{name: "LinearLogProb" + name, kinds: []ir.Kind{ir.LinearLogProb}, params: []arg{normal(4, 3), normal(5, 3)},
				build: func(_ *autograd.Graph, p, in []*node) *node { return build(p[0], p[1], in) },
			}.with("targets", ints(2, -1, 4, 0)),
			gradientCase{name: "LinearLogProb tied" + name, kinds: []ir.Kind{ir.LinearLogProb}, params: []arg{normal(5, 3)},
				build: func(_ *autograd.Graph, p, in []*node) *node {
					return build(autograd.Embedding(in[1], p[0]), p[0], in)
				},
			}.with("targets", ints(2, -1, 4, 0)).with("ids", ints(0, 3, 3, 1)))
	}
	for _, cfg := range []autograd.LogProbConfig{{Kept: 3}, {Kept: 3, Temperature: 0.5, Entropy: true}} {
		list = append(list, gradientCase{name: fmt.Sprintf("KeptLogProb temperature=%g", cfg.Temperature), kinds: []ir.Kind{ir.LinearTopLogProb},
			params: []arg{normal(4, 3), normal(5, 3)},
			build: func(_ *autograd.Graph, p, in []*node) *node {
				logp, entropy := autograd.KeptLogProb(p[0], p[1], in[0], cfg)
				if cfg.Entropy {
					return autograd.Concat(0, logp, entropy)
				}
				return logp
			},
		}.with("kept", arg{shape: ir.Shape{4, 3}, ints: []int32{2, 0, 4, -1, -1, -1, 4, 0, -1, 1, 0, 4}}))
	}
	for name, f := range map[string]func(x *node) *node{
		"Shift": func(x *node) *node { return autograd.Shift(x, 0.5) }, "Exp": autograd.Exp, "Sigmoid": autograd.Sigmoid, "LogSigmoid": autograd.LogSigmoid,
		"Clip": func(x *node) *node { return autograd.Clip(x, -0.1, 0.1) }, "Clip inside": func(x *node) *node { return autograd.Clip(x, -9, 9) },
		"selected by Step": func(x *node) *node { return autograd.Mul(autograd.Step(x), x) },
		"Detach beside": func(x *node) *node { // as the same step that has no slope
			return autograd.Mul(autograd.Detach(autograd.Step(x)), x)
		},
		"Sign": func(x *node) *node { return autograd.Mul(autograd.Sign(x), x) },
	} {
		list = append(list, unary(name, ir.Map, func(p []*node) *node { return f(p[0]) }, awayFromZero(3, 5)))
	}
	pair := func(name string, f func(a, b *node) *node) gradientCase {
		return unary(name, ir.Map, func(p []*node) *node { return f(p[0], p[1]) }, values(0.5, -1, 2, 0), values(1.5, -2, 1, -1))
	}
	list = append(list,
		unary("Log", ir.Map, func(p []*node) *node { return autograd.Log(p[0]) }, positive(3, 5)),
		unary("Log1mExp", ir.Map, func(p []*node) *node { return autograd.Log1mExp(autograd.Scale(p[0], -1)) }, positive(3, 5)),
		pair("Min", autograd.Min), pair("Max", autograd.Max), pair("Sub", autograd.Sub))
	return append(list,
		gradientCase{name: "SegmentSum", kinds: []ir.Kind{ir.SegmentSum}, params: []arg{normal(6)},
			build: func(_ *autograd.Graph, p, in []*node) *node { return autograd.SegmentSum(p[0], in[0], 3) },
		}.with("segments", ints(0, 0, 2, -1, 2, 0)),
		gradientCase{name: "SegmentBroadcast", kinds: []ir.Kind{ir.SegmentBroadcast}, params: []arg{normal(3)},
			build: func(_ *autograd.Graph, p, in []*node) *node { return autograd.SegmentBroadcast(p[0], in[0]) },
		}.with("segments", ints(0, 0, 2, -1, 2, 0)))
}
