package scale_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/scale"
)

// ladder are runs of a law: sizes around the best one for each budget, in log steps, with
// noise of log L.
func ladder(law scale.Law, budgets []float64, sizes int, reach, noise float64) []scale.Point {
	random := rand.New(rand.NewPCG(1, 2))
	var points []scale.Point
	for _, c := range budgets {
		best, _ := law.Optimal(c)
		for i := range sizes {
			n := best * math.Pow(reach, 2*float64(i)/float64(sizes-1)-1)
			d := c / 6 / n
			points = append(points, scale.Point{N: n, D: d, Loss: law.Loss(n, d) * math.Exp(noise*random.NormFloat64())})
		}
	}
	return points
}

// quick are options of a fit with few resamples.
func quick(resamples int) scale.Options {
	o := scale.Defaults()
	o.Resamples = resamples
	return o
}

// TestFindsTheLaw: without noise the fit is the law that the points come from, and so is
// what the other approaches say of it.
func TestFindsTheLaw(t *testing.T) {
	law := scale.Law{A: 30, B: 120, E: 1.2, Alpha: .3, Beta: .4}
	r, err := scale.Make(ladder(law, []float64{1e13, 1e14, 1e15, 1e16}, 7, 6, 0), scale.CountBody, quick(40))
	if err != nil {
		t.Fatal(err)
	}
	p := r.Parametric
	near(t, "A", p.A.Value, law.A, 1e-4)
	near(t, "B", p.B.Value, law.B, 1e-4)
	near(t, "E", p.E.Value, law.E, 1e-5)
	near(t, "α", p.Alpha.Value, law.Alpha, 1e-5)
	near(t, "β", p.Beta.Value, law.Beta, 1e-5)
	near(t, "exponent of N", p.Exponent.Value, law.Exponent(), 1e-5)
	near(t, "exponent of curves", r.IsoFLOP.Exponent.Value, law.Exponent(), 1e-6)
	near(t, "low E", p.E.Low, law.E, 1e-3)
	near(t, "high E", p.E.High, law.E, 1e-3)
	if len(r.IsoFLOP.Minima) != 4 || p.Starts != 4500 || p.Objective > 1e-12 || r.Counted == "" {
		t.Errorf("%d curves, %d starts, objective %g", len(r.IsoFLOP.Minima), p.Starts, p.Objective)
	}
	if h := r.HeldOut; h == nil || math.Abs(h.Error) > 1e-4 || h.C() < .9e16 {
		t.Errorf("held out: %+v", h)
	}
	c := 1e17
	n, d := law.Optimal(c)
	best := r.Best(c)
	near(t, "N for a budget", best.N.Value, n, 1e-3)
	near(t, "loss of a budget", best.Loss.Value, law.Loss(n, d), 1e-5)
	near(t, "beyond", best.Beyond, 10, 1e-6)
	if within := r.Best(1e14); within.Beyond != 0 {
		t.Errorf("10^14 is beyond: %+v", within)
	}
}

// TestRobust: a few runs that went wrong move the fit little, and bands hold the truth.
func TestRobust(t *testing.T) {
	law := scale.Law{A: 30, B: 120, E: 1.2, Alpha: .3, Beta: .4}
	points := ladder(law, []float64{1e13, 1e14, 1e15, 1e16}, 9, 6, .003)
	points[4].Loss, points[17].Loss, points[30].Loss = 1.3*points[4].Loss, .7*points[17].Loss, .8*points[30].Loss
	r, err := scale.Make(points, scale.CountAll, quick(200))
	if err != nil {
		t.Fatal(err)
	}
	n, d := law.Optimal(1e16)
	near(t, "loss", r.Parametric.Law().Loss(n, d), law.Loss(n, d), .004)
	p := r.Parametric
	for name, e := range map[string]struct {
		of    scale.Estimate
		truth float64
	}{"E": {p.E, 1.2}, "α": {p.Alpha, .3}, "β": {p.Beta, .4}, "exponent": {p.Exponent, law.Exponent()}} {
		if !(e.of.Low < e.truth && e.truth < e.of.High && e.of.Low <= e.of.Value && e.of.Value <= e.of.High) {
			t.Errorf("%s is %+v, in truth %g", name, e.of, e.truth)
		}
	}
	if p.Scatter < .001 || p.Scatter > .01 {
		t.Errorf("scatter %g, want about .003", p.Scatter)
	}
	law1, run := r.Best(1e16).Loss, r.Expect(n, d).Loss
	if law1.High-law1.Low >= run.High-run.Low || run.High-run.Low < .008*run.Value || run.Low > run.Value || run.High < run.Value {
		t.Errorf("the band of the law is %+v, that of a run %+v", law1, run)
	}
}

