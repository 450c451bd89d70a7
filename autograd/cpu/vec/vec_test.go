package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

// near fails unless |got-want| ≤ tol·max(1, |want|) for all elements; infinities
// must match.
func near(t *testing.T, name string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	for i, w := range want {
		g := float64(got[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if d := math.Abs(g - w); !(d <= tol*math.Max(1, math.Abs(w))) {
			t.Fatalf("%s[%d] = %g, want %g (off by %g)", name, i, g, w, d)
		}
	}
}

// lengths are those at which loops change their path: nothing, tails, whole
// vectors, unrolled iterations.
var lengths = []int{0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 127, 257, 1000}

// random returns n normal floats that are not aligned to a vector.
func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n+3)
	for i := range x {
		x[i] = float32(2 * rng.NormFloat64())
	}
	return x[1 : n+1 : n+1]
}

func widen(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, e := range x {
		w[i] = float64(e)
	}
	return w
}

// each runs the test for every implementation and length.
func each(t *testing.T, f func(t *testing.T, v *Impl, n int, rng *rand.Rand)) {
	for _, v := range Available() {
		t.Run(v.Name(), func(t *testing.T) {
			for _, n := range lengths {
				f(t, v, n, rand.New(rand.NewPCG(7, uint64(n))))
			}
		})
	}
}
