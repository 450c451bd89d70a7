package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/runs"
)

func newPlot() *cobra.Command {
	var metric, split, out string
	c := &cobra.Command{
		Use:   "plot [DIR...]",
		Short: "Draw a metric of runs over the steps",
		Long: `Plot draws a metric of the runs in the directories and below them, by default below
runs: on the terminal, or as a picture with --out. Any number of metrics.jsonl is a
metric: nll, ppl, lr, grad_norm, tokens_per_s, step_ms, mfu, …`,
		Example: `  gotrain plot runs/opticks
  gotrain plot runs/a runs/b --metric ppl --split val --out compare.png`,
		RunE: func(c *cobra.Command, args []string) error {
			format := strings.TrimPrefix(strings.ToLower(filepath.Ext(out)), ".")
			if out != "" && format != "png" && format != "svg" {
				return usagef("--out is %q; the name of a picture ends in .png or .svg", out)
			}
			if split != "" && split != string(metrics.Train) && split != string(metrics.Val) {
				return usagef("--split is %q; it is train, val or left out for both", split)
			}
			list, err := openRuns(args)
			if err != nil {
				return err
			}
			series, err := runs.SeriesOf(list, metric, metrics.Split(split))
			if err != nil {
				return usageError{err}
			}
			if out == "" {
				width, colours := terminalWidth(c.OutOrStdout())
				return runs.Terminal(c.OutOrStdout(), metric, series, width-13, 16, colours)
			}
			return writePicture(out, func(w io.Writer) error { return runs.WritePlot(w, format, metric, series) })
		},
		ValidArgsFunction: directories,
	}
	c.Flags().StringVar(&metric, "metric", "nll", "`NAME` of what is drawn, a key of metrics.jsonl")
	c.Flags().StringVar(&split, "split", "", "`NAME` of the data, train or val, both by default")
	c.Flags().StringVar(&out, "out", "", "write a picture to `FILE`.png or .svg")
	complete(c, "split", fixed("train", "val"))
	complete(c, "out", filesWith("png", "svg"))
	return c
}

// writePicture writes what draw draws, nothing where it fails.
func writePicture(file string, draw func(io.Writer) error) error {
	var picture bytes.Buffer
	if err := draw(&picture); err != nil {
		return err
	}
	return vfs.WriteFile(vfs.OS{}, file, func(w io.Writer) error {
		_, err := picture.WriteTo(w)
		return err
	})
}

// terminalWidth is the width of w in characters, and whether it shows colours.
func terminalWidth(w io.Writer) (int, bool) {
	if !console.Terminal(w) {
		return 100, false
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 100, true
	}
	return max(40, min(width, 200)), os.Getenv("NO_COLOR") == ""
}
