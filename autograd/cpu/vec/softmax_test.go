package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func softmaxReference(x []float32, scale float64) (p []float64, lse float64) {
	top := math.Inf(-1)
	for _, e := range x {
		top = math.Max(top, scale*float64(e))
	}
	var sum float64
	for _, e := range x {
		p = append(p, math.Exp(scale*float64(e)-top))
		sum += p[len(p)-1]
	}
	for i := range p {
		p[i] /= sum
	}
	return p, top + math.Log(sum)
}

func TestSoftmax(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		x, dy := random(rng, n), random(rng, n)
		for i := range x {
			x[i] = 1000 + 5*x[i] // overflows without the maximum
			if i%7 == 3 {
				x[i] = float32(math.Inf(-1))
			}
		}
		p, _ := softmaxReference(x, 0.7)
		_, lse := softmaxReference(x, 1)
		if n > 0 {
			near(t, "LogSumExp", []float32{v.LogSumExp(x)}, []float64{lse}, 1e-7)
		}
		y := make([]float32, n)
		v.Softmax(y, x, 0.7)
		near(t, "Softmax", y, p, 5e-7)
		v.Softmax(x, x, 0.7)
		equal(t, "Softmax in place", x, y)

		var dot float64
		for i := range p {
			dot += p[i] * float64(dy[i])
		}
		want := make([]float64, n)
		for i := range p {
			want[i] = 0.7 * p[i] * (float64(dy[i]) - dot)
		}
		v.SoftmaxBackward(dy, y, dy, 0.7)
		near(t, "SoftmaxBackward", dy, want, 1e-6)
	})
}

func TestLogSumExpEdges(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, v := range Available() {
		if got := v.LogSumExp(nil); got != -inf {
			t.Errorf("%s: of nothing %g", v.Name(), got)
		}
		if got := v.LogSumExp([]float32{-inf, -inf}); got != -inf {
			t.Errorf("%s: of -inf %g", v.Name(), got)
		}
		if got := v.LogSumExp([]float32{1, inf}); got != inf {
			t.Errorf("%s: of +inf %g", v.Name(), got)
		}
		if got := v.LogSumExp([]float32{1, float32(math.NaN()), 3}); got == got {
			t.Errorf("%s: of NaN %g", v.Name(), got)
		}
	}
}

func TestCrossEntropy(t *testing.T) {
	each(t, func(t *testing.T, v *Impl, n int, rng *rand.Rand) {
		if n == 0 {
			return
		}
		for _, options := range []Loss{{}, {Smoothing: 0.1}, {Smoothing: 0.2, ZLoss: 1e-2}} {
			z, target := random(rng, n), n/2
			smoothing, coef := float64(options.Smoothing), float64(options.ZLoss)
			p, lse := softmaxReference(z, 1)
			nll := lse - float64(z[target])
			var mean float64
			for _, e := range z {
				mean += float64(e) / float64(n)
			}
			loss := (1-smoothing)*nll + smoothing*(lse-mean) + coef*lse*lse
			want := make([]float64, n)
			for i := range p {
				want[i] = p[i]*(1+2*coef*lse) - smoothing/float64(n)
				if i == target {
					want[i] -= 1 - smoothing
				}
				want[i] *= 0.5
			}
			gotLoss, gotNLL, gotLSE := v.CrossEntropyBackward(z, target, options, 0.5)
			near(t, "loss", []float32{gotLoss, gotNLL, gotLSE}, []float64{loss, nll, lse}, 2e-6)
			near(t, "dz", z, want, 5e-7)
		}
	})
}
