package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

// fitFlags are the flags of scale fit.
type fitFlags struct {
	columns                 scale.Columns
	options                 scale.Options
	count, out, pictureFile string
	worst                   int
	curves, json            bool
}

func newScaleFit() *cobra.Command {
	f := fitFlags{options: scale.Defaults()}
	c := &cobra.Command{
		Use:   "fit DIR...|FILE.csv",
		Short: "Fit scaling laws to runs or to a table of N, D and loss",
		Long: `Fit reads the runs in directories and below them that are done, with their held-out
loss at the end, or a table (.csv, .tsv) with two of the columns N, D and C = 6·N·D
beside the loss. It fits

  L = E + A/N^α + B/D^β   Huber's loss of log L from 4500 starts (Chinchilla, approach 3)
  N ∝ C^a                 minima of parabolas at equal compute (2), envelope of sizes (1)
  Kaplan's laws           L(N, D) and its limits L(N) and L(D); L(C) along the envelope

with bands by a bootstrap over the runs. Laws of one directory are kept there, in
scale.json: then gotrain plan, and each run beside them, tells the loss to expect.`,
		Example: `  gotrain scale fit runs/ladder
  gotrain scale fit points.csv --n "Model Size" --c "Training FLOP" --drop-worst 5 --picture laws.svg`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s wants directories of runs, or a table; see %s --help", c.CommandPath(), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	flags := c.Flags()
	flags.StringVar(&f.count, "count", "", "`COUNT` of N: all or non-embedding (default: as scale.json of the directory, else all); of a table what its column counts")
	flags.StringVar(&f.columns.N, "n", "", "`COLUMN` of a table that is N (default: n, params, parameters or model size)")
	flags.StringVar(&f.columns.D, "d", "", "`COLUMN` that is D (default: d, tokens or training tokens)")
	flags.StringVar(&f.columns.C, "c", "", "`COLUMN` that is C (default: c, flops, flop, compute or training flop)")
	flags.StringVar(&f.columns.Loss, "loss", "", "`COLUMN` that is the loss in nats per token (default: loss or nll)")
	flags.IntVar(&f.worst, "drop-worst", 0, "leave out the `K` largest losses, such as of runs that diverged")
	flags.BoolVar(&f.curves, "curves", false, "take every evaluation of a run, not the end alone")
	flags.IntVar(&f.options.Resamples, "bootstrap", f.options.Resamples, "`N` resamples for the bands; 0 for none")
	flags.Float64Var(&f.options.Band, "band", f.options.Band, "`SHARE` of the resamples within a band")
	flags.Uint64Var(&f.options.Seed, "seed", f.options.Seed, "`SEED` of the resamples")
	flags.Float64Var(&f.options.Delta, "delta", f.options.Delta, "`SIZE` of an error of log L from which on it counts by its size, not its square")
	flags.Float64Var(&f.options.Tolerance, "tolerance", f.options.Tolerance, "`SHARE` by which the compute of runs on one curve may differ")
	flags.StringVar(&f.pictureFile, "picture", "", "draw points and laws to `FILE`.png or .svg")
	flags.StringVar(&f.out, "out", "", "write the laws to `FILE` (default: scale.json in the directory, where one is named)")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "count", counts)
	complete(c, "picture", filesWith("png", "svg"))
	return c
}

func (f *fitFlags) run(c *cobra.Command, args []string) error {
	format := strings.TrimPrefix(strings.ToLower(filepath.Ext(f.pictureFile)), ".")
	if f.pictureFile != "" && format != "png" && format != "svg" {
		return usagef("--picture is %q; the name of a picture ends in .png or .svg", f.pictureFile)
	}
	if f.worst < 0 {
		return usagef("--drop-worst is %d; use 0 or more", f.worst)
	}
	if err := f.options.Validate(); err != nil {
		return usagef("--%w", err)
	}
	if f.count != "" {
		if err := ladder.CheckCount(f.count); err != nil {
			return usagef("--%w", err)
		}
	}
	count := countOf(f.count, args)
	points, err := f.points(c, args, count)
	if err != nil {
		return err
	}
	r, err := scale.Make(scale.DropWorst(points, f.worst), count, f.options)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, ", "), err)
	}
	if f.out == "" && len(args) == 1 && !isTable(args[0]) {
		f.out = filepath.Join(args[0], scale.FileName)
	}
	if f.out != "" {
		if err := r.Write(vfs.OS{}, f.out); err != nil {
			return err
		}
	}
	if f.pictureFile != "" {
		err := writePicture(f.pictureFile, func(w io.Writer) error {
			return runs.WriteLaws(w, format, r, scale.DropWorst(points, f.worst))
		})
		if err != nil {
			return err
		}
	}
	if f.json {
		r.Resamples = nil // they are in the file
		return writeJSON(c.OutOrStdout(), r)
	}
	return printLaws(c.OutOrStdout(), r, f.out)
}

// points reads those of the arguments: one table, or runs.
func (f *fitFlags) points(c *cobra.Command, args []string, count scale.Count) ([]scale.Point, error) {
	if isTable(args[0]) {
		if len(args) > 1 {
			return nil, usagef("%s is a table, which stands alone", args[0])
		}
		file, err := os.Open(args[0])
		if err != nil {
			return nil, absent(err)
		}
		defer file.Close()
		return scale.ReadCSV(file, args[0], f.columns)
	}
	if f.columns != (scale.Columns{}) {
		return nil, usagef("--n, --d, --c and --loss name columns of a table; %s is none", args[0])
	}
	dirs, err := runs.Find(args...)
	if err != nil {
		return nil, usageError{err}
	}
	results, err := ladder.Read(c.Context(), table(), noting(c), dirs)
	if err != nil {
		return nil, err
	}
	return ladder.Points(results, count, f.curves), nil
}