// TestIsoFLOPBias: a parabola through points far from the minimum is no parabola. The
// error of D at 10^24 is known for the rounded law of Hoffmann et al.
func TestIsoFLOPBias(t *testing.T) {
	for reach, want := range map[float64]float64{2: -.324453, 4: -1.291281, 8: -2.881105, 16: -5.062345} {
		points := ladder(scale.HoffmannRounded, []float64{1e17, 1e18, 1e19, 1e20, 1e21}, 16, reach, 0)
		f := scale.IsoFLOP(points, .1)
		_, d := f.Best(1e24)
		_, truth := scale.HoffmannRounded.Optimal(1e24)
		if got := 100 * (d/truth - 1); math.Abs(got-want) > 2e-6 {
			t.Errorf("±%g×: D is off by %.6f%%, want %.6f%%", reach, got, want)
		}
		near(t, "exponent of D", 1-f.Exponent.Value, .548387, 1e-6)
	}
}

// TestIsoFLOPBeyond: a curve whose lowest loss is that of its smallest or largest size,
// and one that bends down, show no minimum.
func TestIsoFLOPBeyond(t *testing.T) {
	curve := func(c float64, loss func(x float64) float64) (points []scale.Point) {
		for x := -2.0; x <= 2; x++ {
			n := 1e6 * math.Exp(x)
			points = append(points, scale.Point{N: n, D: c / 6 / n, Loss: loss(x)})
		}
		return points
	}
	points := curve(1e15, func(x float64) float64 { return 3 + (x-1)*(x-1) })
	points = append(points, curve(1e16, func(x float64) float64 { return 3 + (x-4)*(x-4) })...)
	points = append(points, curve(1e17, func(x float64) float64 { return 9 + (x+4)*(x+4) })...)
	points = append(points, curve(1e18, func(x float64) float64 { return 9 - x*x })...)
	f := scale.IsoFLOP(points, .1)
	if len(f.Minima) != 1 || f.Missing == "" {
		t.Fatalf("%+v", f)
	}
	near(t, "N", f.Minima[0].N, 1e6*math.E, 1e-9)
	near(t, "loss", f.Minima[0].Loss, 3, 1e-9)
}

// TestEnvelope: long runs of many sizes, seen at many budgets, show the best size.
func TestEnvelope(t *testing.T) {
	law := scale.Law{A: 30, B: 120, E: 1.2, Alpha: .35, Beta: .35}
	var points []scale.Point
	for n := 1e5; n < 2e8; n *= 1.25 {
		for d := 1e6; d < 1e11; d *= 1.4 {
			points = append(points, scale.Point{N: n, D: d, Loss: law.Loss(n, d)})
		}
	}
	f := scale.Envelope(points)
	near(t, "exponent", f.Exponent.Value, .5, .03)
	for _, m := range f.Minima {
		if n, _ := law.Optimal(m.C); m.N/n > 1.5 || n/m.N > 1.5 {
			t.Errorf("C = %g: N = %g, the best is %g", m.C, m.N, n)
		}
	}
	if got := scale.Envelope(points[:20]); got.Missing == "" {
		t.Errorf("one size has an envelope: %+v", got)
	}
}

