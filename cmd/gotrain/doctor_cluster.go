package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/probe"
	"example.com/gotrain/train/ranks/store"
	"example.com/gotrain/train/units"
)

// clusterTime is how long the whole examination may take.
const clusterTime = 5 * time.Minute

// doctorCluster is doctor --cluster on one rank; rank 0 prints.
func doctorCluster(c *cobra.Command, dir, config, deviceName string, asJSON bool) error {
	facts, err := clusterFacts(config)
	if err != nil {
		return usageError{err}
	}
	cluster, err := joinCluster(c.Context(), "auto", deviceName)
	if err != nil {
		return err
	}
	if cluster.Group == nil {
		return usageError{errors.New("doctor --cluster examines several ranks, and this process is alone: " +
			"start it as a run is started, such as by mpirun -np 2 gotrain doctor --cluster")}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	ctx, cancel := context.WithTimeout(c.Context(), clusterTime)
	defer cancel()
	p := probe.Probe{Group: cluster.Group, Store: store.WithPrefix(cluster.Store, "doctor"), Host: host, Dir: device.NearestDir(dir), Facts: facts, Sizes: probe.Sizes,
		Pair: func(ctx context.Context, s ranks.Store, rank int) (ranks.Group, error) {
			return cluster.Subgroup(ctx, s, rank, 2)
		}}
	report, err := p.Examine(ctx)
	if err == nil && cluster.First() {
		if asJSON {
			err = writeJSON(c.OutOrStdout(), report)
		} else {
			err = printCluster(c.OutOrStdout(), report)
		}
	}
	return errors.Join(err, cluster.Close(err))
}

// clusterFacts is what has to be alike on all ranks: the program, the kernels,
// whose sums differ by rounding, and a configuration when one is given.
func clusterFacts(config string) ([]ranks.Fact, error) {
	facts := []ranks.Fact{
		{Name: "program", Value: readBuild().String(), Cure: "install the same binary on all nodes"},
		{Name: "kernels", Value: device.Kernels(), Cure: "use nodes with the same instruction set, else sums differ by rounding"},
	}
	if config == "" {
		return facts, nil
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	return append(facts, ranks.Fact{Name: "configuration", Value: fmt.Sprintf("%.6x", sha256.Sum256(text)), Cure: "give all ranks the same file"}), nil
}

// printCluster writes the tables, then the findings.
func printCluster(w io.Writer, r *probe.Report) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rank\thost\tclock s\tdisk MB/s\t")
	for _, rank := range r.Ranks {
		fmt.Fprintf(table, "%d\t%s\t%+.4f\t%.0f\t\n", rank.Rank, rank.Host, rank.ClockS, rank.DiskMBs)
	}
	fmt.Fprintln(table, "\t\t\t\t\nlink\tlatency µs\tGB/s\t\t")
	for _, l := range r.Links {
		fmt.Fprintf(table, "%d-%d\t%.1f\t%.3g\t\t\n", l.From, l.To, l.LatencyUS, l.GBs)
	}
	fmt.Fprintln(table, "\t\t\t\t\nall-reduce\tms\tbus GB/s\t\t")
	for _, a := range r.AllReduce {
		fmt.Fprintf(table, "%s\t%.3f\t%.3g\t\t\n", units.Bytes(int64(a.Bytes)), a.TimeMS, a.BusGBs)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return printFindings(w, r.Findings)
}
