package scale

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// of is a point of a size and a budget.
func of(n, c, loss float64) Point { return Point{N: n, D: c / 6 / n, Loss: loss} }

// closeTo tells that two numbers differ by rounding alone.
func closeTo(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(b)) }

// TestObjective: Huber's loss of the logarithms, by hand, and what the model is fitted by.
func TestObjective(t *testing.T) {
	for _, c := range []struct{ r, value, slope float64 }{{0.5, 0.125, 0.5}, {-0.5, 0.125, -0.5}, {1, 0.5, 1}, {3, 2.5, 1}, {-3, 2.5, -1}} {
		if value, slope := huber(c.r, 1); value != c.value || slope != c.slope {
			t.Errorf("of %g: %g, %g", c.r, value, slope)
		}
	}
	law := Law{A: 3, B: 5, E: 0.5, Alpha: 0.5, Beta: 0.25}
	points := []Point{{N: 4, D: 16, Loss: 1}, {N: 9, D: 81, Loss: 9}, {N: 100, D: 10000, Loss: 1.2}}
	if got, want := law.Loss(4, 16), 0.5+3./2+5./2; got != want {
		t.Errorf("the loss is %g, want %g", got, want)
	}
	want := 0.0
	for _, p := range points {
		r := math.Log((0.5 + 3/math.Sqrt(p.N) + 5/math.Sqrt(math.Sqrt(p.D))) / p.Loss)
		if math.Abs(r) <= 0.4 {
			want += r * r / 2
		} else {
			want += 0.4 * (math.Abs(r) - 0.2)
		}
	}
	if got := law.Objective(points, 0.4); !closeTo(got, want) {
		t.Errorf("the objective is %g, want %g", got, want)
	}
	m := chinchillaModel{logsOf(points, 0.4)}
	if got := m.value(m.theta(law), make([]float64, 5)); !closeTo(got, want) {
		t.Errorf("the model has %g, want %g", got, want)
	}
	if !closeTo(m.meanN, math.Log(3600)/3) || !closeTo(m.meanD, math.Log(16*81*10000)/3) || !closeTo(m.meanLoss, math.Log(10.8)/3) {
		t.Errorf("the means are %g, %g, %g", m.meanN, m.meanD, m.meanLoss)
	}
	if back := m.law(m.theta(law)); !closeTo(back.A, 3) || !closeTo(back.B, 5) || !closeTo(back.E, 0.5) || back.Alpha != 0.5 || back.Beta != 0.25 {
		t.Errorf("of its own coefficients the law is %+v", back)
	}
	starts := m.starts()
	for _, place := range starts { // which are those of Hoffmann et al. before the means are taken off
		a, b := place[0]+place[3]*m.meanN, place[1]+place[4]*m.meanD
		if math.Abs(a/5-math.Round(a/5)) > 1e-9 || a < -1e-9 || a > 25+1e-9 || math.Abs(b/5-math.Round(b/5)) > 1e-9 || b < -1e-9 || b > 25+1e-9 ||
			math.Mod(place[2], .5) != 0 || math.Abs(place[2]) > 1 || math.Mod(place[3], .5) != 0 || place[3] > 2 || math.Mod(place[4], .5) != 0 || place[4] > 2 {
			t.Fatalf("a start is %v", place)
		}
	}
	slices.SortFunc(starts, slices.Compare)
	if starts = slices.CompactFunc(starts, slices.Equal); len(starts) != 4500 {
		t.Errorf("%d different starts", len(starts))
	}
	if got := scatter(law, []Point{{N: 4, D: 16, Loss: 4.5 / 2}, {N: 4, D: 16, Loss: 4.5 * 3}, {N: 4, D: 16, Loss: 4.5}}); !closeTo(got, 1.4826*math.Log(2)) {
		t.Errorf("the scatter is %g", got)
	}
	// A law without an irreducible loss has a start all the same.
	if theta := m.theta(Law{A: 1, B: 1}); theta[2] != math.Log(1e-12) {
		t.Errorf("%v", theta)
	}
}

