package nn

// Size is what a model costs.
type Size struct {
	Params int64 // trainable numbers
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
// token; a multiplication with an addition counts as two, the backward pass as
// twice the forward pass. Recomputed activations do not count.
type FLOPs struct {
	// SixN is 6·(Params - Lookup) (Kaplan et al. 2020).
	SixN float64
	// Exact counts the matrix products, 6·Matmul, and attention over the keys
	// that the mask leaves: 12·Layers·H·hd·(mean visible keys).
	Exact float64
}

// FLOPsPerToken counts for sequences of length tokens without document
// boundaries.
func FLOPsPerToken(m Model, length int) FLOPs {
	c, s := m.Config(), SizeOf(m)
	attention := 12 * float64(c.Layers) * float64(c.Heads*c.HeadDim) * visibleKeys(length, c.SlidingWindow)
	return FLOPs{SixN: 6 * float64(s.Params-s.Lookup), Exact: 6*float64(s.Matmul) + attention}
}

// visibleKeys is the mean over t of min(t+1, window), t in [0, length).
func visibleKeys(length, window int) float64 {
	if window <= 0 || window > length {
		window = length
	}
	w, n := float64(window), float64(length)
	return (w*(w+1)/2 + (n-w)*w) / n
}
