package ladder

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

// Result is what a run has come to.
type Result struct {
	Dir       string
	All, Body int64 // parameters, of both counts
	Point     scale.Point
	Curve     []scale.Point // of its evaluations, the last of which is Point
}

// counted is a point of the run with N as count says.
func (r Result) counted(count scale.Count, p scale.Point) scale.Point {
	p.N = float64(r.All)
	if count == scale.CountBody {
		p.N = float64(r.Body)
	}
	return p
}

// Read reads those of runs, by runs.Find, that are done: their held-out loss at the end,
// in nats per token. Others are told, with the reason.
func Read(ctx context.Context, table recipe.Table, tell func(format string, args ...any), dirs []string) ([]Result, error) {
	var results []Result
	for _, dir := range dirs {
		r, err := runs.Open(dir, table.Config())
		if err != nil {
			return nil, err
		}
		switch {
		case r.Fault != nil:
			tell("%s is left out: %v", dir, r.Fault)
			continue
		case r.State != runs.Done:
			tell("%s is left out: it is at step %d of %d", dir, r.Step(), r.Steps)
			continue
		}
		result := Result{Dir: dir}
		for _, rec := range r.Records {
			if loss := rec.Get("nll"); rec.Split == metrics.Val && rec.Unit == "tokens" && loss > 0 && rec.Seen > 0 && !math.IsInf(loss, 1) {
				result.Curve = append(result.Curve, scale.Point{D: float64(rec.Seen), Loss: loss, From: dir})
			}
		}
		if len(result.Curve) == 0 {
			tell("%s is left out: it has no held-out loss by the token (nll)", dir)
			continue
		}
		result.Point = result.Curve[len(result.Curve)-1]
		if result.All, result.Body, err = parameters(ctx, table, dir); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		results = append(results, result)
	}
	return results, nil
}

// parameters counts those of a run's model.
func parameters(ctx context.Context, table recipe.Table, dir string) (all, body int64, err error) {
	cfg, err := config.Load(config.Path(dir), nil, table.Config())
	if err != nil {
		return 0, 0, err
	}
	job, err := table.Design(ctx, recipe.Env{Config: cfg, FS: vfs.OS{}})
	if err != nil {
		return 0, 0, err
	}
	return forecast.Parameters(job, scale.CountAll), forecast.Parameters(job, scale.CountBody), nil
}

// Points are the ends of runs, with N as count says; with curves every evaluation of them.
// A schedule that lowers the learning rate to its end makes evaluations on the way worse
// than the end of a shorter run.
func Points(results []Result, count scale.Count, curves bool) []scale.Point {
	var points []scale.Point
	for _, r := range results {
		if !curves {
			points = append(points, r.counted(count, r.Point))
			continue
		}
		for _, p := range r.Curve {
			points = append(points, r.counted(count, p))
		}
	}
	return points
}

// WriteTable writes results as comma-separated values, which scale.ReadCSV reads: n is as
// count says, c is 6·n·d.
func WriteTable(fsys vfs.FS, file string, results []Result, count scale.Count) error {
	return vfs.WriteFile(fsys, file, func(w io.Writer) error {
		table := csv.NewWriter(w)
		number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
		if err := table.Write([]string{"run", "n", "d", "c", "loss", "parameters_all", "parameters_non_embedding"}); err != nil {
			return err
		}
		for _, r := range results {
			p := r.counted(count, r.Point)
			err := table.Write([]string{r.Dir, number(p.N), number(p.D), number(p.C()), number(p.Loss), strconv.FormatInt(r.All, 10), strconv.FormatInt(r.Body, 10)})
			if err != nil {
				return err
			}
		}
		table.Flush()
		return table.Error()
	})
}
