package device

import (
	"os"
	"path/filepath"
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
