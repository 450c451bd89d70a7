package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/autograd/cpu"
	"gotrain/autograd/cpu/kernel"
)

// finding is a line of doctor.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Cure   string `json:"cure,omitempty"`
}

func newDoctor() *cobra.Command {
	var dir, config, device string
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
				return doctorCluster(c, dir, config, device, asJSON)
			}
			if config != "" {
				return usageError{errors.New("--config is for --cluster: it compares the file on all ranks")}
			}
			if c.Flags().Changed("device") {
				return usageError{errors.New("--device is for --cluster: without it doctor looks at all devices")}
			}
			findings := diagnose(dir)
			if asJSON {
				return writeJSON(c.OutOrStdout(), struct {
					Findings []finding `json:"findings"`
				}{findings})
			}
			return printFindings(c.OutOrStdout(), findings)
		},
	}
	c.Flags().StringVar(&dir, "run", "runs", "directory `DIR` whose disk to look at")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVar(&ranks, "cluster", false, "examine the ranks that a launcher started")
	c.Flags().StringVar(&config, "config", "", "configuration `FILE` that has to be the same on all ranks; with --cluster")
	c.Flags().StringVar(&device, "device", "auto", "device `NAME` of each rank: auto, cpu, cuda or cuda:N; with --cluster")
	complete(c, "run", directories)
	complete(c, "device", devices)
	return c
}

func printFindings(w io.Writer, findings []finding) error {
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

func diagnose(dir string) []finding {
	findings := []finding{{Name: "gotrain", OK: true, Detail: readBuild().String()}}
	findings = append(findings, diagnoseCPU()...)
	findings = append(findings, diagnoseMemory())
	findings = append(findings, diagnoseDisk(dir)...)
	return append(findings, diagnoseGPU()...)
}

func diagnoseCPU() []finding {
	name, features := processor()
	if name == "" {
		name = runtime.GOARCH
	}
	has := strings.Join(features, " ")
	if has == "" {
		has = "features unknown"
	}
	isas := cpu.ISAs()
	kernels := finding{Name: "kernels", OK: true, Detail: fmt.Sprintf("%s for vectors, %s for matrix products", isas[len(isas)-1], kernel.Best())}
	switch kernel.Best() {
	case kernel.Generic:
		kernels.OK, kernels.Cure = false, "plain Go kernels are some 10 times slower than assembly: train on an x86-64 processor with AVX2 or AVX-512"
	case kernel.AVX2:
		kernels.Cure = "a processor with AVX-512 would be about twice as fast"
	case kernel.AVX512:
		kernels.Cure = "precision: bfloat16 gains nothing here: this processor lacks AVX512_BF16"
	}
	return []finding{{Name: "processor", OK: true, Detail: name + ", " + has}, kernels, diagnoseCores()}
}

func diagnoseCores() finding {
	f := finding{Name: "cores", OK: true, Detail: fmt.Sprintf("%d, %d used", runtime.NumCPU(), runtime.GOMAXPROCS(0))}
	if quota := cgroupCPUs(); quota > 0 {
		f.Detail += fmt.Sprintf(", limited to %.3g by the control group", quota)
		if quota < float64(runtime.NumCPU()) {
			f.Cure = "ask the container or job for more processors"
		}
	}
	if limit := os.Getenv("GOMAXPROCS"); limit != "" && runtime.GOMAXPROCS(0) < runtime.NumCPU() {
		f.OK, f.Cure = false, "GOMAXPROCS="+limit+" leaves cores idle: unset it"
	}
	if load, err := strconv.ParseFloat(firstWord("/proc/loadavg"), 64); err == nil && load > float64(runtime.NumCPU())/2 {
		f.OK, f.Cure = false, fmt.Sprintf("other programs keep %.1f cores busy and slow down training: stop them, or set threads to what is left", load)
	}
	return f
}

// firstWord is the first word of a file, "" when there is none.
func firstWord(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	word, _, _ := strings.Cut(string(raw), " ")
	return word
}

// scarce is memory below which a model of a few million parameters is the limit.
const scarce = 1 << 30

func diagnoseMemory() finding {
	m := readMemory()
	if m.Total == 0 {
		return finding{Name: "memory", OK: true, Detail: "unknown on this system"}
	}
	f := finding{Name: "memory", OK: true, Detail: fmt.Sprintf("%s, %s free", bytesText(m.Total), bytesText(m.Available))}
	if m.Cgroup > 0 {
		f.Detail += fmt.Sprintf(", limited to %s by the control group", bytesText(m.Cgroup))
	}
	// AdamW in float32 holds 16 bytes a parameter, activations come on top.
	f.Detail += fmt.Sprintf(": room for about %s parameters", countText(m.usable()/2/16))
	if m.usable() < scarce {
		f.OK, f.Cure = false, "little is left: close other programs, or lower train.batch (gotrain plan tells what fits)"
	}
	return f
}

// Bounds of a disk that serves checkpoints well.
const (
	probeBytes  = 32 << 20
	smallDisk   = 5 << 30
	slowDiskMBs = 50
)

func diagnoseDisk(dir string) []finding {
	at := existing(dir)
	var findings []finding
	if free, err := diskFree(at); err == nil {
		f := finding{Name: "disk", OK: free >= smallDisk, Detail: fmt.Sprintf("%s free in %s", bytesText(free), at)}
		if !f.OK {
			f.Cure = "checkpoints take 12 bytes a parameter each: make room, lower train.keep, or put run.dir on another disk"
		}
		findings = append(findings, f)
	}
	speed, err := diskSpeed(at)
	f := finding{Name: "disk speed", OK: err == nil && speed >= slowDiskMBs, Detail: fmt.Sprintf("%.0f MB/s written and synced", speed)}
	if err != nil {
		f.Detail, f.Cure = fmt.Sprintf("cannot write: %v", err), "choose a directory that you may write to by --run, and as run.dir"
	} else if !f.OK {
		f.Cure = "checkpoints will hold up training: raise train.save_every, or put run.dir on a faster disk"
	}
	return append(findings, f)
}

// diskSpeed writes and syncs a file in dir, which it removes, in MB/s.
func diskSpeed(dir string) (float64, error) {
	f, err := os.CreateTemp(dir, ".gotrain-doctor-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	buf := make([]byte, 1<<20)
	for i := range buf {
		buf[i] = byte(i * 2654435761 >> 7) // not zeros, which some disks do not store
	}
	start := time.Now()
	for range probeBytes / len(buf) {
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return probeBytes / 1e6 / time.Since(start).Seconds(), nil
}