// TestCurvesByHand: budgets within the tolerance of each other are a curve, the most crowded first; two runs of a size
// are no third size.
func TestCurvesByHand(t *testing.T) {
	points := []Point{
		of(1, 120, 3), of(2, 126, 2), of(4, 132, 3), // within 10%
		of(1, 960, 3), of(2, 960, 2.5), of(4, 960, 2), of(8, 1044, 3),
		of(1, 4800, 2), of(2, 4800, 2), // two sizes
		of(1, 9600, 2), of(1, 9600, 2), of(2, 9600, 2), // two sizes
		of(8, 144, 1),
	}
	for tolerance, want := range map[float64][][]int{0.1: {{3, 4, 5, 6}, {0, 1, 2}}, 0.099: {{3, 4, 5, 6}}, 0: {{3, 4, 5}}, 0.15: {{3, 4, 5, 6}, {0, 1, 2}}} {
		if got := curves(points, tolerance); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("within %g the curves are %v, want %v", tolerance, got, want)
		}
	}
	if x := ones(3); !slices.Equal(x, []float64{1, 1, 1}) {
		t.Errorf("%v", x)
	}
}

// TestParabolaByHand: L = 2 + (log N − log 20)² at C = 6000 has its minimum at N = 20, D = 50.
func TestParabolaByHand(t *testing.T) {
	var points []Point
	for _, n := range []float64{5, 10, 40, 80} {
		points = append(points, of(n, 6000, 2+math.Pow(math.Log(n/20), 2)))
	}
	m, ok := bottom(points, ones(4), []int{0, 1, 2, 3})
	if !ok || !closeTo(m.N, 20) || !closeTo(m.C, 6000) || !closeTo(m.D, 50) || !closeTo(m.Loss, 2) || m.Points != 4 || !closeTo(m.Middle, 20) || len(m.Parabola) != 3 || !closeTo(m.Parabola[2], 1) || !closeTo(m.Parabola[0], 2) {
		t.Errorf("%+v, %t", m, ok)
	}
	if _, ok := bottom(points, []float64{0, 0, 0, 0}, []int{0, 1, 2, 3}); ok {
		t.Error("of no points there is a minimum")
	}
	if m, ok := bottom(points, []float64{2, 1, 1, 0}, []int{0, 1, 2, 3}); !ok || !closeTo(m.N, 20) || !closeTo(m.Middle, math.Exp((2*math.Log(5)+math.Log(10)+math.Log(40))/4)) {
		t.Errorf("of weighted points %+v", m)
	}
	for i := range points { // beyond the sizes, and downwards
		points[i].Loss = 2 + math.Pow(math.Log(points[i].N/4), 2)
	}
	if m, ok := bottom(points, ones(4), []int{0, 1, 2, 3}); ok {
		t.Errorf("a minimum below all sizes: %+v", m)
	}
	for i := range points {
		points[i].Loss = 9 - math.Pow(math.Log(points[i].N/20), 2)
	}
	if m, ok := bottom(points, ones(4), []int{0, 1, 2, 3}); ok {
		t.Errorf("a minimum of a hill: %+v", m)
	}
	// N = 2·C^0.5 through two minima.
	f := through([]Minimum{{C: 100, N: 20}, {C: 10000, N: 200}}, "x")
	if n, d := f.Best(400); !closeTo(f.Exponent.Value, 0.5) || !closeTo(f.K, 2) || !closeTo(n, 40) || !closeTo(d, 400./6/40) || f.Missing != "" {
		t.Errorf("%+v: %g, %g", f, n, d)
	}
	for _, minima := range [][]Minimum{nil, {{C: 1, N: 1}}, {{C: 5, N: 1}, {C: 5, N: 2}}} {
		if f := through(minima, "x"); f.Missing != "there are fewer than two budgets with a minimum of x" {
			t.Errorf("%v: %+v", minima, f)
		}
	}
	if a, b := line([]float64{1, 2, 4}, []float64{5, 7, 11}); !closeTo(a, 3) || !closeTo(b, 2) {
		t.Errorf("the line is %g + %g·x", a, b)
	}
}

