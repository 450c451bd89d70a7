package scale_test

import (
	"math"
	"strings"
	"testing"

	"example.com/gotrain/train/scale"
)

const table = "n,d,loss\n1e6,2e7,5\n2e6,3e7,4.5\n4e6,4e7,4\n1e6,5e7,4.1\n2e6,6e7,3.9\n4e6,7e7,3.7\n"

func TestReadCSV(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		columns    scale.Columns
	}{
		"usual names":   {"a.csv", table, scale.Columns{}},
		"a mark":        {"a.csv", "\ufeff" + table, scale.Columns{}},
		"capitals":      {"a.csv", strings.Replace(table, "n,d,loss", "Params, Tokens ,NLL", 1), scale.Columns{}},
		"named":         {"a.csv", strings.Replace(table, "n,d,loss", "size,seen,val", 1), scale.Columns{N: "size", D: "Seen", Loss: "val"}},
		"tabs":          {"a.tsv", strings.ReplaceAll(table, ",", "\t"), scale.Columns{}},
		"Windows":       {"a.csv", strings.ReplaceAll(table, "\n", "\r\n"), scale.Columns{}},
		"quoted, empty": {"a.csv", strings.Replace(table, "1e6,2e7", "\n\"1e6\",\" 2e7\"", 1), scale.Columns{}},
		"compute":       {"a.csv", strings.ReplaceAll(strings.Replace(table, "n,d,loss", "n,c,loss", 1), "2e7,", "1.2e14,"), scale.Columns{}},
	} {
		points, err := scale.ReadCSV(strings.NewReader(c.text), c.file, c.columns)
		if err != nil || len(points) != 6 || points[0].N != 1e6 || points[0].D != 2e7 || points[0].Loss != 5 {
			t.Errorf("%s: %+v, %v", name, points, err)
		}
	}
}

func TestBadCSV(t *testing.T) {
	change := func(old, new string) string { return strings.Replace(table, old, new, 1) }
	for want, c := range map[string]struct {
		text    string
		columns scale.Columns
	}{
		"a.csv is empty": {"", scale.Columns{}},
		`a.csv:1: there is no column "seen"; there are "n", "d", "loss"`: {table, scale.Columns{D: "seen"}},
		"a.csv:1: no column is the loss; name it by --loss":              {change("loss", "val"), scale.Columns{}},
		"a.csv:1: two of N, D and C = 6·N·D are needed":                  {change("d", "seen"), scale.Columns{}},
		`a.csv:1: both "n" and "params" could be N; say which by --n`:    {change("d", "params"), scale.Columns{}},
		`a.csv:3: "d" is "many", which is no number`:                     {change("3e7", "many"), scale.Columns{}},
		`a.csv:4: "loss" is -4; it has to be above 0 and finite`:         {change(",4\n", ",-4\n"), scale.Columns{}},
		`a.csv:2: "n" is 0; it has to be above 0`:                        {change("1e6", "0"), scale.Columns{}},
		`a.csv:2: "n" is 1e999; it has to be above 0 and finite`:         {change("1e6", "1e999"), scale.Columns{}},
		`a.csv:2: "n" is NaN; it has to be above 0 and finite`:           {change("1e6", "NaN"), scale.Columns{}},
		`a.csv:3: the row ends before the column "loss"`:                 {change("3e7,4.5", "3e7"), scale.Columns{}},
		"a.csv:2: N = 1e+200 and D = 1e+200 are out of range":            {change("1e6,2e7", "1e200,1e200"), scale.Columns{}},
		"a.csv:2: ":                            {change("1e6", `1"e6`), scale.Columns{}},
		"a.csv has 1 runs; a law of five coef": {table[:len("n,d,loss\n1e6,2e7,5\n")], scale.Columns{}},
	} {
		_, err := scale.ReadCSV(strings.NewReader(c.text), "a.csv", c.columns)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// FuzzReadCSV: whatever a table holds, there is an error or every point can be computed
// with.
func FuzzReadCSV(f *testing.F) {
	f.Add(table, "")
	f.Add("n,c,loss\n1,2,3\n", "c")
	f.Add("\"n\nd\",loss\n1,,\n", "d")
	f.Add("n;d;loss\n1;2;3\n", "")
	f.Fuzz(func(t *testing.T, text, column string) {
		points, err := scale.ReadCSV(strings.NewReader(text), "f.csv", scale.Columns{D: column})
		if err != nil && len(points) > 0 {
			t.Errorf("%d points beside %v", len(points), err)
		}
		for _, p := range points {
			for _, x := range []float64{p.N, p.D, p.Loss, p.C()} {
				if !(x > 0) || math.IsInf(x, 1) {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}
