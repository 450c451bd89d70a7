package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestReductions(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		x, y := random(rng, n), random(rng, n)
		var sum, dot, squares float64
		top, topAbs := math.Inf(-1), 0.0
		for i, e := range widen(x) {
			sum += e
			dot += e * float64(y[i])
			squares += e * e
			top, topAbs = math.Max(top, e), math.Max(topAbs, math.Abs(e))
		}
		for _, c := range []struct {
			name      string
			got, want float64
		}{
			{"Sum", v.Sum(x), sum}, {"Dot", v.Dot(x, y), dot}, {"SumSquares", v.SumSquares(x), squares},
			{"Max", float64(v.Max(x)), top}, {"MaxAbs", float64(v.MaxAbs(x)), topAbs},
		} {
			if c.got != c.want && !(math.Abs(c.got-c.want) <= 1e-11*float64(n)) {
				t.Errorf("%s of %d elements is %g, want %g", c.name, n, c.got, c.want)
			}
		}
	})
}

// TestSumIsAccurate adds up numbers that float32 would lose.
func TestSumIsAccurate(t *testing.T) {
	x := make([]float32, 1<<18)
	for i := range x {
		x[i] = 1e-4
	}
	x[0] = 1e6
	want := 1e6 + float64(float32(1e-4))*float64(len(x)-1)
	for _, v := range Available() {
		if got := v.Sum(x); math.Abs(got-want) > 1e-4 {
			t.Errorf("%s: %v, want %v", v.Name(), got, want)
		}
	}
}

func TestAllFinite(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		x := random(rng, n)
		if n > 0 {
			x[0] = math.MaxFloat32
		}
		if !v.AllFinite(x) {
			t.Fatalf("%d finite elements are called infinite", n)
		}
		for _, bad := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
			for i := range x {
				old := x[i]
				x[i] = float32(bad)
				if v.AllFinite(x) {
					t.Fatalf("%g at %d of %d not found", bad, i, n)
				}
				x[i] = old
			}
		}
	})
}

func TestColumnSum(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		for _, rows := range []int{0, 1, 7, 8, 21} {
			x, old := random(rng, rows*n), random(rng, n)
			want, added := make([]float64, n), widen(old)
			for i, e := range x {
				want[i%n] += float64(e)
				added[i%n] += float64(e)
			}
			got := random(rng, n)
			v.ColumnSum(got, x, false)
			near(t, "ColumnSum", got, want, 1e-5)
			copy(got, old)
			v.ColumnSum(got, x, true)
			near(t, "ColumnSum +=", got, added, 1e-5)
		}
	})
}