// TestTracksByHand: between two points of a size the loss is on their line over log C.
func TestTracksByHand(t *testing.T) {
	points := []Point{of(10, 100, 5), of(10, 10000, 3), of(10.05, 100, 4), of(20, 100, 9), of(10, 1000, 1)}
	all := sizes(points)
	if len(all) != 2 || !slices.Equal(all[0], []int{0, 2, 4, 1}) || !slices.Equal(all[1], []int{3}) {
		t.Fatalf("the sizes are %v", all)
	}
	track := trackOf(points, []float64{1, 1, 1, 1, 0}, all[0])
	if len(track.c) < 2 || track.loss[0] != 4 && track.loss[1] != 4 || track.loss[len(track.loss)-1] != 3 || !closeTo(track.n, math.Cbrt(10*10*10.05)) {
		t.Errorf("%+v", track)
	}
	first := track.c[0]
	if loss, ok := track.at(first); !ok || loss != track.loss[0] {
		t.Errorf("at a point %g, %t", loss, ok)
	}
	last := len(track.c) - 1
	middle := (track.c[last-1] + 3*track.c[last]) / 4
	if loss, ok := track.at(middle); !ok || !closeTo(loss, (track.loss[last-1]+3*track.loss[last])/4) {
		t.Errorf("between two points %g, %t", loss, ok)
	}
	for _, c := range []float64{first - 1e-6, track.c[last] + 1e-6} {
		if loss, ok := track.at(c); ok {
			t.Errorf("beyond the points it is %g", loss)
		}
	}
	if got := sizes([]Point{of(100, 6, 1), of(101, 6, 1), of(101.1, 6, 1)}); len(got) != 2 || len(got[0]) != 2 {
		t.Errorf("sizes within 1%% are %v", got)
	}
}

// TestHoldOutByHand: the best run of the largest budget is predicted from those below it.
func TestHoldOutByHand(t *testing.T) {
	law := Law{A: 30, B: 50, E: 1.5, Alpha: 0.4, Beta: 0.3}
	var points []Point
	for _, c := range []float64{6e4, 6e5, 6e6} {
		for _, n := range []float64{20, 60, 180} {
			p := of(n, c, 0)
			p.Loss = law.Loss(p.N, p.D)
			points = append(points, p)
		}
	}
	best := points[6]
	for _, p := range points[7:] {
		if p.Loss < best.Loss {
			best = p
		}
	}
	h := holdOut(points, law, 1e-3)
	if h == nil || h.Point != best || math.Abs(h.Predicted-best.Loss) > 1e-3 || math.Abs(h.Error-(h.Predicted/best.Loss-1)) > 1e-12 {
		t.Errorf("%+v, want %+v", h, best)
	}
	off := slices.Clone(points)
	for i := range off[6:] {
		off[6+i].Loss *= 1.25
	}
	if h := holdOut(off, law, 1e-3); h == nil || math.Abs(h.Error-(-0.2)) > 1e-2 {
		t.Errorf("of runs that are a quarter worse %+v", h)
	}
	if h := holdOut(points[6:], law, 1e-3); h != nil {
		t.Errorf("of one budget %+v", h)
	}
}

// TestBordersOfOptions: what is fine and what is not, one step apart.
func TestBordersOfOptions(t *testing.T) {
	below, above := math.Nextafter(1, 0), math.SmallestNonzeroFloat64
	for _, o := range []Options{
		{Resamples: 0, Band: above, Delta: above, Tolerance: 0}, {Resamples: 1_000_000, Band: below, Delta: 9, Tolerance: math.MaxFloat64},
	} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for want, change := range map[string]func(*Options){
		"bootstrap is 1000001": func(o *Options) { o.Resamples = 1_000_001 }, "band is 0;": func(o *Options) { o.Band = 0 }, "band is NaN": func(o *Options) { o.Band = math.NaN() },
		"delta is +Inf": func(o *Options) { o.Delta = math.Inf(1) }, "delta is NaN": func(o *Options) { o.Delta = math.NaN() },
		"tolerance is +Inf": func(o *Options) { o.Tolerance = math.Inf(1) }, "tolerance is NaN": func(o *Options) { o.Tolerance = math.NaN() },
	} {
		o := Defaults()
		change(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if d := Defaults(); d != (Options{Delta: 0.001, Resamples: 1000, Band: 0.95, Tolerance: 0.1, Seed: 1337}) {
		t.Errorf("%+v", d)
	}
}
