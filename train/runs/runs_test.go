package runs_test

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/recipe/all"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

// write makes a run's directory with one record a line.
func write(t *testing.T, dir string, lines ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	config := "train: {steps: 20}\nmodel: {family: llama}\ndata: {train: [x.txt]}\n"
	for name, text := range map[string]string{"config.yaml": config, "metrics.jsonl": strings.Join(lines, "\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func line(step int, split string, nll float64) string {
	return fmt.Sprintf(`{"step":%d,"split":%q,"nll":%g,"lr":0.1,"grad_norm":1,"tokens":%d,"tokens_per_s":5,"step_ms":2,"mfu":null,"time":"2026-01-02T03:04:%02dZ"}`,
		step, split, nll, 10*step, step)
}

func TestRuns(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "b"), line(10, "train", 3), line(10, "val", 2.5), line(20, "train", 2), line(20, "val", 2.75), "")
	write(t, filepath.Join(root, "deep", "a"), line(10, "train", 4), `{"step":11,"spl`)
	dirs, err := runs.Find(root, filepath.Join(root, "b"))
	if err != nil || len(dirs) != 2 || filepath.Base(dirs[0]) != "b" || filepath.Base(dirs[1]) != "a" {
		t.Fatalf("found %q, %v", dirs, err)
	}
	for below, want := range map[string]int{"1/2/3/4": 1, "1/2/3/4/5": 0} {
		far := t.TempDir()
		write(t, filepath.Join(far, below), line(10, "train", 3))
		if dirs, err := runs.Find(far); len(dirs) != want || (err == nil) != (want > 0) {
			t.Errorf("%s levels below: found %q, %v", below, dirs, err)
		}
	}
	open := func(dir string) *runs.Run {
		r, err := runs.Open(dir, all.Table().Config())
		if err != nil || r.Fault != nil {
			t.Fatal(err, r.Fault)
		}
		return r
	}
	b := open(dirs[0])
	if b.State != runs.Done || b.Family != "llama" || b.Recipe != "lm" || b.Steps != 20 || b.Step() != 20 || b.Torn != 0 {
		t.Errorf("run b: %+v", b)
	}
	if best := b.Best(); best.Step != 10 || best.Get("nll") != 2.5 {
		t.Errorf("best of b is %+v, want step 10", best)
	}
	if last := b.Last(metrics.Train); last.Get("nll") != 2 || last.Seen != 200 || last.Unit != "tokens" {
		t.Errorf("last of b is %+v", last)
	}
	a := open(dirs[1])
	if a.State != runs.Stopped || a.Torn != 1 || len(a.Records) != 1 || a.Best() != nil || a.Last(metrics.Val) != nil {
		t.Errorf("run a: %+v", a)
	}
	lock, err := checkpoint.LockRun(vfs.OS{}, dirs[1])
	if err != nil {
		t.Fatal(err)
	}
	if a = open(dirs[1]); a.State != runs.Running {
		t.Errorf("a run whose lock is held is %s", a.State)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}

	series, err := runs.SeriesOf([]*runs.Run{a, b}, "nll", "")
	if err != nil || len(series) != 3 || series[0].Name != "a train" || series[2].Name != "b val" || series[2].Points[1] != (runs.Point{X: 20, Y: 2.75}) {
		t.Fatalf("series %+v, %v", series, err)
	}
	if _, err := runs.SeriesOf([]*runs.Run{a}, "fid", ""); err == nil || !strings.Contains(err.Error(), "grad_norm, lr, nll, step_ms, tokens_per_s") {
		t.Errorf("a metric that is not there: %v", err)
	}
	var picture, text bytes.Buffer
	if err := runs.WritePlot(&picture, "png", "nll", series); err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(&picture); err != nil {
		t.Errorf("the picture: %v", err)
	}
	if err := runs.Terminal(&text, "nll", series, 40, 6, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nll\n", "        4 │⠁", "b val: 2.75 at the end, lowest 2.5"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if _, err := runs.Find(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no run") {
		t.Errorf("nothing there: %v", err)
	}
}

// TestWriteLaws draws runs that obey a law, in both formats.
func TestWriteLaws(t *testing.T) {
	law := scale.Law{A: 30, B: 120, E: 1.2, Alpha: .3, Beta: .4}
	var points []scale.Point
	for n := 1e5; n < 2e6; n *= 2 {
		for _, c := range []float64{1e13, 1e14, 1e15} {
			points = append(points, scale.Point{N: n, D: c / 6 / n, Loss: law.Loss(n, c/6/n)})
		}
	}
	o := scale.Defaults()
	o.Resamples = 10
	r, err := scale.Make(points, scale.CountAll, o)
	if err != nil {
		t.Fatal(err)
	}
	var picture, drawing bytes.Buffer
	if err := runs.WriteLaws(&picture, "png", r, points); err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(&picture); err != nil {
		t.Error(err)
	}
	if err := runs.WriteLaws(&drawing, "svg", r, points); err != nil || !strings.Contains(drawing.String(), "</svg>") {
		t.Errorf("%v: %.100q", err, drawing.String())
	}
}
