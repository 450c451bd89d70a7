package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/train/device"
)

func newDoctor() *cobra.Command {
	var dir, config, on string
	var asJSON, ranks bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "What this machine has, and what to do about what it lacks",
		Long: `Doctor looks at the processor, memory, disk and GPUs. Each line is ok, or a warning
with what it costs and the cure. Warnings do not keep gotrain from working.

With --cluster, started on all ranks as a run is, it examines the cluster instead: whether
the ranks have the same program and configuration, their clocks and disks, the links
between neighbours, and sums over all ranks: over NCCL between GPUs, else between the
processors.`,
		Example: `  gotrain doctor
  gotrain doctor --run /scratch/runs
  mpirun -np 2 gotrain doctor --cluster
  torchrun --no-python --nproc-per-node=8 -- gotrain doctor --cluster --device cuda`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if ranks {
				return doctorCluster(c, dir, config, on, asJSON)
			}
			if config != "" {
				return usageError{errors.New("--config is for --cluster: it compares the file on all ranks")}
			}
			if c.Flags().Changed("device") {
				return usageError{errors.New("--device is for --cluster: without it doctor looks at all devices")}
			}
			findings := append([]device.Finding{{Name: "gotrain", OK: true, Detail: readBuild().String()}}, device.Examine(dir)...)
			if asJSON {
				return writeJSON(c.OutOrStdout(), struct {
					Findings []device.Finding `json:"findings"`
				}{findings})
			}
			return printFindings(c.OutOrStdout(), findings)
		},
	}
	c.Flags().StringVar(&dir, "run", "runs", "directory `DIR` whose disk to look at")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVar(&ranks, "cluster", false, "examine the ranks that a launcher started")
	c.Flags().StringVar(&config, "config", "", "configuration `FILE` that has to be the same on all ranks; with --cluster")
	c.Flags().StringVar(&on, "device", "auto", "device `NAME` of each rank: auto, cpu, cuda or cuda:N; with --cluster")
	complete(c, "run", directories)
	complete(c, "device", devices)
	return c
}

func printFindings(w io.Writer, findings []device.Finding) error {
	var b strings.Builder
	warnings := 0
	for _, f := range findings {
		status := "ok  "
		if !f.OK {
			status = "warn"
			warnings++
		}
		fmt.Fprintf(&b, "%s  %-11s %s\n", status, f.Name, f.Detail)
		if f.Cure != "" {
			fmt.Fprintf(&b, "%18s→ %s\n", "", f.Cure)
		}
	}
	if warnings == 0 {
		b.WriteString("everything is fine\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
