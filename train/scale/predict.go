package scale

import (
	"errors"
	"math"
)

var errNoLaw = errors.New("no law fits these points: losses have to fall with N and with D")

// Plan is a run for a budget.
type Plan struct {
	C    float64  `json:"c"`
	N    Estimate `json:"n"`
	D    Estimate `json:"d"`
	Loss Estimate `json:"loss"` // the law's, with the band of the law
	// Beyond is how many times the budget exceeds that of the largest run, 0 within.
	Beyond float64 `json:"beyond,omitempty"`
}

// Best is the compute-optimal run of C floating-point operations. A law without points
// has no bands.
func (r *Report) Best(c float64) Plan {
	n, d := r.Parametric.Law().Optimal(c)
	p := r.plan(c)
	p.N.Value, p.D.Value, p.Loss.Value = finite(n), finite(d), finite(r.Parametric.Law().Loss(n, d))
	r.band(&p.N, func(s Resample) float64 { n, _ := s.law().Optimal(c); return n })
	r.band(&p.D, func(s Resample) float64 { _, d := s.law().Optimal(c); return d })
	r.band(&p.Loss, func(s Resample) float64 { return s.law().Loss(s.law().Optimal(c)) })
	return p
}

// Expect is what a run of N parameters on D tokens reaches: the band has the scatter of
// runs about the law, beside that of the law.
func (r *Report) Expect(n, d float64) Plan {
	p := r.plan(FLOPsPerParameterToken * n * d)
	p.N.Value, p.D.Value, p.Loss.Value = n, d, finite(r.Parametric.Law().Loss(n, d))
	r.band(&p.Loss, func(s Resample) float64 { return s.law().Loss(n, d) * math.Exp(s[5]) })
	return p
}

func (r *Report) plan(c float64) Plan {
	p := Plan{C: c}
	if c > r.C.High && r.C.High > 0 {
		p.Beyond = c / r.C.High
	}
	return p
}

// OfLaw is a report of a law that is known, without points.
func OfLaw(l Law, count Count) *Report {
	return &Report{Count: count, Counted: count.Text(), Parametric: Parametric{
		A: Estimate{Value: l.A}, B: Estimate{Value: l.B}, E: Estimate{Value: l.E}, Alpha: Estimate{Value: l.Alpha}, Beta: Estimate{Value: l.Beta},
		Exponent: Estimate{Value: l.Exponent()},
	}}
}

// Expect is what a run reaches, of N parameters, of D tokens or of both; 0 is without end.
func (k Kaplan) Expect(n, d float64) Plan {
	p := Plan{N: Estimate{Value: n}, D: Estimate{Value: d}}
	switch {
	case d == 0:
		p.Loss.Value = k.N.At(n)
	case n == 0:
		p.Loss.Value = k.D.At(d)
	default:
		p.C, p.Loss.Value = FLOPsPerParameterToken*n*d, k.Loss(n, d)
	}
	return p
}

// Best is the lowest loss for C floating-point operations.
func (k Kaplan) Best(c float64) Plan { return Plan{C: c, Loss: Estimate{Value: k.C.At(c)}} }
