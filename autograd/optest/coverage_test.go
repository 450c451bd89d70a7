package optest

import (
	"testing"

	"example.com/gotrain/autograd/ir"
)

// noGradient lists the kinds that cannot be differentiated, with the reason.
var noGradient = map[ir.Kind]string{
	ir.EmbeddingBackward:         "gradient",
	ir.ColumnSum:                 "gradient of a bias",
	ir.LayerNormBackward:         "gradient",
	ir.RMSNormBackward:           "gradient",
	ir.ActivationBackward:        "gradient",
	ir.SwiGLUBackward:            "gradient",
	ir.AttentionBackward:         "gradient",
	ir.AttentionCached:           "serves inference only",
	ir.RecurrentBackward:         "gradient",
	ir.RecurrentCached:           "serves inference only",
	ir.RelativeAttentionBackward: "gradient",
	ir.RelativeAttentionCached:   "serves inference only",
	ir.SoftmaxBackward:           "gradient",
	ir.CrossEntropyBackward:      "gradient",
	ir.LinearLogProbBackward:     "gradient",
	ir.LinearTopLogProbBackward:  "gradient",
	ir.MapBackward:               "gradient",
	ir.MSEBackward:               "gradient",
	ir.ConvWeights:               "gradient",
	ir.GroupNormBackward:         "gradient",
	ir.MaxPoolBackward:           "gradient",
	ir.Normal:                    "of random numbers",
	ir.ScaleBy:                   "appears in gradients only",
	ir.InverseNorms:              "counts as constant",
	ir.SliceBackward:             "gradient",
	ir.Cast:                      "put in by the planner",
	ir.ToFloat:                   "of integers",
	ir.Assign:                    "what the next run reads",
	ir.AllReduce:                 "of gradients",
	ir.ReduceTo:                  "of gradients",
	ir.BroadcastFrom:             "of updated parameters",
	ir.Await:                     "of gradients",
	ir.SumSquares:                "optimizer",
	ir.GradNorm:                  "optimizer",
	ir.AdamW:                     "optimizer",
	ir.SGD:                       "optimizer",
	ir.Lion:                      "optimizer",
	ir.Muon:                      "optimizer",
	ir.EMA:                       "optimizer",
}

// TestCoverage fails when a kind lacks a case, golden values or a gradient.
func TestCoverage(t *testing.T) {
	tried, differentiated := map[ir.Kind]bool{}, map[ir.Kind]bool{}
	names := map[string]bool{}
	for i := range cases {
		c := &cases[i]
		tried[c.kind] = true
		if names[c.String()] {
			t.Errorf("two cases are named %s", c)
		}
		names[c.String()] = true
	}
	for _, c := range gradientCases() {
		for _, k := range c.kinds {
			differentiated[k] = true
		}
	}
	for kind := ir.Invalid + 1; kind < ir.NumKinds; kind++ {
		if !tried[kind] {
			t.Errorf("%s has no case in cases_test.go", kind)
		}
		if len(golden(t, kind)) == 0 {
			t.Errorf("%s has no golden values; add it to scripts/golden/ops.py", kind)
		}
		if differentiated[kind] == (noGradient[kind] != "") {
			t.Errorf("%s: a gradient case is there: %t; reason for having none: %q", kind, differentiated[kind], noGradient[kind])
		}
	}
}

// TestOptionalArguments fails when an optional argument of a kind is never
// given, or never left out, by the cases.
func TestOptionalArguments(t *testing.T) {
	for kind := ir.Invalid + 1; kind < ir.NumKinds; kind++ {
		info := ir.Kinds[kind]
		check := func(what string, a ir.Arg, present func(c *opCase) bool) {
			if !a.Optional {
				return
			}
			var with, without bool
			for i := range cases {
				if c := &cases[i]; c.kind == kind {
					with, without = with || present(c), without || !present(c)
				}
			}
			if !with || !without {
				t.Errorf("%s: %s %q given by a case: %t, left out by a case: %t", kind, what, a.Name, with, without)
			}
		}
		for i, a := range info.In {
			check("input", a, func(c *opCase) bool { return !c.in[i].absent() })
		}
		for i, a := range info.Out {
			check("output", a, func(c *opCase) bool { return c.out[i] != nil })
		}
	}
}
