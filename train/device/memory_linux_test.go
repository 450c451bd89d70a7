package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNestedGroups takes the least limit of a control group and of those above it.
func TestNestedGroups(t *testing.T) {
	root := filepath.Join(t.TempDir(), "cgroup")
	leaf := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(leaf, 0o777); err != nil {
		t.Fatal(err)
	}
	put := func(dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		root, middle, leaf, cpus string
		memory                   float64
		cpu                      float64
	}{
		{"max", "max", "max", "max 100000", 0, 0},
		{"max", "4096\n", "8192", "150000 100000", 4096, 1.5},
		{"max", "8192", "4096", "50000 100000", 4096, 0.5},
		{"1000", "8192", "4096", "250000 100000", 1000, 2},
		{"9223372036854771712", "words", "", "300000 0", 0, 2},
	} {
		put(root, "memory.max", tt.root)
		put(filepath.Dir(leaf), "memory.max", tt.middle)
		put(leaf, "memory.max", tt.leaf)
		put(leaf, "cpu.max", tt.cpus)
		put(filepath.Dir(leaf), "cpu.max", map[bool]string{true: "max 100000", false: "200000 100000"}[tt.cpu == 0])
		if got := lowest(0, leaf, root, "memory.max", memoryLimit); got != tt.memory {
			t.Errorf("%+v: memory %g", tt, got)
		}
		if got := lowest(0, leaf, root, "cpu.max", cpuLimit); got != tt.cpu {
			t.Errorf("%+v: cpu %g", tt, got)
		}
	}
	if got := lowest(512, leaf, root, "memory.max", memoryLimit); got != 512 {
		t.Errorf("a limit from elsewhere: %g", got)
	}
	if got := lowest(0, root+"-other", root, "memory.max", memoryLimit); got != 0 {
		t.Errorf("a folder beside the root: %g", got)
	}
}

// TestProc: what the files of /proc say, and what they leave open.
func TestProc(t *testing.T) {
	file := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(file, []byte("MemTotalX: 1 kB\nMemTotal:       2048 kB\nMemAvailable: none kB\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{"MemTotal": 2048 << 10, "MemAvailable": 0, "VmRSS": 0} {
		if got := procKB(file, key); got != want {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	if procKB(file+"-none", "MemTotal") != 0 {
		t.Error("a file that is not there has memory")
	}
	for text, want := range map[string]string{"": "/sys/fs/cgroup", "0::/user/a\n": "/sys/fs/cgroup/user/a", "5:cpu:/b\n0::/c\n": "/sys/fs/cgroup/c", "5:cpu:/b\n": "/sys/fs/cgroup"} {
		if got := groupOf(text); got != want {
			t.Errorf("%q is the group %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"processor : 0\nmodel name : A Chip \nflags : fpu avx2 fma avx512f sse\nmodel name : another\n": "A Chip|avx2 fma avx512f",
		"Features : fp asimd sve bf16\n": "|asimd sve bf16", "processor : 0\nmodel name : B\n": "B|", "": "|",
	} {
		name, features := processorOf(strings.NewReader(text))
		if got := name + "|" + strings.Join(features, " "); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	if peak, now := PeakMemory(), ResidentMemory(); peak <= 0 || now <= 0 {
		t.Errorf("%d bytes at the peak, %d now", peak, now)
	}
}
