package scale_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/scale"
)

// TestTextsOfFaults holds the whole text of what is wrong with tables, options, names and files.
func TestTextsOfFaults(t *testing.T) {
	read := func(file, text string, columns scale.Columns) string {
		_, err := scale.ReadCSV(strings.NewReader(text), file, columns)
		return fmt.Sprint(err)
	}
	change := func(old, new string) string { return strings.Replace(table, old, new, 1) }
	options := func(change func(*scale.Options)) string {
		o := scale.Defaults()
		change(&o)
		return fmt.Sprint(o.Validate())
	}
	file := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, scale.FileName), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := scale.OfFolder(vfs.OS{}, dir)
		return strings.ReplaceAll(fmt.Sprint(err), dir, "DIR")
	}
	points := func(n int, change func(i int, p *scale.Point)) string {
		var list []scale.Point
		for i := range n {
			p := scale.Point{N: 1e6 * float64(1+i), D: 1e7 * float64(2+i*i), Loss: 5 - float64(i)/10, From: fmt.Sprint("run ", i)}
			change(i, &p)
			list = append(list, p)
		}
		o := scale.Defaults()
		o.Resamples = 0
		_, err := scale.Make(list, scale.CountAll, o)
		return fmt.Sprint(err)
	}
	_, unknown := scale.Published("x")
	for _, tc := range []struct{ name, got, want string }{
		{"empty", read("a.csv", "", scale.Columns{}), "a.csv is empty; it wants a row of names and a row for each run"}, {"column", read("a.csv", table, scale.Columns{D: "seen"}), `a.csv:1: there is no column "seen"; there are "n", "d", "loss"`}, {"no loss", read("a.csv", change("loss", "val"), scale.Columns{}), `a.csv:1: no column is the loss; name it by --loss: there are "n", "d", "val"`},
		{"one of three", read("a.csv", change("d", "seen"), scale.Columns{}), `a.csv:1: two of N, D and C = 6·N·D are needed; name them by --n, --d or --c: there are "n", "seen", "loss"`}, {"two names", read("a.csv", change("d", "params"), scale.Columns{}), `a.csv:1: both "n" and "params" could be N; say which by --n`}, {"two losses", read("a.csv", change("n,d,loss", "n,nll,loss"), scale.Columns{}), `a.csv:1: both "nll" and "loss" could be loss; say which by --loss`},
		{"a word", read("a.csv", change("3e7", "many"), scale.Columns{}), `a.csv:3: "d" is "many", which is no number`}, {"below 0", read("a.csv", change(",4\n", ",-4\n"), scale.Columns{}), `a.csv:4: "loss" is -4; it has to be above 0 and finite`}, {"0", read("a.csv", change("1e6", "0"), scale.Columns{}), `a.csv:2: "n" is 0; it has to be above 0 and finite`},
		{"no end", read("a.csv", change("1e6", "1e999"), scale.Columns{}), `a.csv:2: "n" is 1e999; it has to be above 0 and finite`}, {"short", read("a.csv", change("3e7,4.5", "3e7"), scale.Columns{}), `a.csv:3: the row ends before the column "loss"`}, {"range", read("a.csv", change("1e6,2e7", "1e200,1e200"), scale.Columns{}), "a.csv:2: N = 1e+200 and D = 1e+200 are out of range"},
		{"quote", read("a.csv", change("1e6", `1"e6`), scale.Columns{}), `a.csv:2: bare " in non-quoted-field`}, {"quote in a name", read("a.csv", change("n", `n"`), scale.Columns{}), `a.csv:1: bare " in non-quoted-field`}, {"few", read("a.csv", table[:len("n,d,loss\n1e6,2e7,5\n")], scale.Columns{}), "a.csv has 1 runs; a law of five coefficients needs 6 or more"},
		{"tabs of commas", read("a.TSV", table, scale.Columns{}), `a.TSV:1: no column is the loss; name it by --loss: there are "n,d,loss"`}, {"a space of tabs", read("a.tsv", strings.ReplaceAll(change("d", " d"), ",", "\t"), scale.Columns{}), "<nil>"},
		{"bootstrap", options(func(o *scale.Options) { o.Resamples = -1 }), "bootstrap is -1; use 0 to 1000000"}, {"a large bootstrap", options(func(o *scale.Options) { o.Resamples = 1_000_001 }), "bootstrap is 1000001; use 0 to 1000000"}, {"largest", options(func(o *scale.Options) { o.Resamples = 1_000_000 }), "<nil>"},
		{"band", options(func(o *scale.Options) { o.Band = 1 }), "band is 1; use a share between 0 and 1, such as 0.95"}, {"band 0", options(func(o *scale.Options) { o.Band = 0 }), "band is 0; use a share between 0 and 1, such as 0.95"}, {"delta", options(func(o *scale.Options) { o.Delta = 0 }), "delta is 0; it has to be above 0"}, {"tolerance", options(func(o *scale.Options) { o.Tolerance = -1 }), "tolerance is -1; it has to be 0 or more"},
		{"exact curves", options(func(o *scale.Options) { o.Tolerance = 0 }), "<nil>"},
		{"published", fmt.Sprint(unknown), `there is no published law "x"; use chinchilla, hoffmann, hoffmann-rounded`}, {"no JSON", file(""), "DIR/scale.json holds no fitted laws: unexpected end of JSON input; gotrain scale fit writes them"}, {"a list", file("[]"), "DIR/scale.json holds no fitted laws: json: cannot unmarshal array into Go value of type scale.Report; gotrain scale fit writes them"}, {"no law", file("{}"), "DIR/scale.json holds no fitted law; gotrain scale fit writes one"}, {"a resample", file(`{"band":0.5,"parametric":{"a":{"value":1},"b":{"value":1},"e":{"value":1},"alpha":{"value":0.3},"beta":{"value":0.3}},"resamples":[[0,0,0,0,0,0]]}`), "DIR/scale.json holds a resample that is no law; gotrain scale fit writes it anew"},
		{"5 points", points(5, func(int, *scale.Point) {}), "there are 5 points; a law of five coefficients needs 6 or more"}, {"one N", points(9, func(_ int, p *scale.Point) { p.N = 1e6 }), "the points have 1 values of N; a law needs 3 or more"}, {"two D", points(9, func(i int, p *scale.Point) { p.D = float64(1+i%2) * 1e6 }), "the points have 2 values of D; a law needs 3 or more"},
		{"a loss of 0", points(9, func(i int, p *scale.Point) { p.Loss *= float64(min(1, (i+5)%8)) }), "run 3: the loss is 0; it has to be above 0"}, {"an N of 0", points(9, func(i int, p *scale.Point) { p.N *= float64(min(1, (i+5)%8)) }), "run 3: N is 0; it has to be above 0"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}

// TestPlansByHand: what a law without points and Kaplan's say, and how far a plan lies beyond the runs.
func TestPlansByHand(t *testing.T) {
	law := scale.Law{A: 16, B: 27, E: 1, Alpha: 0.5, Beta: 1. / 3} // L(10⁴, 10⁶) = 1 + 16/100 + 27/100
	r := scale.OfLaw(law, scale.CountAll)
	r.C = scale.Range{Low: 1, High: 3e10}
	p := r.Expect(1e4, 1e6)
	near(t, "loss", p.Loss.Value, 1.43, 1e-12)
	near(t, "C", p.C, 6e10, 1)
	near(t, "beyond", p.Beyond, 2, 1e-12)
	if p.N.Value != 1e4 || p.D.Value != 1e6 || r.Expect(1e4, 1e5).Beyond != 0 {
		t.Errorf("%+v", p)
	}
	// α·A/N^α = β·B/D^β at the best run, and 6·N·D = C.
	best := r.Best(6e10)
	n, d := best.N.Value, best.D.Value
	near(t, "6·N·D", 6*n*d/6e10, 1, 1e-9)
	near(t, "loss of the best", best.Loss.Value, law.Loss(n, d), 1e-12)
	if best.C != 6e10 || best.Loss.Value > p.Loss.Value {
		t.Errorf("%+v", best)
	}
	if r.Counted != scale.CountAll.Text() || r.Parametric.Law() != law {
		t.Errorf("%+v", r)
	}
	k := scale.KaplanPublished
	for _, tc := range []struct{ n, d, loss, c float64 }{{1e9, 0, k.N.At(1e9), 0}, {0, 1e10, k.D.At(1e10), 0}, {1e9, 1e10, k.Loss(1e9, 1e10), 6e19}} {
		p := k.Expect(tc.n, tc.d)
		if p.N.Value != tc.n || p.D.Value != tc.d || p.Loss.Value != tc.loss || p.C != tc.c {
			t.Errorf("%+v, want %+v", p, tc)
		}
	}
}
