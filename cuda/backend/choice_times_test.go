package backend

import "testing"

// TestFastest keeps the first way unless another is faster by more than noise.
func TestFastest(t *testing.T) {
	for _, c := range []struct {
		ms   []float64
		want int
	}{
		{[]float64{1}, 0}, {[]float64{1, 0.99}, 0}, {[]float64{1, 0.97}, 1}, {[]float64{2, 1.5, 1, 1.2}, 2}, {[]float64{1, 3, 2}, 0}, {[]float64{1, 0.5, 0.5}, 1},
	} {
		if got := fastest(c.ms); got != c.want {
			t.Errorf("of %v way %d, want %d", c.ms, got, c.want)
		}
	}
}
