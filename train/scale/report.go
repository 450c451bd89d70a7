package scale

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Options are how points are fitted.
type Options struct {
	Delta     float64 // where Huber's loss of log L turns from a square to a line
	Resamples int     // of the bootstrap; 0 gives no bands
	Band      float64 // share of the resamples within a band
	Tolerance float64 // how far the compute of points of one curve lies apart: a fraction
	Seed      uint64  // of the bootstrap
}

// Defaults are those of Hoffmann et al. and of the replication.
func Defaults() Options {
	return Options{Delta: 1e-3, Resamples: 1000, Band: .95, Tolerance: .1, Seed: 1337}
}

// Validate says what is wrong with options.
func (o Options) Validate() error {
	switch {
	case o.Resamples < 0 || o.Resamples > 1_000_000:
		return fmt.Errorf("bootstrap is %d; use 0 to 1000000", o.Resamples)
	case !(o.Band > 0 && o.Band < 1):
		return fmt.Errorf("band is %g; use a share between 0 and 1, such as 0.95", o.Band)
	case !(o.Delta > 0) || math.IsInf(o.Delta, 1):
		return fmt.Errorf("delta is %g; it has to be above 0", o.Delta)
	case !(o.Tolerance >= 0) || math.IsInf(o.Tolerance, 1):
		return fmt.Errorf("tolerance is %g; it has to be 0 or more", o.Tolerance)
	}
	return nil
}

// Estimate is a value with its band; Low and High are 0 without a bootstrap.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low,omitempty"`
	High  float64 `json:"high,omitempty"`
}

// Range writes the band of a loss, with four decimals where it is one to be told apart.
func (e Estimate) Range() string {
	digits := func(x float64) string {
		if x < 100 {
			return fmt.Sprintf("%.4f", x)
		}
		return fmt.Sprintf("%.3g", x)
	}
	return digits(e.Low) + " to " + digits(e.High)
}

// Parametric is approach 3 of Hoffmann et al.: the [Law] that minimises Huber's loss of
// log L, as their replication does it, by a sum over the points.
type Parametric struct {
	A         Estimate `json:"a"`
	B         Estimate `json:"b"`
	E         Estimate `json:"e"`
	Alpha     Estimate `json:"alpha"`
	Beta      Estimate `json:"beta"`
	Exponent  Estimate `json:"exponent"` // of N in C
	Objective float64  `json:"objective"`
	Starts    int      `json:"starts"`
	Scatter   float64  `json:"scatter"` // of log L about the law: 1.4826 × the median of its size
}

// Law is that of the values.
func (p Parametric) Law() Law {
	return Law{A: p.A.Value, B: p.B.Value, E: p.E.Value, Alpha: p.Alpha.Value, Beta: p.Beta.Value}
}

// Resample is a law of the bootstrap and the scatter of a run about it: A, B, E, α, β and
// a difference of log L.
type Resample [6]float64

func (r Resample) law() Law { return Law{A: r[0], B: r[1], E: r[2], Alpha: r[3], Beta: r[4]} }

// Range is from the smallest to the largest of the points.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Report is all that is fitted to points.
type Report struct {
	Count      Count      `json:"count"` // of N
	Counted    string     `json:"counted"`
	Points     int        `json:"points"`
	Band       float64    `json:"band"` // share of the resamples within the bands
	Parametric Parametric `json:"parametric"`
	IsoFLOP    Frontier   `json:"isoflop"`
	Envelope   Frontier   `json:"envelope"`
	Kaplan     Kaplan     `json:"kaplan"`
	N          Range      `json:"n"`
	D          Range      `json:"d"`
	C          Range      `json:"c"`
	HeldOut    *HeldOut   `json:"held_out,omitempty"`
	Resamples  []Resample `json:"resamples,omitempty"`
}

// HeldOut is what a law that does not know the largest budget says of its best run.
type HeldOut struct {
	Point
	Predicted float64 `json:"predicted"`
	Error     float64 `json:"error"` // a fraction of the loss
}

// budgets of the envelope: Hoffmann et al. have 1500; resamples do with fewer.
const budgets, budgetsOfResample = 1500, 200

// Make fits points, whose N counts as count says. Too few points, or such as no law can
// be fitted to, are an error.
func Make(points []Point, count Count, o Options) (*Report, error) {
	if err := cmp.Or(o.Validate(), check(points)); err != nil {
		return nil, err
	}
	data := logsOf(points, o.Delta)
	law, objective, starts := fitLaw(data)
	if math.IsInf(objective, 1) {
		return nil, errNoLaw
	}
	bySize, byCompute := sizes(points), curves(points, o.Tolerance)
	r := &Report{
		Count: count, Counted: count.Text(), Points: len(points), Band: o.Band,
		Parametric: Parametric{Objective: objective, Starts: starts, Scatter: scatter(law, points)},
		IsoFLOP:    isoFLOP(points, data.weight, byCompute), Envelope: envelope(points, data.weight, bySize, budgets),
		Kaplan: fitKaplan(data), HeldOut: holdOut(points, law, o.Delta),
	}
	r.Kaplan.C = lossOverC(r.Envelope.Minima)
	r.N, r.D = rangeOf(points, func(p Point) float64 { return p.N }), rangeOf(points, func(p Point) float64 { return p.D })
	r.C = rangeOf(points, Point.C)
	p := &r.Parametric
	p.A.Value, p.B.Value, p.E.Value, p.Alpha.Value, p.Beta.Value, p.Exponent.Value = law.A, law.B, law.E, law.Alpha, law.Beta, law.Exponent()
	r.bootstrap(points, data, bySize, byCompute, o)
	return r, nil
}