// TestKaplan finds the coefficients of L(N, D) again.
func TestKaplan(t *testing.T) {
	k := scale.KaplanPublished
	var points []scale.Point
	for n := 1e6; n < 2e9; n *= 4 {
		for d := 1e8; d < 1e11; d *= 5 {
			points = append(points, scale.Point{N: n, D: d, Loss: k.Loss(n, d)})
		}
	}
	r, err := scale.Make(points, scale.CountBody, quick(0))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "αN", r.Kaplan.N.Exponent, .076, 1e-5)
	near(t, "αD", r.Kaplan.D.Exponent, .095, 1e-5)
	near(t, "Nc", r.Kaplan.N.Scale, 8.8e13, 1e-3)
	near(t, "Dc", r.Kaplan.D.Scale, 5.4e13, 1e-3)
	if r.Kaplan.Objective > 1e-10 || r.Parametric.E.Low != 0 || len(r.Resamples) != 0 {
		t.Errorf("%+v", r.Kaplan)
	}
	if c := r.Kaplan.C; c.Exponent < .03 || c.Exponent > .08 {
		t.Errorf("L(C) is %+v", c)
	}
}

// TestThreads: a fit does not depend on the number of threads, and the file of it gives it
// back.
func TestThreads(t *testing.T) {
	points := ladder(scale.Law{A: 30, B: 120, E: 1.2, Alpha: .3, Beta: .4}, []float64{1e13, 1e14, 1e15}, 5, 5, .01)
	fit := func() *scale.Report {
		r, err := scale.Make(points, scale.CountAll, quick(30))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	many := fit()
	previous := runtime.GOMAXPROCS(1)
	one := fit()
	runtime.GOMAXPROCS(previous)
	if !reflect.DeepEqual(many, one) {
		t.Errorf("%+v with one thread,\n%+v with more", one.Parametric, many.Parametric)
	}
	dir := t.TempDir()
	if r, err := scale.OfFolder(vfs.OS{}, dir); r != nil || err != nil {
		t.Errorf("an empty folder has %+v, %v", r, err)
	}
	file := filepath.Join(dir, scale.FileName)
	if err := one.Write(vfs.OS{}, file); err != nil {
		t.Fatal(err)
	}
	if r, err := scale.OfFolder(vfs.OS{}, dir); err != nil || !reflect.DeepEqual(r, one) {
		t.Errorf("read again: %+v, %v", r, err)
	}
	for _, text := range []string{"", "[]", "{}", `{"band":2}`} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := scale.OfFolder(vfs.OS{}, dir); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestRefuses points that no law can be fitted to.
func TestRefuses(t *testing.T) {
	law := scale.Law{A: 30, B: 120, E: 1.2, Alpha: .3, Beta: .4}
	good := ladder(law, []float64{1e13, 1e14, 1e15}, 4, 4, 0)
	changed := func(change func([]scale.Point)) []scale.Point {
		points := append([]scale.Point{}, good...)
		change(points)
		return points
	}
	for want, points := range map[string][]scale.Point{
		"there are 5 points": good[:5],
		"1 values of N": changed(func(p []scale.Point) {
			for i := range p {
				p[i].N = 1e6
			}
		}),
		"2 values of D": changed(func(p []scale.Point) {
			for i := range p {
				p[i].D = 1e6 * float64(1+i%2)
			}
		}),
		"run 3: the loss is NaN": changed(func(p []scale.Point) { p[3].Loss, p[3].From = math.NaN(), "run 3" }),
	} {
		if _, err := scale.Make(points, scale.CountAll, quick(0)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for want, change := range map[string]func(*scale.Options){
		"bootstrap is -1": func(o *scale.Options) { o.Resamples = -1 },
		"band is 1;":      func(o *scale.Options) { o.Band = 1 },
		"delta is 0;":     func(o *scale.Options) { o.Delta = 0 },
		"tolerance is -1": func(o *scale.Options) { o.Tolerance = -1 },
	} {
		o := scale.Defaults()
		change(&o)
		if _, err := scale.Make(nil, scale.CountAll, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestDropWorst(t *testing.T) {
	points := []scale.Point{{Loss: 3}, {Loss: 9}, {Loss: 1}, {Loss: 9}, {Loss: 2}}
	for k, left := range []int{5, 3, 3, 2, 1, 0, 0} {
		if got := scale.DropWorst(points, k); len(got) != left {
			t.Errorf("without the %d worst: %+v", k, got)
		}
	}
}

// TestDegenerate: what points that show no law come to is an error, or a report that can
// be written and plans in numbers.
func TestDegenerate(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, loss := range map[string]func(n, d float64) float64{
		"noise":          func(n, d float64) float64 { return 1 + random.ExpFloat64() },
		"grows":          func(n, d float64) float64 { return math.Log(n * d) },
		"huge":           func(n, d float64) float64 { return 1e300 * (1 + 1/n) },
		"falls too fast": func(n, d float64) float64 { return 1e-9 + math.Exp(-n/1e5) + math.Exp(-d/1e6) },
	} {
		var points []scale.Point
		for n := 1e5; n < 2e6; n *= 2 {
			for d := 1e6; d < 1e8; d *= 7 {
				points = append(points, scale.Point{N: n, D: d, Loss: loss(n, d)})
			}
		}
		r, err := scale.Make(points, scale.CountAll, quick(20))
		if err != nil {
			continue
		}
		for _, v := range []any{r, r.Best(1e30), r.Best(1), r.Expect(1e12, 1)} {
			if _, err := json.Marshal(v); err != nil {
				t.Errorf("%s: %v: %+v", name, err, v)
			}
		}
	}
}

func TestRange(t *testing.T) {
	if got := (scale.Estimate{Low: 1.99994, High: 4.97e18}).Range(); got != "1.9999 to 4.97e+18" {
		t.Errorf("the band is %s", got)
	}
}

// TestReplication fits the 240 points of Besiroglu et al. 2024, which name no licence and
// are not part of this project: CHINCHILLA_CSV is the file svg_extracted_data.csv of
// github.com/epoch-research/analyzing-chinchilla.
func TestReplication(t *testing.T) {
	name := os.Getenv("CHINCHILLA_CSV")
	if name == "" {
		t.Skip("CHINCHILLA_CSV names no file")
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := scale.ReadCSV(f, name, scale.Columns{})
	if err != nil {
		t.Fatal(err)
	}
	points := scale.DropWorst(all, 5)
	if len(all) != 245 || len(points) != 240 {
		t.Fatalf("%d points, %d of them below the fifth largest loss", len(all), len(points))
	}
	near(t, "objective of the published law", scale.Chinchilla.Objective(points, 1e-3), .0010186447, 3e-6)
	near(t, "objective of Hoffmann et al.", scale.Hoffmann.Objective(points, 1e-3), .0012311626, 1e-7)
	near(t, "objective of Hoffmann et al., rounded", scale.HoffmannRounded.Objective(points, 1e-3), .0041210091, 1e-7)
	r, err := scale.Make(points, scale.CountAll, quick(1000))
	if err != nil {
		t.Fatal(err)
	}
	p := r.Parametric
	if p.Objective > .00101828 {
		t.Errorf("objective %.10f", p.Objective)
	}
	near(t, "α", p.Alpha.Value, .34731266, 1e-4)
	near(t, "β", p.Beta.Value, .36718262, 1e-4)
	near(t, "E", p.E.Value, 1.8172355, 1e-4)
	for _, e := range []struct {
		name      string
		of        scale.Estimate
		low, high float64
	}{{"A", p.A, 285, 744}, {"B", p.B, 1042, 5810}, {"E", p.E, 1.769, 1.871}, {"α", p.Alpha, .317, .373}, {"β", p.Beta, .331, .415}} {
		near(t, "low "+e.name, e.of.Low, e.low, .08)
		near(t, "high "+e.name, e.of.High, e.high, .08)
	}
	near(t, "exponent of N", p.Exponent.Value, .513, .003)
	near(t, "exponent of curves", r.IsoFLOP.Exponent.Value, .5, .1)
	near(t, "exponent of the envelope", r.Envelope.Exponent.Value, .5, .1)
}
