package runs_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

var update = flag.Bool("update", false, "rewrite testdata/drawn.txt")

// TestDrawn compares what is drawn with testdata/drawn.txt: curves on a terminal as they are, pictures by the hash of
// their SVG. -update writes it; look at the pictures then, which it leaves in the directory for temporary files.
func TestDrawn(t *testing.T) {
	var got strings.Builder
	var many []runs.Series
	for i := range 9 { // more than there are colours, one of many points
		s := runs.Series{Name: fmt.Sprintf("run %d", i)}
		for x := range 4 + 60*(i/8) {
			s.Points = append(s.Points, runs.Point{X: float64(10 * x), Y: 4 - float64(i)/4 - float64(x)/10})
		}
		many = append(many, s)
	}
	flat := []runs.Series{{Name: "flat", Points: []runs.Point{{X: 5, Y: 2}, {X: 9, Y: 2}}}, {Name: "one", Points: []runs.Point{{X: 7, Y: 2}}}}
	for _, c := range []struct {
		name          string
		series        []runs.Series
		width, height int
		colours       bool
	}{{"many", many, 30, 8, false}, {"colours", many[:3], 12, 4, true}, {"flat", flat, 10, 3, false}, {"low", many[:1], 6, 1, false}} {
		fmt.Fprintf(&got, "== %s\n", c.name)
		if err := runs.Terminal(&got, "nll", c.series, c.width, c.height, c.colours); err != nil {
			t.Fatal(err)
		}
	}
	picture := func(name string, draw func(w io.Writer) error) {
		var b bytes.Buffer
		if err := draw(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(&got, "== %s: %d bytes, %.8x\n", name, b.Len(), sha256.Sum256(b.Bytes()))
		if *update {
			if err := os.WriteFile(os.TempDir()+"/"+name+".svg", b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	picture("plot", func(w io.Writer) error { return runs.WritePlot(w, "svg", "nll", many) })
	var positions []runs.Series
	for _, s := range many[:6] {
		var p runs.Series
		for _, at := range s.Points {
			p.Points = append(p.Points, runs.Point{X: at.X + 1, Y: at.Y})
		}
		p.Name = s.Name
		positions = append(positions, p)
	}
	picture("positions", func(w io.Writer) error { return runs.WritePositions(w, "svg", positions) })
	law := scale.Law{A: 30, B: 120, E: 1.5, Alpha: 0.5, Beta: 0.5}
	r := &scale.Report{Counted: "all parameters", Band: 0.9, C: scale.Range{Low: 6e6, High: 6e8}, Resamples: []scale.Resample{{29, 118, 1.4, 0.5, 0.5, 0.01}, {31, 125, 1.6, 0.5, 0.5, -0.01}, {30, 119, 1.5, 0.52, 0.48}}}
	r.Parametric = scale.Parametric{A: scale.Estimate{Value: law.A}, B: scale.Estimate{Value: law.B}, E: scale.Estimate{Value: law.E}, Alpha: scale.Estimate{Value: law.Alpha}, Beta: scale.Estimate{Value: law.Beta}}
	var points []scale.Point
	for i := range 11 {
		c := 6e6 * math.Pow(10, float64(i)/5)
		points = append(points, scale.Point{N: 1024, D: c / 6 / 1024, Loss: law.Loss(1024, c/6/1024)})
		r.IsoFLOP.Minima = append(r.IsoFLOP.Minima, scale.Minimum{C: c, N: 1000 * float64(i+1), Middle: 1100 * float64(i+1), Parabola: []float64{2, 0.125, 0.25}})
	}
	picture("laws", func(w io.Writer) error { return runs.WriteLaws(w, "svg", r, points) })
	const file = "testdata/drawn.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("line %d is\n%q\nwant\n%q", i+1, is[min(i, len(is)):min(i+1, len(is))], was[min(i, len(was)):min(i+1, len(was))])
		}
	}
}

// TestRecordsOfARun: the best is the lowest that is a number, the newest are by split, and what is no number is no
// point.
func TestRecordsOfARun(t *testing.T) {
	rec := func(split metrics.Split, step int64, nll float64) metrics.Record {
		return metrics.Record{Split: split, Step: step, Values: []metrics.Value{{Name: "nll", Value: nll}}}
	}
	r := &runs.Run{Dir: "x/a", Records: []metrics.Record{
		rec(metrics.Val, 1, math.NaN()), rec(metrics.Val, 2, 3), rec(metrics.Train, 9, 1), rec(metrics.Val, 4, 2), rec(metrics.Val, 6, 2), {Split: metrics.Val, Step: 7}, rec(metrics.Train, 8, math.NaN()),
	}}
	if best := r.Best(); best == nil || best.Step != 4 || r.Step() != 9 || r.Last(metrics.Val).Step != 7 || r.Last(metrics.Train).Step != 8 {
		t.Errorf("best %+v, step %d", best, r.Step())
	}
	for split, want := range map[metrics.Split]string{"": "[{a train [{9 1}]} {a val [{2 3} {4 2} {6 2}]}]", metrics.Train: "[{a train [{9 1}]}]", metrics.Val: "[{a val [{2 3} {4 2} {6 2}]}]"} {
		if series, err := runs.SeriesOf([]*runs.Run{r}, "nll", split); err != nil || fmt.Sprint(series) != want {
			t.Errorf("%q: %v, %v", split, series, err)
		}
	}
	if _, err := runs.SeriesOf([]*runs.Run{{}}, "nll", ""); err == nil || err.Error() != "nothing is on record yet" {
		t.Error(err)
	}
	if none := (&runs.Run{}); none.Best() != nil || none.Step() != 0 || !none.Changed().IsZero() {
		t.Error("a run without records has some")
	}
}
