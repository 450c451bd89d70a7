package nn

import (
	"slices"

	"gotrain/autograd"
	"gotrain/autograd/ir"
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
	// Exact counts the matrix products of the program and attention over the keys
	// that the mask leaves, backward twice as much as forward.
	Exact float64
	// Products is the number of parameters that are in matrix products.
	Products int64
}

// FLOPsPerToken counts for sequences of length tokens without document
// boundaries; it is zero for a length that the model does not build with.
func FLOPsPerToken(m LanguageModel, length int) FLOPs {
	g, loss, nll := Training(m, Rows{Batch: 1, Length: length}, autograd.LossConfig{})
	p, gradients, err := g.LowerTrain("flops", g.Grad(loss), autograd.GradTemp, nll)
	if err != nil {
		return FLOPs{}
	}
	var f FLOPs
	products, live := map[string]bool{}, map[*ir.Value]bool{}
	for _, v := range p.Outputs {
		live[v] = true
	}
	for _, gradient := range gradients {
		live[gradient.Grad] = true
	}
	for _, in := range slices.Backward(p.Instrs) {
		if !slices.ContainsFunc(in.Out, func(v *ir.Value) bool { return live[v] }) {
			continue
		}
		f.Exact += exactFLOPs(in, live)
		for _, v := range in.In {
			live[v] = v != nil
			if v != nil && v.Class == ir.State && len(v.Shape) == 2 && (in.Kind == ir.MatMul || in.Kind == ir.LinearCrossEntropy) {
				products[v.Name] = true
			}
		}
	}
	for _, param := range m.Params() {
		n := int64(param.Shape.Size())
		if products[param.State()] {
			f.Products += n
		}
		if products[param.State()] || len(param.Shape) == 1 {
			f.SixN += 6 * float64(n)
		}
	}
	f.Exact /= float64(length)
	return f
}

// exactFLOPs counts an instruction for its live results.
func exactFLOPs(in *ir.Instr, live map[*ir.Value]bool) float64 {
	switch in.Kind {
	case ir.MatMul:
		inner := in.In[0].Shape.Cols()
		if in.Attrs.(ir.MatMulAttrs).TransA {
			inner = in.In[0].Shape[len(in.In[0].Shape)-2]
		}
		return 2 * float64(in.Out[0].Shape.Size()) * float64(inner)
	case ir.LinearCrossEntropy:
		products := 1.0
		for _, gradient := range in.Out[2:4] {
			if live[gradient] {
				products++
			}
		}
		return products * 2 * float64(in.In[0].Shape.Size()) * float64(in.In[1].Shape[0])
	case ir.Attention, ir.AttentionBackward:
		a := in.Attrs.(ir.AttentionAttrs)
		forward := 4 * float64(a.Heads*a.HeadDim) * visibleKeys(in.In[0].Shape[0]/a.Batch, a.Window) * float64(in.In[0].Shape[0])
		if in.Kind == ir.AttentionBackward {
			return 2 * forward
		}
		return forward
	}
	return 0
}

// visibleKeys is the mean over t of min(t+1, window), t in [0, length).
func visibleKeys(length, window int) float64 {
	if window <= 0 || window > length {
		window = length
	}
	w, n := float64(window), float64(length)
	return (w*(w+1)/2 + (n-w)*w) / n
}
