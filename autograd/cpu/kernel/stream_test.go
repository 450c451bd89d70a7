package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Products of few rows, whose B is read in place, have the bits of the same rows in a product
// of many, whose B is packed: with borders of panels, several blocks of K and what is added.
func TestStreamHasTheBitsOfPackedPanels(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 7))
	for isa, g := range newGEMMs(t, 2) {
		width := g.float.width
		for i, s := range [][3]int{
			{5, 64, 32}, {8, 67, 384}, {8, 640, 1000}, {13, 300, 385}, {16, 257, 768}, {17, 129, 77},
			{24, 1031, 400}, {33, 50, 1536}, {48, 90, 31}, {16, 300, 4300}, {7, 49, 1}, {16, 72, 8500},
			{8, 96, 300}, {16, 257, 768}, {48, 500, 400},
		} {
			few := newProduct(rng, Args{M: s[0], N: s[1], K: s[2], TransB: i < 12, Accumulate: i%3 == 1}, i%2*5, i%3 == 2, i%4 < 2)
			many := few.Args
			many.M = width + 40
			many.A = grown(few.A, (many.M-1)*few.LDA+s[2])
			many.C = grown(few.C, (many.M-1)*few.LDC+s[1])
			if few.Residual != nil {
				many.Residual = grown(few.Residual, (many.M-1)*few.LDR+s[1])
			}
			before := slices.Clone(few.C)
			g.Mul(&many)
			g.Mul(&few.Args)
			if err := few.check(before); err != nil {
				t.Errorf("%v: %v: %v", isa, few, err)
			}
			for m := range s[0] {
				if !slices.Equal(few.C[m*few.LDC:][:s[1]], many.C[m*few.LDC:][:s[1]]) {
					t.Errorf("%v: %v: row %d differs from that of a product of %d rows", isa, few, m, many.M)
					break
				}
			}
		}
	}
}

// grown is a copy of p with zeros up to n elements.
func grown(p []float32, n int) []float32 {
	return append(slices.Clone(p), make([]float32, n-len(p))...)
}
