package data

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPermutationIsBijective(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.Uint64Range(1, 5000).Draw(rt, "n")
		p := NewPermutation(n, rapid.Uint64().Draw(rt, "seed"), rapid.Uint64().Draw(rt, "stream"))
		seen := make([]bool, n)
		for i := range n {
			image := p.At(i)
			if image >= n || seen[image] {
				rt.Fatalf("%d ↦ %d, outside [0, %d) or taken", i, image, n)
			}
			seen[image] = true
		}
	})
}

// The inverse of each round exists, so the cipher of any width is injective; here on widths that cannot be enumerated.
func TestPermutationStaysInRange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.Uint64Min(1).Draw(rt, "n")
		i, j := rapid.Uint64Max(n-1).Draw(rt, "i"), rapid.Uint64Max(n-1).Draw(rt, "j")
		p := NewPermutation(n, 1, 2)
		if a, b := p.At(i), p.At(j); a >= n || b >= n || (a == b) != (i == j) {
			rt.Fatalf("n %d: %d ↦ %d, %d ↦ %d", n, i, a, j, b)
		}
	})
}

// Over many streams each index goes everywhere about equally often, also for the smallest domains.
func TestPermutationIsUniform(t *testing.T) {
	for _, n := range []uint64{2, 3, 5, 16, 37, 130} {
		const draws = 5_000
		counts := make([]int, n*n)
		for stream := range uint64(draws) {
			p := NewPermutation(n, 42, stream)
			for i := range n {
				counts[i*n+p.At(i)]++
			}
		}
		expected := float64(draws) / float64(n)
		chi2 := 0.0
		for _, count := range counts {
			chi2 += math.Pow(float64(count)-expected, 2) / expected
		}
		// Doubly stochastic counts have (n-1)² degrees of freedom; five standard deviations above the mean.
		freedom := math.Pow(float64(n-1), 2)
		if chi2 > freedom+5*math.Sqrt(2*freedom) {
			t.Errorf("n %d: χ² is %.1f with %.0f degrees of freedom", n, chi2, freedom)
		}
	}
}
