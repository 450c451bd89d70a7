package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

const normRows = 3

// normReference computes both norms and their gradients in float64; RMSNorm is
// the one without b.
func normReference(x, w, b, dy []float32, eps float64) (y, mean, rstd, dx, dw, db []float64) {
	d := len(w)
	y, dx = make([]float64, len(x)), make([]float64, len(x))
	dw, db = make([]float64, d), make([]float64, d)
	for r := range normRows {
		var mu, variance float64
		row := widen(x[r*d:][:d])
		if b != nil {
			for _, e := range row {
				mu += e / float64(d)
			}
		}
		for _, e := range row {
			variance += (e - mu) * (e - mu) / float64(d)
		}
		rs := 1 / math.Sqrt(variance+eps)
		mean, rstd = append(mean, mu), append(rstd, rs)
		var sumG, sumGN float64
		for i, e := range row {
			n, g := (e-mu)*rs, float64(dy[r*d+i])
			y[r*d+i] = n * float64(w[i])
			if b != nil {
				y[r*d+i] += float64(b[i])
			}
			dw[i] += g * n
			db[i] += g
			sumG += g * float64(w[i])
			sumGN += g * float64(w[i]) * n
		}
		for i, e := range row {
			n, g := (e-mu)*rs, float64(dy[r*d+i])*float64(w[i])
			dx[r*d+i] = rs * (g - n*sumGN/float64(d))
			if b != nil {
				dx[r*d+i] -= rs * sumG / float64(d)
			}
		}
	}
	return y, mean, rstd, dx, dw, db
}

func plus(x []float64, y []float32) []float64 {
	sum := make([]float64, len(x))
	for i := range x {
		sum[i] = x[i] + float64(y[i])
	}
	return sum
}

func TestLayerNorm(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		if n < 3 {
			return // the variance may vanish
		}
		x, w, b, dy := random(rng, normRows*n), random(rng, n), random(rng, n), random(rng, normRows*n)
		addend, dw, db := random(rng, normRows*n), random(rng, n), random(rng, n)
		y, mean, rstd, dx, wantDW, wantDB := normReference(x, w, b, dy, 1e-5)
		wantDW, wantDB = plus(wantDW, dw), plus(wantDB, db)

		got, gotMean, gotRstd := make([]float32, normRows*n), make([]float32, normRows), make([]float32, normRows)
		v.LayerNorm(got, gotMean, gotRstd, x, w, b, 1e-5)
		near(t, "y", got, y, 5e-6)
		near(t, "mean", gotMean, mean, 1e-6)
		near(t, "rstd", gotRstd, rstd, 1e-6)

		grad := make([]float32, normRows*n)
		v.LayerNormBackward(grad, dw, db, x, w, gotMean, gotRstd, dy, nil)
		near(t, "dx", grad, dx, 2e-5)
		near(t, "dw", dw, wantDW, 1e-5)
		near(t, "db", db, wantDB, 1e-5)
		v.LayerNormBackward(grad, nil, nil, x, w, gotMean, gotRstd, dy, addend)
		near(t, "dx + addend", grad, plus(dx, addend), 2e-5)
		want := append([]float32{}, grad...)
		v.LayerNormBackward(addend, nil, db, x, w, gotMean, gotRstd, dy, addend)
		equal(t, "dx += ", addend, want)

		zero := make([]float32, n)
		v.LayerNorm(got, gotMean, gotRstd, x, w, zero, 1e-5)
		want = append(want[:0], got...)
		v.LayerNorm(x, gotMean, gotRstd, x, w, nil, 1e-5)
		equal(t, "no bias, in place", x, want)
	})
}

func TestRMSNorm(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		if n == 0 {
			return
		}
		x, w, dy := random(rng, normRows*n), random(rng, n), random(rng, normRows*n)
		addend, dw := random(rng, normRows*n), random(rng, n)
		y, _, rstd, dx, wantDW, _ := normReference(x, w, nil, dy, 1e-6)
		wantDW = plus(wantDW, dw)
		got, gotRstd := make([]float32, normRows*n), make([]float32, normRows)
		v.RMSNorm(got, gotRstd, x, w, 1e-6)
		near(t, "y", got, y, 2e-6)
		near(t, "rstd", gotRstd, rstd, 1e-6)
		v.RMSNormBackward(dy, dw, x, w, gotRstd, dy, addend)
		near(t, "dx", dy, plus(dx, addend), 2e-5)
		near(t, "dw", dw, wantDW, 1e-5)
		want := append([]float32{}, got...)
		v.RMSNorm(x, gotRstd, x, w, 1e-6)
		equal(t, "in place", x, want)
	})
}

// TestNormOfLargeMean needs the two-pass variance: E[x²]-E[x]² would cancel.
func TestNormOfLargeMean(t *testing.T) {
	for _, v := range Available() {
		x := []float32{10000, 10001, 10002, 10003}
		w := []float32{1, 1, 1, 1}
		mean, rstd := make([]float32, 1), make([]float32, 1)
		v.LayerNorm(x, mean, rstd, x, w, nil, 0)
		near(t, v.Name(), rstd, []float64{1 / math.Sqrt(1.25)}, 1e-6)
	}
}
