package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

// Minimax polynomials by iteratively reweighted least squares of the relative
// error; errors are those of the exact polynomial.
var (
	// (eʳ-1-r)/r² on |r| ≤ ln2/2: 3.1e-9.
	expCoefficients = []float64{0.49999994, 0.1666652, 0.041668393, 0.008368756, 0.0013814517}
	// (2ᶠ-1)/f on [0, 1): 2.0e-9.
	exp2Coefficients = []float64{0.69314706, 0.2402293, 0.05548528, 0.009675452, 0.0012467845, 0.00021612921}
	// (2ᶠ-1)/f on |f| ≤ 1/2: 2.0e-9.
	exp2NearCoefficients = []float64{0.6931472, 0.24022648, 0.055503324, 0.009618437, 0.0013398875, 0.00015353362}
	// (ln(1+f) - f + f²/2)/f³ on √½ ≤ 1+f < √2 (Cephes).
	logCoefficients = []float64{3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1,
		1.4249322787e-1, -1.2420140846e-1, 1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2}
	// erfc(a/√2)/2·exp(a²/2)/t with t = 1/(1+0.26a), a ≥ 0: 1.9e-8.
	millsCoefficients = []float64{0.10376364, 0.10294127, 0.10355448, 0.04902252, 0.16557505,
		-0.15755787, 0.25720838, -0.1555733, 0.03106583}
	// tanh(x)/x - 1 over x² in x², |x| < 0.625 (Cephes).
	tanhCoefficients = []float64{-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3}
)

const millsScale = 0.26

// ln2High is the first 15 bits of ln 2: its products with exponents are exact.
// It is below ln 2, so that both parts have the same sign and an infinite
// exponent gives no NaN.
const ln2High = 0.693145751953125

// exp returns eˣ. The argument is reduced to |r| ≤ ln2/2 by Cody and Waite's
// two-part ln 2.
func (g *gen) exp(x vec) vec {
	x = g.min(g.in(g.c(89)), x) // overflows; NaN passes
	x = g.max(g.in(g.c(-104)), x)
	n := g.round(g.mul(x, g.c(math.Log2E)))
	r := g.fnma(n, g.c(ln2High), x)
	r = g.fnma(n, g.c(math.Ln2-ln2High), r)
	p := g.polynomial(r, append([]float64{1, 1}, expCoefficients...)...)
	if g.lanes == 16 {
		return g.scalef(p, n)
	}
	// 2ⁿ in two factors: n may be beyond the exponent's range.
	i, half := g.vec(), g.vec()
	g.VCVTPS2DQ(n, i)
	g.VPSRAD(operand.U8(1), i, half)
	g.VPSUBD(half, i, i)
	return g.mul(g.mul(p, g.power(half)), g.power(i))
}

// expNegative returns eˣ = 2^(x·log₂e) for x ≤ 0 with an absolute error of 1e-7,
// in fewer operations than exp: the relative error grows by the rounding of the
// product, 6e-8·|x|, but where |x| is large the result is small.
func (g *gen) expNegative(x vec) vec { return g.exp2(g.mul(x, g.c(math.Log2E))) }

// scalef returns p·2^floor(n).
func (g *gen) scalef(p, n vec) vec {
	r := g.vec()
	g.VSCALEFPS(n, p, r)
	return r
}

// power returns 2ⁱ for integers -127 ≤ i ≤ 127; 0 for -127.
func (g *gen) power(i vec) vec {
	r := g.vec()
	g.VPADDD(g.word(127), i, r)
	g.VPSLLD(operand.U8(23), r, r)
	return r
}

// exp2 returns 2ˣ for x < 127; -inf gives 0. AVX2 flushes results below 2⁻¹²⁶
// to 0.
func (g *gen) exp2(x vec) vec {
	if g.lanes == 16 {
		f := g.vec()
		g.VREDUCEPS(operand.U8(9), x, f) // x - floor(x); 0 for infinities
		p := g.polynomial(f, append([]float64{1}, exp2Coefficients...)...)
		return g.scalef(p, x)
	}
	x = g.max(g.in(g.c(-127)), x)
	n := g.round(x)
	p := g.polynomial(g.sub(x, n), append([]float64{1}, exp2NearCoefficients...)...)
	i := g.vec()
	g.VCVTPS2DQ(n, i)
	return g.mul(p, g.power(i))
}

// log returns ln x: x = m·2ᵉ with √½ ≤ m < √2, then Cephes' polynomial in m-1.
func (g *gen) log(x vec) vec {
	m, e := g.mantissa(x)
	small := g.cmp(less, m, g.c(math.Sqrt2))
	m = g.choose(small, m, g.mul(m, g.c(0.5)))
	e = g.choose(small, e, g.add(e, g.c(1)))
	f := g.sub(m, g.c(1))
	s := g.mul(f, f)
	p := g.mul(g.mul(g.polynomial(f, logCoefficients...), f), s)
	p = g.fma(e, g.c(math.Ln2-ln2High), p)
	p = g.fnma(s, g.c(0.5), p)
	return g.fma(e, g.c(ln2High), g.add(f, p))
}

