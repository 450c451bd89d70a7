package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/scale"
)

func newScale() *cobra.Command {
	return group(&cobra.Command{
		Use:   "scale",
		Short: "Scaling laws: train a ladder of sizes, fit, plan a budget",
		Long: `Scale trains models of several sizes and budgets, fits the laws that say what loss N
parameters reach on D tokens, and tells the best model for a budget. What N counts
changes every coefficient: --count chooses all parameters, or those outside of
embeddings and head, and every output says which.`,
		Example: `  gotrain scale run --config configs/ladders/opticks.yaml
  gotrain scale fit runs/ladder --picture laws.png
  gotrain scale plan --fit runs/ladder --flops 1e15`,
	}, newScaleRun(), newScaleFit(), newScalePlan(), newScaleFigure())
}

// counts completes --count.
var counts = fixed(string(scale.CountAll)+"\t"+scale.CountAll.Text(), string(scale.CountBody)+"\t"+scale.CountBody.Text())

// absent marks a file that a user named and that is not there as wrong use.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{err}
	}
	return err
}

func isTable(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".csv" || ext == ".tsv"
}

// noting writes notes to standard error.
func noting(c *cobra.Command) func(format string, args ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(c.ErrOrStderr(), "note: "+format+"\n", args...)
	}
}

// countOf is what N counts: where nothing says so, what the laws of the one directory
// count; of a table only its author knows.
func countOf(named string, args []string) scale.Count {
	if named != "" {
		return scale.Count(named)
	}
	if isTable(args[0]) {
		return ""
	}
	if len(args) == 1 {
		if r, err := scale.OfFolder(vfs.OS{}, args[0]); r != nil && err == nil && r.Count != "" {
			return r.Count
		}
	}
	return scale.CountAll
}
