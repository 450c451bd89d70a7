package nn

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Size is how many numbers a model has.
type Size struct {
	Params    int64 // all of them
	Trainable int64 // those that training changes
}

// SizeOf counts the parameters of m.
func SizeOf(m Model) Size {
	var s Size
	for _, p := range m.Params() {
		n := int64(p.Shape.Size())
		s.Params += n
		if !p.Frozen {
			s.Trainable += n
		}
	}
	return s
}

// FLOPs are floating-point operations of a forward and a backward pass per
// token; a multiplication with an addition counts as two. Recomputed activations
// do not count.
type FLOPs struct {
	// SixN is 6·(parameters without tables that are only looked up in) (Kaplan et
	// al. 2020), whatever is frozen.
	SixN float64
	// Exact is ir.Program.ModelFLOPs of a training step.
	Exact float64
	// Products is the number of parameters that are in matrix products.
	Products int64
}

// FLOPsPerToken counts for sequences of length tokens without document
// boundaries; it is zero for a length that the model does not build with.
func FLOPsPerToken(m LanguageModel, length int) FLOPs {
	g := autograd.NewGraph()
	loss, nll := Training(g, m, Rows{Batch: 1, Length: length}, autograd.LossConfig{})
	p, _, err := g.LowerTrain("flops", g.Grad(loss), autograd.GradStore, nll)
	if err != nil {
		return FLOPs{}
	}
	return FLOPsOf(p, m.Params(), length)
}

// FLOPsOf counts a program of forward and backward pass over units samples, as
// LowerTrain left it, by the unit.
func FLOPsOf(p *ir.Program, params []Param, units int) FLOPs {
	p.Prune()
	f := FLOPs{Exact: p.ModelFLOPs() / float64(units)}
	products := map[string]bool{}
	for _, in := range p.Instrs {
		if _, ok := in.Attrs.(ir.Products); !ok {
			continue
		}
		for _, v := range in.In {
			if v != nil && v.Class == ir.State && len(v.Shape) == 2 {
				products[v.Name] = true
			}
		}
	}
	for _, param := range params {
		n := int64(param.Shape.Size())
		if products[param.State()] {
			f.Products += n
		}
		if products[param.State()] || len(param.Shape) == 1 {
			f.SixN += 6 * float64(n)
		}
	}
	return f
}
