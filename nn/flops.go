package nn

import "slices"

// Size is what a model costs.
type Size struct {
	Params    int64 // all numbers
	Trainable int64 // those that training changes
	// Lookup of them are tables that are only looked up in: positions, and
	// the token table unless it is the head too.
	Lookup int64
	// Matmul of them multiply every token: hidden matrices and the head.
	Matmul int64
}

// SizeOf counts the parameters of m.
func SizeOf(m Model) Size {
	c := m.Config()
	var s Size
	for _, p := range m.Params() {
		n := int64(p.Shape.Size())
		s.Params += n
		if !p.Frozen {
			s.Trainable += n
		}
		if p.Matrix {
			s.Matmul += n
		}
	}
	tokens := int64(c.Vocab) * int64(c.Width)
	s.Matmul += tokens // the head
	if !c.IsTied() {
		s.Lookup += tokens
	}
	if c.Positions == Learned {
		s.Lookup += int64(c.Context) * int64(c.Width)
	}
	return s
}

// FLOPs are floating-point operations of a forward and a backward pass per
// token; a multiplication with an addition counts as two. The backward pass is
// twice the forward pass where everything is trained: a product for the gradient
// of the weight and one for that of the input. Recomputed activations do not
// count.
type FLOPs struct {
	// SixN is 6·(Params - Lookup) (Kaplan et al. 2020), whatever is frozen.
	SixN float64
	// Exact counts the matrix products, 6·Matmul, and attention over the keys
	// that the mask leaves: 12·Layers·H·hd·(mean visible keys). Frozen weights
	// have no gradient, and nothing before the first trained parameter has one.
	Exact float64
}

// FLOPsPerToken counts for sequences of length tokens without document
// boundaries.
func FLOPsPerToken(m Model, length int) FLOPs {
	c, s := m.Config(), SizeOf(m)
	params := m.Params()
	first := slices.IndexFunc(params, func(p Param) bool { return !p.Frozen })
	// The head is the last parameter, or the token table, which is the first.
	head := len(params) - 1
	if c.IsTied() {
		head = 0
	}
	exact := productFLOPs(c.Vocab*c.Width, !params[head].Frozen, c.IsTied() || first < head)
	backward := map[int]bool{} // by block: whether a gradient passes through it
	for i, p := range params {
		if p.Matrix {
			exact += productFLOPs(p.Shape.Size(), !p.Frozen, first < i)
		}
		backward[p.Block] = backward[p.Block] || first <= i
	}
	keys := visibleKeys(length, c.SlidingWindow)
	for block := range c.Layers {
		passes := 1.0
		if backward[block] {
			passes = 3
		}
		exact += passes * 4 * float64(c.Heads*c.HeadDim) * keys
	}
	return FLOPs{SixN: 6 * float64(s.Params-s.Lookup), Exact: exact}
}

// productFLOPs counts the products of a weight with size elements: forward, for
// its own gradient, for that of its input.
func productFLOPs(size int, weight, input bool) float64 {
	products := 1
	for _, there := range []bool{weight, input} {
		if there {
			products++
		}
	}
	return 2 * float64(products) * float64(size)
}

// visibleKeys is the mean over t of min(t+1, window), t in [0, length).
func visibleKeys(length, window int) float64 {
	if window <= 0 || window > length {
		window = length
	}
	w, n := float64(window), float64(length)
	return (w*(w+1)/2 + (n-w)*w) / n
}