func rangeOf(points []Point, of func(Point) float64) Range {
	r := Range{math.Inf(1), math.Inf(-1)}
	for _, p := range points {
		r.Low, r.High = min(r.Low, of(p)), max(r.High, of(p))
	}
	return r
}

// bootstrap fits resamples of the points, drawn with replacement, and sets the bands.
func (r *Report) bootstrap(points []Point, data *logs, bySize, byCompute [][]int, o Options) {
	if o.Resamples == 0 {
		return
	}
	law := r.Parametric.Law()
	all := make([]Resample, o.Resamples)
	isoflop, envelopes := make([]float64, o.Resamples), make([]float64, o.Resamples)
	each(o.Resamples, func(i int) {
		random := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		weight := make([]float64, len(points))
		for range points {
			weight[random.IntN(len(points))]++
		}
		at := random.IntN(len(points))
		residual := math.Log(points[at].Loss / law.Loss(points[at].N, points[at].D))
		l := refit(data.weighted(weight), law)
		all[i] = Resample{l.A, l.B, l.E, l.Alpha, l.Beta, residual}
		isoflop[i], envelopes[i] = math.NaN(), math.NaN()
		if f := isoFLOP(points, weight, byCompute); f.Missing == "" {
			isoflop[i] = f.Exponent.Value
		}
		if f := envelope(points, weight, bySize, budgetsOfResample); f.Missing == "" {
			envelopes[i] = f.Exponent.Value
		}
	})
	r.Resamples = slices.DeleteFunc(all, func(s Resample) bool { return !s.law().usable() })
	p := &r.Parametric
	for i, e := range []*Estimate{&p.A, &p.B, &p.E, &p.Alpha, &p.Beta} {
		r.band(e, func(s Resample) float64 { return s[i] })
	}
	r.band(&p.Exponent, func(s Resample) float64 { return s.law().Exponent() })
	if r.IsoFLOP.Missing == "" {
		setBand(&r.IsoFLOP.Exponent, isoflop, o.Band)
	}
	if r.Envelope.Missing == "" {
		setBand(&r.Envelope.Exponent, envelopes, o.Band)
	}
}

// refit is the minimum that a law leads to.
func refit(data *logs, from Law) Law {
	m := chinchillaModel{data}
	theta := m.theta(from)
	minimize(m.value, theta, exact)
	return m.law(theta)
}

// band sets the band of what resamples give.
func (r *Report) band(e *Estimate, of func(Resample) float64) {
	values := make([]float64, len(r.Resamples))
	for i, s := range r.Resamples {
		values[i] = of(s)
	}
	setBand(e, values, r.Band)
}

// setBand sets quantiles of values, those that are none left out.
func setBand(e *Estimate, values []float64, band float64) {
	values = slices.DeleteFunc(values, math.IsNaN)
	if len(values) == 0 {
		return
	}
	for i, x := range values {
		values[i] = finite(x)
	}
	slices.Sort(values)
	e.Low, e.High = quantile(values, (1-band)/2), quantile(values, (1+band)/2)
}

// finite is x, or the largest number where it is beyond: JSON has no infinity.
func finite(x float64) float64 { return max(-math.MaxFloat64, min(x, math.MaxFloat64)) }

// quantile of sorted values, with a line between two.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	if i < 0 {
		return sorted[0]
	}
	f := at - float64(i)
	return (1-f)*sorted[i] + f*sorted[i+1]
}

func scatter(law Law, points []Point) float64 {
	sizes := make([]float64, len(points))
	for i, p := range points {
		sizes[i] = math.Abs(math.Log(p.Loss / law.Loss(p.N, p.D)))
	}
	slices.Sort(sizes)
	return 1.4826 * quantile(sizes, .5)
}

// holdOut fits the points below the largest budget and predicts the best run of it; nil
// where too few are left.
func holdOut(points []Point, law Law, delta float64) *HeldOut {
	largest := rangeOf(points, Point.C).High
	var known []Point
	best := Point{Loss: math.Inf(1)}
	for _, p := range points {
		if p.C() < largest/1.1 {
			known = append(known, p)
		} else if p.Loss < best.Loss {
			best = p
		}
	}
	if check(known) != nil {
		return nil
	}
	predicted := refit(logsOf(known, delta), law).Loss(best.N, best.D)
	return &HeldOut{Point: best, Predicted: predicted, Error: predicted/best.Loss - 1}
}
