package backend

import (
	"strings"
	"testing"

	"example.com/gotrain/cuda/kernels"
)

// TestCheckLaunch holds the border of each limit: the largest launch that goes, and the
// next one.
func TestCheckLaunch(t *testing.T) {
	s := kernels.Signature{Threads: 256, Registers: 250, Shared: 128}
	one := [3]int{1, 1, 1}
	for _, c := range []struct {
		name        string
		grid, block [3]int
		shared      int
		want        string // "" is no error
	}{
		{"all registers", one, [3]int{256, 1, 1}, 0, ""},
		{"all threads", one, [3]int{32, 8, 1}, 0, ""},
		{"too many threads", one, [3]int{32, 8, 2}, 0, "a block of [32 8 2] threads, at most 256 are declared"},
		{"no thread", one, [3]int{0, 1, 1}, 0, "a block of [0 1 1]"},
		{"deep block", one, [3]int{1, 1, 64}, 0, ""},
		{"too deep a block", one, [3]int{1, 1, 65}, 0, "a block of [1 1 65]"},
		{"largest grid", [3]int{1<<31 - 1, 65535, 65535}, one, 0, ""},
		{"too wide", [3]int{1 << 31, 1, 1}, one, 0, "a grid of [2147483648 1 1]"},
		{"too high", [3]int{1, 65536, 1}, one, 0, "a grid of [1 65536 1]"},
		{"too deep", [3]int{1, 1, 65536}, one, 0, "a grid of [1 1 65536]"},
		{"no block", [3]int{1, 0, 1}, one, 0, "a grid of [1 0 1]"},
		{"all shared memory", one, one, 99<<10 - 128, ""},
		{"more than all", one, one, 99<<10 - 127, "k needs 101377 bytes of shared memory, a block of this card has 101376"},
	} {
		err := checkLaunch("k", s, c.grid, c.block, c.shared, 99<<10)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	s = kernels.Signature{Threads: 1024, Registers: 57}
	if err := checkLaunch("k", s, one, [3]int{1024, 1, 1}, 0, 99<<10); err != nil {
		t.Errorf("64 registers, of 1024 threads: %v", err)
	}
	s.Registers = 65
	if err := checkLaunch("k", s, one, [3]int{897, 1, 1}, 0, 99<<10); err == nil || !strings.Contains(err.Error(), "897 threads take 66816 registers") {
		t.Errorf("72 registers, of 897 threads: %v", err)
	}
}

// TestAsksShared: a block has 48 KiB unasked, for static and dynamic memory together,
// and for what its chip reserves.
func TestAsksShared(t *testing.T) {
	for _, c := range []struct {
		static, dynamic int
		want            bool
	}{{0, 47 << 10, false}, {0, 47<<10 + 1, true}, {128, 47<<10 - 128, false}, {128, 47<<10 - 127, true}, {128, 48 << 10, true}, {48 << 10, 0, true}} {
		if got := asksShared(kernels.Signature{Shared: c.static}, c.dynamic); got != c.want {
			t.Errorf("%d static and %d dynamic bytes ask: %t", c.static, c.dynamic, got)
		}
	}
}

// TestKernelsFit: the largest block of every kernel has its registers, and its static
// shared memory unasked.
func TestKernelsFit(t *testing.T) {
	for name, s := range kernels.Signatures {
		if err := checkLaunch(name, s, [3]int{1, 1, 1}, [3]int{s.Threads, 1, 1}, 0, sharedUnasked-kernels.Reserved); err != nil {
			t.Error(err)
		}
	}
}
