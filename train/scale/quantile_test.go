package scale

import (
	"math"
	"testing"
)

// TestQuantiles: values between two lie on the line, the ends are the least and the most, as numpy has them.
func TestQuantiles(t *testing.T) {
	for _, test := range []struct {
		values  []float64
		q, want float64
	}{
		{[]float64{5}, 0, 5}, {[]float64{5}, 0.5, 5}, {[]float64{5}, 1, 5}, {[]float64{1, 3}, 0, 1}, {[]float64{1, 3}, 0.25, 1.5}, {[]float64{1, 3}, 1, 3}, {[]float64{1, 2, 4}, 0.5, 2}, {[]float64{1, 2, 4}, 0.75, 3}, {[]float64{1, 2, 4}, 1, 4},
		{[]float64{0, 10, 20, 30, 40}, 0.9, 36}, {[]float64{0, 10, 20, 30, 40}, 0.025, 1},
	} {
		if got := quantile(test.values, test.q); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("quantile %g of %v is %g, want %g", test.q, test.values, got, test.want)
		}
	}
	for x, want := range map[float64]float64{math.Inf(1): math.MaxFloat64, math.Inf(-1): -math.MaxFloat64, 2: 2} {
		if got := finite(x); got != want {
			t.Errorf("%g is %g", x, got)
		}
	}
}
