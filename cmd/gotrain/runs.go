package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/units"
)

func newRuns() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "runs [DIR...]",
		Short: "A table of runs: where they stand and what they reached",
		Long: `Runs lists the runs in the directories and below them, by default below runs: the
step, the newest losses of training and of held-out data, the best one and its step,
the speed, and whether a process is at it now.`,
		Example: `  gotrain runs
  gotrain runs runs/opticks experiments`,
		RunE: func(c *cobra.Command, args []string) error {
			list, err := openRuns(args)
			if err != nil {
				return err
			}
			rows := make([]runRow, len(list))
			for i, r := range list {
				rows[i] = rowOf(r)
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), map[string]any{"runs": rows})
			}
			for _, r := range list {
				if r.Fault != nil {
					fmt.Fprintf(c.ErrOrStderr(), "note: %v\n", r.Fault)
				}
			}
			return printRuns(c.OutOrStdout(), rows)
		},
		ValidArgsFunction: directories,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// openRuns opens the runs in paths and below them, by default below runs.
func openRuns(paths []string) ([]*runs.Run, error) {
	if len(paths) == 0 {
		paths = []string{"runs"}
	}
	dirs, err := runs.Find(paths...)
	if err != nil {
		return nil, usageError{err}
	}
	list := make([]*runs.Run, len(dirs))
	for i, dir := range dirs {
		if list[i], err = runs.Open(dir, tables()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// runRow is a row of the table. Numbers that a run lacks are null.
type runRow struct {
	Run      string     `json:"run"`
	State    runs.State `json:"state"`
	Recipe   string     `json:"recipe"`
	Family   string     `json:"family"`
	Step     int64      `json:"step"`
	Steps    int        `json:"steps"`
	Seen     int64      `json:"seen"` // units, such as tokens
	Unit     string     `json:"unit"`
	Metric   string     `json:"metric"` // what the run is judged by
	Train    *float64   `json:"train"`
	Val      *float64   `json:"val"`
	Best     *float64   `json:"best"`
	BestStep *int64     `json:"best_step"`
	PerS     *float64   `json:"per_s"`
	Changed  *time.Time `json:"changed"`
}

func rowOf(r *runs.Run) runRow {
	row := runRow{Run: r.Dir, State: r.State, Recipe: r.Recipe, Family: r.Family, Step: r.Step(), Steps: r.Steps}
	first := func(rec *metrics.Record) *float64 {
		if rec == nil || len(rec.Values) == 0 {
			return nil
		}
		row.Metric = cmp.Or(row.Metric, rec.Values[0].Name)
		return finite(rec.Values[0].Value)
	}
	last := r.Last(metrics.Train)
	row.Train, row.Val, row.Best = first(last), first(r.Last(metrics.Val)), first(r.Best())
	if last != nil {
		row.Seen, row.Unit, row.PerS = last.Seen, last.Unit, finite(last.PerS)
	}
	if best := r.Best(); best != nil {
		row.BestStep = &best.Step
	}
	if t := r.Changed(); !t.IsZero() {
		row.Changed = &t
	}
	return row
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func printRuns(w io.Writer, rows []runRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "run\tstate\trecipe\tfamily\tstep\tseen\tmetric\ttrain\theld out\tbest\tspeed\tchanged")
	number := func(x *float64) string {
		if x == nil {
			return "-"
		}
		return fmt.Sprintf("%.4f", *x)
	}
	for _, r := range rows {
		best, speed, changed := "-", "-", "-"
		if r.Best != nil {
			best = fmt.Sprintf("%s at %d", number(r.Best), *r.BestStep)
		}
		if r.PerS != nil {
			speed = units.Count(int64(*r.PerS)) + " " + r.Unit + "/s"
		}
		if r.Changed != nil {
			changed = r.Changed.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintln(t, strings.Join([]string{r.Run, string(r.State), cmp.Or(r.Recipe, "?"), cmp.Or(r.Family, "?"), fmt.Sprintf("%d/%d", r.Step, r.Steps),
			strings.TrimSpace(units.Count(r.Seen) + " " + r.Unit), cmp.Or(r.Metric, "-"), number(r.Train), number(r.Val), best, speed, changed}, "\t"))
	}
	return t.Flush()
}
