package device

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/train/units"
)

// Finding is one thing that an examination tells: fine, or a warning with what it
// costs and what to do about it.
type Finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Cure   string `json:"cure,omitempty"`
}

// Examine looks at the processor, the memory, the disk of a directory, and the GPUs
// with the libraries of CUDA. It writes and removes a file of 32 MiB in dir, or in its
// nearest parent that exists.
func Examine(dir string) []Finding {
	findings := append(examineProcessor(), examineCores(), examineMemory())
	findings = append(findings, examineDisk(dir)...)
	return append(findings, examineGPU()...)
}

func examineProcessor() []Finding {
	name, features := Processor()
	if name == "" {
		name = runtime.GOARCH
	}
	has := strings.Join(features, " ")
	if has == "" {
		has = "features unknown"
	}
	isas := cpu.ISAs()
	kernels := judgeKernels(kernel.Best(), isas[len(isas)-1])
	return []Finding{{Name: "processor", OK: true, Detail: name + ", " + has}, kernels}
}

// judgeKernels judges the instruction set of matrix products, beside that of vectors.
func judgeKernels(products kernel.ISA, vectors string) Finding {
	kernels := Finding{Name: "kernels", OK: true, Detail: fmt.Sprintf("%s for vectors, %s for matrix products", vectors, products)}
	switch products {
	case kernel.Generic:
		kernels.OK, kernels.Cure = false, "plain Go kernels are some 10 times slower than assembly: train on an x86-64 processor with AVX2 or AVX-512"
	case kernel.AVX2:
		kernels.Cure = "a processor with AVX-512 would be about twice as fast"
	case kernel.AVX512:
		kernels.Cure = "precision: bfloat16 gains nothing here: this processor lacks AVX512_BF16"
	}
	return kernels
}

// Kernels names the instruction set of the CPU's matrix products. Sums of ranks with
// different ones differ by rounding.
func Kernels() string { return kernel.Best().String() }

func examineCores() Finding {
	return judgeCores(runtime.NumCPU(), runtime.GOMAXPROCS(0), cgroupCPUs(), os.Getenv("GOMAXPROCS"), firstWord("/proc/loadavg"))
}

// judgeCores judges how many of the cores are used: what a control group allows, 0 for all, what the variable
// GOMAXPROCS says, and the system's load.
func judgeCores(cores, used int, quota float64, limit, load string) Finding {
	f := Finding{Name: "cores", OK: true, Detail: fmt.Sprintf("%d, %d used", cores, used)}
	if quota > 0 {
		f.Detail += fmt.Sprintf(", limited to %.3g by the control group", quota)
		if quota < float64(cores) {
			f.Cure = "ask the container or job for more processors"
		}
	}
	if limit != "" && used < cores {
		f.OK, f.Cure = false, "GOMAXPROCS="+limit+" leaves cores idle: unset it"
	}
	if busy := busyCores(load, cores); busy > float64(cores)/2 {
		f.OK, f.Cure = false, fmt.Sprintf("other programs keep %.1f cores busy and slow down training: stop them, or set threads to what is left", busy)
	}
	return f
}

// busyCores is how many of the cores a load of the system keeps busy, 0 for what is no
// number. A load counts those that wait for a core too.
func busyCores(load string, cores int) float64 {
	n, err := strconv.ParseFloat(load, 64)
	if err != nil {
		return 0
	}
	return min(n, float64(cores))
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

func examineMemory() Finding { return judgeMemory(MachineMemory()) }

func judgeMemory(m Limits) Finding {
	if m.Total == 0 {
		return Finding{Name: "memory", OK: true, Detail: "unknown on this system"}
	}
	f := Finding{Name: "memory", OK: true, Detail: fmt.Sprintf("%s, %s free", units.Bytes(m.Total), units.Bytes(m.Available))}
	if m.Cgroup > 0 {
		f.Detail += fmt.Sprintf(", limited to %s by the control group", units.Bytes(m.Cgroup))
	}
	// AdamW in float32 holds 16 bytes a parameter, activations come on top.
	f.Detail += fmt.Sprintf(": room for about %s parameters", units.Count(m.Usable()/2/16))
	if m.Usable() < scarce {
		f.OK, f.Cure = false, "little is left: close other programs, or lower train.batch (gotrain plan tells what fits)"
	}
	return f
}

// Bounds of a disk that serves checkpoints well.
const (
	probeBytes = 32 << 20
	smallDisk  = 5 << 30
	// SlowDisk is the speed, in MB/s, below which checkpoints hold up training.
	SlowDisk = 50
)

// SlowDiskCure is what to do about a disk slower than SlowDisk.
const SlowDiskCure = "checkpoints will hold up training: raise train.save_every, or put run.dir on a faster disk"

func examineDisk(dir string) []Finding {
	at := NearestDir(dir)
	free, err := DiskFree(at)
	var findings []Finding
	if err == nil {
		findings = append(findings, judgeDisk(free, at))
	}
	return append(findings, judgeSpeed(DiskSpeed(at)))
}

func judgeDisk(free int64, at string) Finding {
	f := Finding{Name: "disk", OK: free >= smallDisk, Detail: fmt.Sprintf("%s free in %s", units.Bytes(free), at)}
	if !f.OK {
		f.Cure = "checkpoints take 12 bytes a parameter each: make room, lower train.keep, or put run.dir on another disk"
	}
	return f
}

// judgeSpeed judges the MB/s of a disk, or why they could not be measured.
func judgeSpeed(speed float64, err error) Finding {
	f := Finding{Name: "disk speed", OK: err == nil && speed >= SlowDisk, Detail: fmt.Sprintf("%.0f MB/s written and synced", speed)}
	if err != nil {
		f.Detail, f.Cure = fmt.Sprintf("cannot write: %v", err), "choose a directory that you may write to by --run, and as run.dir"
	} else if !f.OK {
		f.Cure = SlowDiskCure
	}
	return f
}
