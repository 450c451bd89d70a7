package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
	"example.com/gotrain/train/units"
)

// list prints where the runs stand.
func (f *figureFlags) list(c *cobra.Command, sides [2]ladder.Side) error {
	var all []ladder.Standing
	for _, side := range sides {
		rows, err := ladder.States(side.Rungs, tables())
		if err != nil {
			return err
		}
		all = append(all, rows...)
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), map[string]any{"count": scale.CountBody, "counted": scale.CountBody.Text(), "runs": all})
	}
	for _, r := range all {
		fmt.Fprintf(c.OutOrStdout(), "%-8s N %-7s D %-7s %7d steps  %s\n", r.State, units.Count(int64(r.N)), units.Count(int64(r.D)), r.Steps, r.Run)
	}
	return nil
}

// write leaves the table and the picture, and prints what the pairs gain.
func (f *figureFlags) write(c *cobra.Command, curves []ladder.Curve) error {
	if err := ladder.WriteCurves(vfs.OS{}, f.csv, curves); err != nil {
		return err
	}
	var series []runs.Series
	for _, curve := range curves {
		s := runs.Series{Name: fmt.Sprintf("%s, %s parameters", curve.Side, units.Count(int64(curve.N)))}
		for t, nll := range curve.NLL {
			s.Points = append(s.Points, runs.Point{X: float64(t + 1), Y: nll})
		}
		series = append(series, s)
	}
	err := vfs.WriteFile(vfs.OS{}, f.picture, func(w io.Writer) error {
		return runs.WritePositions(w, strings.TrimPrefix(filepath.Ext(f.picture), "."), series)
	})
	if err != nil {
		return err
	}
	return f.print(c, curves)
}

func (f *figureFlags) print(c *cobra.Command, curves []ladder.Curve) error {
	early, late := curves[0].Ranges()
	type row struct {
		ladder.Curve
		Early float64 `json:"early_nll"`
		Late  float64 `json:"late_nll"`
		Gain  float64 `json:"gain"`
	}
	rows := make([]row, len(curves))
	for i, curve := range curves {
		rows[i] = row{curve, curve.Mean(early[0], early[1]), curve.Mean(late[0], late[1]), curve.Gain()}
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), map[string]any{
			"counted": scale.CountBody.Text(), "early": early, "late": late, "curves": rows, "csv": f.csv, "picture": f.picture,
		})
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "%-12s %8s %8s  %9s %9s  %6s\n", "", "N", "D", fmt.Sprintf("%d-%d", early[0], early[1]-1), fmt.Sprintf("%d-%d", late[0], late[1]-1), "gain")
	for i, r := range rows {
		fmt.Fprintf(out, "%-12s %8s %8s  %9.4f %9.4f  %6.4f", r.Side, units.Count(int64(r.N)), units.Count(int64(r.D)), r.Early, r.Late, r.Gain)
		if i%2 == 1 {
			fmt.Fprintf(out, "  the Transformer gains %.4f nats more", rows[i-1].Gain-r.Gain)
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintf(out, "%s and %s have the curves\n", f.csv, f.picture)
	return err
}

// errNoHeldOut says that there is nothing to compare on.
var errNoHeldOut = errors.New("no text is held out: set data.validation")
