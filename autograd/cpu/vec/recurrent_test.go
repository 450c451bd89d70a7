package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLSTM compares a step with its formulas, and its gradient with differences of them.
func TestLSTM(t *testing.T) {
	step := func(x []float64) (gates [4]float64, c, h float64) {
		gates = [4]float64{sigmoid(x[0]), sigmoid(x[1]), math.Tanh(x[2]), sigmoid(x[3])}
		c = gates[1]*x[4] + gates[0]*gates[2]
		return gates, c, gates[3] * math.Tanh(c)
	}
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		var x [5][]float32 // i, f, n, o and c before
		for k := range x {
			x[k] = random(rng, n)
		}
		before, h := slices.Clone(x[4]), make([]float32, n)
		dh, dc := random(rng, n), random(rng, n)
		var want, slopes [6][]float64 // i, f, n, o, c, h
		for k := range n {
			at := []float64{float64(x[0][k]), float64(x[1][k]), float64(x[2][k]), float64(x[3][k]), float64(x[4][k])}
			gates, c, y := step(at)
			for j, e := range append(gates[:], c, y) {
				want[j] = append(want[j], e)
			}
			for j, e := range difference(at, func(x []float64) float64 {
				_, c, h := step(x)
				return h*float64(dh[k]) + c*float64(dc[k])
			}) {
				slopes[j] = append(slopes[j], e)
			}
		}
		v.LSTM(x[0], x[1], x[2], x[3], x[4], h)
		for j, name := range []string{"i", "f", "n", "o", "c"} {
			near(t, name, x[j], want[j], 5e-7)
		}
		near(t, "h", h, want[5], 5e-7)
		v.LSTMBackward(x[0], x[1], x[2], x[3], x[4], before, dh, dc)
		for j, name := range []string{"di", "df", "dn", "do"} {
			near(t, name, x[j], slopes[j], 2e-6)
		}
		near(t, "dc", dc, slopes[4], 2e-6)
	})
}

// TestGRU is TestLSTM for the other unit.
func TestGRU(t *testing.T) {
	step := func(x []float64) (gates [3]float64, h float64) { // x: r, z, x, q, h before
		gates = [3]float64{sigmoid(x[0]), sigmoid(x[1])}
		gates[2] = math.Tanh(x[2] + gates[0]*x[3])
		return gates, (1-gates[1])*gates[2] + gates[1]*x[4]
	}
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		var x [5][]float32
		for k := range x {
			x[k] = random(rng, n)
		}
		before, dh, dq := slices.Clone(x[4]), random(rng, n), make([]float32, n)
		var want, slopes [5][]float64
		for k := range n {
			at := []float64{float64(x[0][k]), float64(x[1][k]), float64(x[2][k]), float64(x[3][k]), float64(x[4][k])}
			gates, y := step(at)
			for j, e := range append(gates[:], y) {
				want[j] = append(want[j], e)
			}
			for j, e := range difference(at, func(x []float64) float64 { _, h := step(x); return h * float64(dh[k]) }) {
				slopes[j] = append(slopes[j], e)
			}
			// What h gives directly; the rest comes through the gates.
			slopes[4][k] = gates[1] * float64(dh[k])
		}
		apart, r, z, h := make([]float32, n), slices.Clone(x[0]), slices.Clone(x[1]), slices.Clone(x[4])
		v.GRU(r, z, apart, x[2], x[3], h)
		v.GRU(x[0], x[1], x[2], x[2], x[3], x[4])
		equal(t, "n in place", x[2], apart)
		for j, name := range []string{"r", "z", "n"} {
			near(t, name, x[j], want[j], 5e-7)
		}
		near(t, "h", x[4], want[3], 5e-7)
		v.GRUBackward(x[0], x[1], x[2], x[3], before, dh, dq)
		for j, name := range []string{"dr", "dz", "dn"} {
			near(t, name, x[j], slopes[j], 2e-6)
		}
		near(t, "dq", dq, slopes[3], 2e-6)
		near(t, "dh", dh, slopes[4], 2e-6)
	})
}

// difference returns the slopes of f at x.
func difference(x []float64, f func(x []float64) float64) []float64 {
	const h = 1e-4
	slopes := make([]float64, len(x))
	for i, e := range x {
		x[i] = e + h
		up := f(x)
		x[i] = e - h
		slopes[i] = (up - f(x)) / (2 * h)
		x[i] = e
	}
	return slopes
}