// mantissa returns 1 ≤ m < 2 and the exponent e of x = m·2ᵉ. 0 gives an e of
// -inf, infinity one of +inf, negative numbers and NaN an m of NaN.
func (g *gen) mantissa(x vec) (m, e vec) {
	m, e = g.vec(), g.vec()
	if g.lanes == 16 {
		g.VGETMANTPS(operand.U8(8), x, m)
		g.VGETEXPPS(x, e)
		return m, e
	}
	tiny := g.cmp(less, x, g.c(0x1p-126))
	normal := g.choose(tiny, g.mul(x, g.c(0x1p23)), x)
	g.VPSRLD(operand.U8(23), normal, e)
	g.VPSUBD(g.word(127), e, e)
	g.VCVTDQ2PS(e, e)
	e = g.choose(tiny, g.sub(e, g.c(23)), e)
	m = g.or(g.and(normal, g.word(0x007fffff)), g.c(1))
	infinite := g.cmp(equal, x, g.c(math.Inf(1)))
	e = g.choose(infinite, g.c(math.Inf(1)), e)
	e = g.choose(g.cmp(equal, x, g.c(0)), g.c(math.Inf(-1)), e)
	bad := g.cmp(notGreaterEqual, x, g.c(0))
	return g.choose(bad, g.c(math.NaN()), m), e
}

// sigmoid returns 1/(1+e⁻ˣ).
func (g *gen) sigmoid(x vec) vec {
	s, _ := g.sigmoidParts(x, false)
	return s
}

// sigmoidAndSlope returns s = σ(x) and s·(1-s), without cancellation.
func (g *gen) sigmoidAndSlope(x vec) (s, slope vec) { return g.sigmoidParts(x, true) }

// A division costs less here than VRCP14PS with a Newton step (5 to 10% on Zen 4),
// and unlike that gives the same bits on every processor.
//
// sigmoidParts works on e = exp(-|x|) and r = 1/(1+e): σ(x) is r for x ≥ 0 and
// e·r for x < 0, its slope e·r² for both.
func (g *gen) sigmoidParts(x vec, wantSlope bool) (s, slope vec) {
	e := g.expNegative(g.or(x, g.word(1<<31)))
	r := g.div(g.in(g.c(1)), g.add(e, g.c(1)))
	er := g.mul(e, r)
	s = g.choose(g.cmp(less, x, g.c(0)), er, r)
	if wantSlope {
		slope = g.mul(er, r)
	}
	return s, slope
}

// tanh returns tanh x: odd polynomial near 0, (1-e)/(1+e) with e = exp(-2|x|)
// elsewhere.
func (g *gen) tanh(x vec) vec {
	e := g.expNegative(g.mul(g.abs(x), g.c(-2)))
	one := g.in(g.c(1))
	far := g.div(g.sub(one, e), g.add(one, e))
	far = g.or(far, g.and(x, g.word(1<<31)))
	s := g.mul(x, x)
	near := g.fma(g.mul(g.polynomial(s, tanhCoefficients...), s), x, x)
	return g.choose(g.cmp(less, g.abs(x), g.c(0.625)), near, far)
}

// erf returns the error function; N. Juffa's polynomials, below 1 ulp in theory.
func (g *gen) erf(x vec) vec {
	t := g.min(g.in(g.c(4)), g.abs(x)) // erf(4) rounds to 1
	s := g.mul(t, t)
	r := g.polynomial(t, 3.83197126e-4, -1.72853470e-5)
	u := g.polynomial(t, 2.42546219e-2, -3.88396438e-3)
	r = g.fma(r, s, u)
	for _, c := range []float64{-1.06777877e-1, -6.34846687e-1, -1.28717512e-1} {
		g.VFMADD213PS(g.c(c), t, r)
	}
	r = g.fma(r, t, g.xor(t, g.word(1<<31)))
	far := g.sub(g.in(g.c(1)), g.expNegative(r))
	far = g.or(far, g.and(x, g.word(1<<31)))
	near := g.polynomial(s, 1.28379166e-1, -3.76125336e-1, 1.12819925e-1, -2.67681349e-2, 4.99119423e-3, -5.96761703e-4)
	near = g.fma(near, x, x)
	return g.choose(g.cmp(less, t, g.c(0.927734375)), near, far)
}

// normalTail returns q = Φ(-a) for a = |x| and e = exp(-a²/2): a rational
// function times e, so that the tail keeps its relative precision.
func (g *gen) normalTail(a vec) (q, e vec) {
	one := g.in(g.c(1))
	t := g.div(one, g.fma(a, g.c(millsScale), one))
	e = g.expNegative(g.mul(g.mul(a, a), g.c(-0.5)))
	p := g.mul(g.polynomial(t, millsCoefficients...), t)
	return g.mul(p, e), e
}
