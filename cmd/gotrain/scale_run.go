package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/ranks/join"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
	"example.com/gotrain/train/units"
)

func newScaleRun() *cobra.Command {
	var file string
	var set []string
	var asJSON, dry bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Train a ladder of sizes and budgets, one run after the other",
		Long: `Run trains each size of a ladder for each of its budgets, the cheapest first, into a
directory of its own; all share one cache of tokens. A run that is done is not made
again and one that was stopped goes on from its newest checkpoint, so the same command
finishes a ladder after an interrupt or kill -9; several processes may be at one
ladder. Under a launcher all ranks train each run together.

After each run table.csv has those that are done, and once a law can be fitted to them
scale.json has it: each further run then ends with the predicted loss beside its own.`,
		Example: `  gotrain scale run --config configs/ladders/opticks.yaml
  gotrain scale run --config configs/ladders/opticks.yaml --set dir=runs/more --dry-run`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "config"); err != nil {
				return usageError{err}
			}
			l, err := ladder.Load(file, set)
			if err != nil {
				return usageError{err}
			}
			rungs, err := l.Open(c.Context(), table())
			if err != nil {
				return usageError{err}
			}
			if !dry {
				if first, err := climb(c, l, rungs); err != nil || !first {
					return err
				}
			}
			rows, err := ladder.States(rungs, tables())
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), map[string]any{"count": l.Count, "counted": scale.Count(l.Count).Text(), "runs": rows})
			}
			for _, r := range rows {
				fmt.Fprintf(c.OutOrStdout(), "%-8s N %-7s D %-7s C %-9.3g %7d steps  %s\n", r.State, units.Count(int64(r.N)), units.Count(int64(r.D)), r.C, r.Steps, r.Run)
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "", "ladder `FILE` (YAML)")
	c.Flags().StringArrayVar(&set, "set", nil, "override a key of the ladder, `key=VALUE`; may be repeated")
	c.Flags().BoolVar(&dry, "dry-run", false, "list the runs and where they stand; train none")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	complete(c, "config", filesWith("yaml", "yml"))
	return c
}

// climb trains the rungs that are not done, and tells whether this is the first rank.
func climb(c *cobra.Command, l ladder.Config, rungs []ladder.Rung) (first bool, err error) {
	cfg := rungs[0].Config
	if err := checkPaths(cfg); err != nil {
		return false, err
	}
	states, err := ladder.States(rungs, tables())
	if err != nil {
		return false, err
	}
	err = withRanks(c, cfg, func(cluster *join.Cluster) error {
		first = cluster.First()
		for i, s := range states { // as all ranks saw them before the first step
			if s.State == runs.Done {
				continue
			}
			if first {
				fmt.Fprintf(c.ErrOrStderr(), "run %d of %d  N %s, D %s tokens, %.3g FLOPs: %s\n",
					i+1, len(rungs), units.Count(int64(s.N)), units.Count(int64(s.D)), s.C, s.Run)
			}
			err := trainRank(c, cluster, rungs[i].Config, "auto")
			var held *vfs.LockedError
			if errors.As(err, &held) && cluster.Group == nil {
				fmt.Fprintf(c.ErrOrStderr(), "note: another process is at this run\n")
				continue
			}
			if err != nil {
				return err
			}
			if first {
				if err := l.Record(c.Context(), table()); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return first, err
}
