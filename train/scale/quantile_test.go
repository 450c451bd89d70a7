package scale

import (
	"math"
	"math/rand/v2"
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

// TestSolve3 solves equations of which the solution is known, with pivots that are negative, zero and small.
func TestSolve3(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for range 2000 {
		var a [3][3]float64
		var want, b [3]float64
		for i := range 3 {
			want[i] = float64(r.IntN(19) - 9)
			for j := range 3 {
				a[i][j] = float64(r.IntN(7) - 3)
			}
		}
		if r.IntN(3) == 0 {
			a[0][0] *= 1e-13
		}
		for i := range 3 {
			for j := range 3 {
				b[i] += a[i][j] * want[j]
			}
		}
		det := a[0][0]*(a[1][1]*a[2][2]-a[1][2]*a[2][1]) - a[0][1]*(a[1][0]*a[2][2]-a[1][2]*a[2][0]) + a[0][2]*(a[1][0]*a[2][1]-a[1][1]*a[2][0])
		if math.Abs(det) < 0.5 || math.Abs(a[0][0])+math.Abs(a[2][2]) < 0.5 {
			continue
		}
		got, ok := solve3(a, b)
		for i := range 3 {
			if !ok || math.Abs(got[i]-want[i]) > 1e-9 {
				t.Fatalf("%v · x = %v: %v, %t; want %v", a, b, got, ok, want)
			}
		}
	}
	for _, a := range [][3][3]float64{{{1, 2, 3}, {2, 4, 6}, {1, 1, 1}}, {}, {{1, 0, 0}, {0, 0, 0}, {0, 0, 1}}} {
		if x, ok := solve3(a, [3]float64{1, 2, 3}); ok {
			t.Errorf("%v has the solution %v", a, x)
		}
	}
}
