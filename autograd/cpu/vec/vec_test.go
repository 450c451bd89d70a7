package vec

import (
	"math"
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
