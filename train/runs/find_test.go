package runs

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/train/metrics"
)

// TestFind: which directories are runs, of paths and below them, and the whole text for those
// that have none.
func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a/config.yaml", "a/metrics.jsonl", "a/inner/config.yaml", "a/inner/metrics.jsonl", "b/config.yaml", "c/metrics.jsonl", "d/config.yaml/x", "d/metrics.jsonl", "e/metrics.jsonl/x", "e/config.yaml",
		"1/2/3/4/config.yaml", "1/2/3/4/metrics.jsonl", "1/2/3/4/5/config.yaml", "1/2/3/5/6/config.yaml", "1/2/3/5/6/metrics.jsonl", "file"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ paths, want string }{
		{".", "1/2/3/4 a"}, {"a", "a"}, {"a/inner", "a/inner"}, {"a a/ . a/inner", "1/2/3/4 a a/inner"}, {"1", "1/2/3/4 1/2/3/5/6"}, {"b", "b is no run and has none below it: a run has config.yaml and metrics.jsonl"}, {"c", "c is no run and has none below it: a run has config.yaml and metrics.jsonl"}, {"d", "d is no run and has none below it: a run has config.yaml and metrics.jsonl"}, {"e", "e is no run and has none below it: a run has config.yaml and metrics.jsonl"}, {"none", "there is no directory none; name one that has runs"}, {"a none", "there is no directory none; name one that has runs"}, {"a b", "b is no run and has none below it: a run has config.yaml and metrics.jsonl"}, {"file", "open file: not a directory"},
	} {
		var paths []string
		for path := range strings.FieldsSeq(tc.paths) {
			paths = append(paths, root+"/"+path)
		}
		found, err := Find(paths...)
		for i, dir := range found {
			found[i] = strings.TrimPrefix(dir, root+"/")
		}
		got := strings.Join(found, " ")
		if err != nil {
			got = strings.ReplaceAll(err.Error(), root+"/", "")
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.paths, got, tc.want)
		}
	}
}

// TestSeries: the points of a metric by run and split, and the whole text where there are none.
func TestSeries(t *testing.T) {
	record := func(step int64, split metrics.Split, values ...metrics.Value) metrics.Record {
		return metrics.Record{Step: step, Split: split, Values: values}
	}
	a := &Run{Dir: "x/a", Records: []metrics.Record{record(1, metrics.Train, metrics.Value{Name: "loss", Value: 3}), record(2, metrics.Val, metrics.Value{Name: "loss", Value: 2.5}), record(2, metrics.Train, metrics.Value{Name: "loss", Value: math.NaN()}),
		record(3, metrics.Train, metrics.Value{Name: "loss", Value: 2}, metrics.Value{Name: "other", Value: 7})}}
	b := &Run{Dir: "x/b", Records: []metrics.Record{record(5, metrics.Val, metrics.Value{Name: "loss", Value: 1})}}
	for _, tc := range []struct {
		runs   []*Run
		metric string
		split  metrics.Split
		want   string
	}{
		{[]*Run{a, b}, "loss", "", "[{a train [{1 3} {3 2}]} {a val [{2 2.5}]} {b val [{5 1}]}]"}, {[]*Run{b, a}, "loss", metrics.Val, "[{b val [{5 1}]} {a val [{2 2.5}]}]"}, {[]*Run{a, b}, "loss", metrics.Train, "[{a train [{1 3} {3 2}]}]"},
		{[]*Run{a, b}, "other", "", "[{a train [{3 7}]}]"}, {[]*Run{b}, "other", "", `no run has the metric "other"; there are: _per_s, grad_norm, loss, lr, mfu, step_ms`}, {[]*Run{a}, "x", metrics.Train, `no run has the metric "x"; there are: _per_s, grad_norm, loss, lr, mfu, other, step_ms`}, {[]*Run{b}, "loss", metrics.Train, "nothing is on record yet"}, {nil, "loss", "", "nothing is on record yet"},
	} {
		all, err := SeriesOf(tc.runs, tc.metric, tc.split)
		got := fmt.Sprint(all)
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s %s: got %q, want %q", tc.metric, tc.split, got, tc.want)
		}
	}
}
