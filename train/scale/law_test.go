package scale_test

import (
	"math"
	"strings"
	"testing"

	"example.com/gotrain/train/scale"
)

func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Abs(want)) {
		t.Errorf("%s is %.9g, want %.9g", name, got, want)
	}
}

// TestPlanner compares optima of the published laws with figures that were computed with
// their published coefficients.
func TestPlanner(t *testing.T) {
	const half = 5e-6 // relative: five digits
	for _, c := range []struct {
		law                  scale.Law
		c, n, d, ratio, loss float64
	}{
		{scale.Chinchilla, 1e21, 2.7821e9, 5.9906e10, 0, 2.304800},
		{scale.Chinchilla, 5.76e23, 7.2356e10, 1.3268e12, 18.3365, 1.973963},
		{scale.Hoffmann, 5.76e23, 0, 0, 58.93, 0},
		{scale.HoffmannRounded, 5.76e23, 0, 0, 92.65, 0},
	} {
		n, d := c.law.Optimal(c.c)
		if c.n > 0 {
			near(t, "N", n, c.n, 4*half)
			near(t, "D", d, c.d, 8*half) // printed with five digits, of which the first is 1
			near(t, "L", c.law.Loss(n, d), c.loss, half/10)
		}
		if c.ratio > 0 {
			near(t, "D/N", d/n, c.ratio, 5e-5)
		}
		near(t, "6·N·D", 6*n*d, c.c, 1e-12)
		near(t, "tokens for N", c.law.Tokens(n), d, 1e-9)
		for _, other := range []float64{.9, 1.1} {
			if c.law.Loss(n*other, d/other) <= c.law.Loss(n, d) {
				t.Errorf("%+v: %g times the optimal N is better", c.law, other)
			}
		}
	}
	near(t, "L(70e9, 1.4e12)", scale.Chinchilla.Loss(70e9, 1.4e12), 1.973405, half/10)
	near(t, "L(N) of Kaplan", scale.KaplanPublished.N.At(1e9), 2.3756, 2e-5)
	near(t, "L(D) of Kaplan", scale.KaplanPublished.D.At(1e10), 2.2624, 2e-5)
	near(t, "L(N, ∞) of Kaplan", scale.KaplanPublished.Loss(1e9, 1e300), 2.3756, 2e-5)
	near(t, "L(∞, D) of Kaplan", scale.KaplanPublished.Loss(1e300, 1e10), 2.2624, 2e-5)
	near(t, "L(C) of Kaplan", scale.KaplanPublished.C.At(3.1e8*scale.PFDay), 1, 1e-12)
}

func TestPublished(t *testing.T) {
	for _, name := range scale.PublishedNames() {
		if law, err := scale.Published(name); err != nil || law.E == 0 {
			t.Errorf("%s: %+v, %v", name, law, err)
		}
	}
	if _, err := scale.Published("x"); err == nil || !strings.Contains(err.Error(), "chinchilla, hoffmann, hoffmann-rounded") {
		t.Errorf("%v", err)
	}
}
