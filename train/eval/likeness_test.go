package eval

import (
	"math"
	"testing"
)

// TestLikeness compares with numpy: covariances by cov, the trace of the root by eigenvalues of the
// product, kernels and neighbours by hand.
func TestLikeness(t *testing.T) {
	features := func(n int, a float64) (x []float32) {
		for i := range n {
			for k := range 3 {
				x = append(x, float32(float64(float32(math.Sin(a*float64(i*3+k*7+1))))+0.1*float64(k)*math.Cos(float64(i)*a)))
			}
		}
		return x
	}
	x, y := features(9, 1.3), features(11, 0.7)
	got, err := NewLikeness(x, y, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, pair := range [][2]float64{{got.FID, 1.8732209104818875}, {got.KID, 0.5030906266537234}, {got.Precision, 8. / 9}, {got.Recall, 9. / 11}} {
		if math.Abs(pair[0]-pair[1]) > 1e-5 {
			t.Errorf("number %d is %.9g, want %.9g", i, pair[0], pair[1])
		}
	}
	same, err := NewLikeness(x, x, 3)
	if err != nil || math.Abs(same.FID) > 1e-6 || same.Precision != 1 || same.Recall != 1 {
		t.Errorf("pictures and themselves: %+v, %v", same, err)
	}
	if _, err := NewLikeness(x[:9], y, 3); err == nil {
		t.Error("three pictures are compared")
	}
	if _, err := NewLikeness(append([]float32{float32(math.NaN())}, x[1:]...), y, 3); err == nil {
		t.Error("what is not a number is compared")
	}
}
