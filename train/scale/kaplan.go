package scale

import "math"

// Power is L(x) = (Scale/x)^Exponent.
type Power struct {
	Exponent float64 `json:"exponent"`
	Scale    float64 `json:"scale"`
}

// At is the loss at x.
func (p Power) At(x float64) float64 { return math.Pow(p.Scale/x, p.Exponent) }

// PFDay is a day of 10^15 floating-point operations a second.
const PFDay = 86400e15

// Kaplan are the laws of Kaplan et al. 2020: of N parameters on tokens without end, of D
// tokens with parameters without end, of C floating-point operations spent best; and
// L(N, D) = [(Nc/N)^(αN/αD) + Dc/D]^αD, of which the first two are limits. They are zero
// where points do not show them.
type Kaplan struct {
	N Power `json:"n"`
	D Power `json:"d"`
	// C is fitted to the envelope of the runs; zero without one. Its unit is a
	// floating-point operation, where the paper's is PFDay.
	C         Power   `json:"c"`
	Objective float64 `json:"objective"` // of L(N, D), as that of Parametric
}

// KaplanPublished are the coefficients of Kaplan et al. 2020, whose N counts no embeddings.
var KaplanPublished = Kaplan{N: Power{.076, 8.8e13}, D: Power{.095, 5.4e13}, C: Power{.050, 3.1e8 * PFDay}}

// Loss is what N parameters reach on D tokens.
func (k Kaplan) Loss(n, d float64) float64 {
	return math.Pow(math.Pow(k.N.Scale/n, k.N.Exponent/k.D.Exponent)+k.D.Scale/d, k.D.Exponent)
}

// kaplanModel is log L = αD·log(exp(x − ρ·log N) + exp(y − log D)) with ρ = αN/αD and
// coefficients log αD, log ρ, x, y.
type kaplanModel struct{ *logs }

func (m kaplanModel) value(theta, gradient []float64) float64 {
	alpha, rho := math.Exp(theta[0]), math.Exp(theta[1])
	var sum, gAlpha, gRho, gx, gy float64
	for i, n := range m.n {
		w := m.weight[i]
		if w == 0 {
			continue
		}
		p, q := math.Exp(theta[2]-rho*n), math.Exp(theta[3]-m.d[i])
		both := p + q
		lse := math.Log(both)
		h, slope := huber(alpha*lse-m.loss[i], m.delta)
		sum += w * h
		slope *= w
		gAlpha += slope * lse
		gRho -= slope * alpha * p / both * n
		gx += slope * alpha * p / both
		gy += slope * alpha * q / both
	}
	gradient[0], gradient[1], gradient[2], gradient[3] = gAlpha*alpha, gRho*rho, gx, gy
	return sum
}

// fitKaplan fits L(N, D) from a grid of starts that agree with the middle of the points.
func fitKaplan(data *logs) Kaplan {
	m := kaplanModel{data}
	best := math.Inf(1)
	var at []float64
	for _, alphaD := range []float64{.05, .1, .2, .4} {
		for _, alphaN := range []float64{.05, .1, .2, .4} {
			for _, tilt := range []float64{-2, 0, 2} {
				s := data.meanLoss/alphaD - math.Log(2*math.Cosh(tilt))
				x := []float64{math.Log(alphaD), math.Log(alphaN / alphaD), s + tilt, s - tilt}
				if f := minimize(m.value, x, exact); f < best {
					best, at = f, x
				}
			}
		}
	}
	if at == nil {
		return Kaplan{}
	}
	alpha, rho := math.Exp(at[0]), math.Exp(at[1])
	k := Kaplan{N: Power{rho * alpha, math.Exp(at[2]/rho + data.meanN)}, D: Power{alpha, math.Exp(at[3] + data.meanD)}, Objective: best}
	if !k.N.usable() || !k.D.usable() {
		return Kaplan{}
	}
	return k
}

// usable tells whether the law can be computed with, and says something.
func (p Power) usable() bool {
	return p.Exponent > 1e-6 && p.Scale > 0 && !math.IsInf(p.Exponent, 1) && !math.IsInf(p.Scale, 1)
}
