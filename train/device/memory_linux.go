package device

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// MachineMemory is what this process may use of the machine's memory; the zero Limits
// where that is not known.
func MachineMemory() Limits {
	return Limits{Total: procKB("/proc/meminfo", "MemTotal"), Available: procKB("/proc/meminfo", "MemAvailable"), Cgroup: cgroupMemory()}
}

// PeakMemory is the most memory, in bytes, that this process has had resident.
func PeakMemory() int64 { return procKB("/proc/self/status", "VmHWM") }

// ResidentMemory is the memory, in bytes, of this process.
func ResidentMemory() int64 { return procKB("/proc/self/status", "VmRSS") }

// ForgetPeak makes PeakMemory start anew from now.
func ForgetPeak() { os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// procKB returns the bytes of a line "KEY: N kB", 0 when there is none.
func procKB(file, key string) int64 {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), key+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// cgroupDir is this process's directory in the cgroup v2 hierarchy.
func cgroupDir() string {
	raw, _ := os.ReadFile("/proc/self/cgroup")
	return groupOf(string(raw))
}

// groupOf is the directory of the group that /proc/self/cgroup names.
func groupOf(text string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Join(cgroupRoot, rest)
		}
	}
	return cgroupRoot
}

// cgroupRoot is where the hierarchy is mounted.
const cgroupRoot = "/sys/fs/cgroup"

// cgroupMemory is the smallest memory limit of the control groups (v2, else v1)
// that this process is in, 0 for none.
func cgroupMemory() int64 {
	return int64(lowest(memoryLimit(readWord(cgroupRoot+"/memory/memory.limit_in_bytes")), cgroupDir(), cgroupRoot, "memory.max", memoryLimit))
}

// cgroupCPUs is the processor time a second that the control groups allow, 0 for
// no limit.
func cgroupCPUs() float64 { return lowest(0, cgroupDir(), cgroupRoot, "cpu.max", cpuLimit) }

// lowest is the least of limit and of what the files called name say from dir up to
// root, of which 0 is no limit: a group is bound by its parents too.
func lowest(limit float64, dir, root, name string, parse func(text string) float64) float64 {
	for ; dir == root || strings.HasPrefix(dir, root+"/"); dir = filepath.Dir(dir) {
		if n := parse(readWord(filepath.Join(dir, name))); n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// memoryLimit reads memory.max, in bytes, 0 for none: v1 says so by a number beyond any
// memory, v2 by a word.
func memoryLimit(text string) float64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n >= 1<<60 {
		return 0
	}
	return float64(n)
}

// cpuLimit reads cpu.max, a quota and a period in microseconds, 0 for none.
func cpuLimit(text string) float64 {
	f := strings.Fields(text)
	if len(f) != 2 {
		return 0
	}
	quota, err1 := strconv.ParseFloat(f[0], 64)
	period, err2 := strconv.ParseFloat(f[1], 64)
	if err1 != nil || err2 != nil || period <= 0 {
		return 0
	}
	return quota / period
}

func readWord(file string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// DiskFree is the space, in bytes, for unprivileged users below dir.
func DiskFree(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// Processor is the processor's name and the features that kernels may use.
func Processor() (name string, features []string) {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "", nil
	}
	defer f.Close()
	return processorOf(f)
}

// processorOf reads them from /proc/cpuinfo.
func processorOf(r io.Reader) (name string, features []string) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		key, value, _ := strings.Cut(s.Text(), ":")
		switch strings.TrimSpace(key) {
		case "model name":
			name = strings.TrimSpace(value)
		case "flags", "Features":
			for _, flag := range strings.Fields(value) {
				switch flag {
				case "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16":
					features = append(features, flag)
				}
			}
			return name, features
		}
	}
	return name, features
}
