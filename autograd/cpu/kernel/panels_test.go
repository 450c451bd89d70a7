package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPanels compares products with panels that were laid out before with the definition,
// rows packed range by range, on every number of threads the same bits.
func TestPanels(t *testing.T) {
	for _, isa := range Supported() {
		rng := rand.New(rand.NewPCG(1, 2))
		for i, s := range [][3]int{{1, 1, 1}, {3, 40, 33}, {8, 48, 16}, {16, 512, 70}, {9, 65, 129}, {16, 96, 1700}, {5, 17, 800}, {24, 100, 2048}} {
			for variant := range 4 {
				a := Args{M: s[0], N: s[1], K: s[2], TransB: variant&1 != 0, BF16: variant&2 != 0}
				p := newProduct(rng, a, i%2*5, i%3 != 0, variant != 0)
				before := slices.Clone(p.C)
				var first []float32
				for _, threads := range []int{1, 2, 3} {
					pool := NewPool(threads)
					g := NewGEMM(pool, isa)
					panels := g.NewPanels(p.N, p.K, p.BF16, make([]float32, g.PanelFloats(p.N, p.K, p.BF16)))
					for panel := range panels.Count() {
						g.PackPanel(&panels, panel, p.B, p.LDB, p.TransB)
					}
					rows := make([]float32, g.RowFloats(p.M, p.K, p.BF16))
					for from := 0; from < p.K; from += 48 {
						g.PackRows(rows, p.A, p.LDA, p.M, p.K, from, min(p.K, from+48), p.BF16)
					}
					copy(p.C, before)
					pool.For(panels.Count(), func(panel, worker int) { g.MulPanel(worker, &p.Args, rows, &panels, panel) })
					pool.Close()
					if err := p.check(before); err != nil {
						t.Errorf("%v, %d threads: %v: %v", isa, threads, p, err)
					}
					if first == nil {
						first = slices.Clone(p.C)
					} else if !slices.Equal(first, p.C) {
						t.Errorf("%v: %v: %d threads give another result than 1", isa, p, threads)
					}
				}
			}
		}
	}
}
