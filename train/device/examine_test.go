package device

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/cpu/kernel"
)

// More cannot be busy than there are.
func TestBusyCores(t *testing.T) {
	for load, want := range map[string]float64{"7.50": 2, "0.75": 0.75, "2.00": 2, "": 0, "busy": 0} {
		if got := busyCores(load, 2); got != want {
			t.Errorf("a load of %q keeps %g of 2 cores busy, want %g", load, got, want)
		}
	}
}

// TestJudged: what is found fine, what is not, and the cure, on both sides of each border.
func TestJudged(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		got          Finding
		ok           bool
		detail, cure string // that it begins with; "" is none
	}{
		{judgeKernels(kernel.Generic, "avx2"), false, "avx2 for vectors, generic for matrix products", "plain Go kernels are some 10 times slower"},
		{judgeKernels(kernel.AVX2, "avx2"), true, "avx2 for vectors, avx2 for matrix products", "a processor with AVX-512 would be about twice as fast"},
		{judgeKernels(kernel.AVX512, "avx512"), true, "avx512 for vectors, avx512 for", "precision: bfloat16 gains nothing here"},
		{judgeKernels(kernel.AVX512BF16, "avx512"), true, "avx512 for vectors, avx512bf16 for", ""},
		{judgeCores(8, 8, 0, "", "0.10"), true, "8, 8 used", ""},
		{judgeCores(8, 8, 2.5, "", "0.10"), true, "8, 8 used, limited to 2.5 by the control group", "ask the container or job for more processors"},
		{judgeCores(8, 8, 8, "", "0.10"), true, "8, 8 used, limited to 8 by the control group", ""},
		{judgeCores(8, 2, 0, "2", "0.10"), false, "8, 2 used", "GOMAXPROCS=2 leaves cores idle: unset it"},
		{judgeCores(8, 8, 0, "8", "0.10"), true, "8, 8 used", ""},
		{judgeCores(8, 8, 0, "", "4.00"), true, "8, 8 used", ""},
		{judgeCores(8, 8, 0, "", "4.01"), false, "8, 8 used", "other programs keep 4.0 cores busy"},
		{judgeMemory(Limits{}), true, "unknown on this system", ""},
		{judgeMemory(Limits{Total: 8 * gib, Available: gib}), true, "8.0 GiB, 1.0 GiB free: room for about 33.6M parameters", ""},
		{judgeMemory(Limits{Total: 8 * gib, Available: gib - 1<<20}), false, "8.0 GiB, 1023.0 MiB free: room for about 33.5M", "little is left"},
		{judgeMemory(Limits{Total: 8 * gib, Available: 4 * gib, Cgroup: 2 * gib}), true, "8.0 GiB, 4.0 GiB free, limited to 2.0 GiB by the control group: room for about 67.1M parameters", ""},
		{judgeDisk(5*gib, "/x"), true, "5.0 GiB free in /x", ""},
		{judgeDisk(5*gib-1, "/x"), false, "5.0 GiB free in /x", "checkpoints take 12 bytes a parameter each"},
		{judgeSpeed(50, nil), true, "50 MB/s written and synced", ""},
		{judgeSpeed(49.9, nil), false, "50 MB/s written and synced", SlowDiskCure},
		{judgeSpeed(0, errors.New("read-only")), false, "cannot write: read-only", "choose a directory that you may write to"},
	} {
		if c.got.OK != c.ok || !strings.HasPrefix(c.got.Detail, c.detail) || !strings.HasPrefix(c.got.Cure, c.cure) || (c.cure == "") != (c.got.Cure == "") {
			t.Errorf("%+v; want fine %t, %q, cure %q", c.got, c.ok, c.detail, c.cure)
		}
	}
	file := filepath.Join(t.TempDir(), "load")
	if err := os.WriteFile(file, []byte("1.25 0.5 0.1 2/3 4\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if firstWord(file) != "1.25" || firstWord(file+"-none") != "" {
		t.Errorf("the first word is %q", firstWord(file))
	}
	dir := t.TempDir()
	if got := NearestDir(filepath.Join(dir, "a", "b")); got != dir || NearestDir(dir) != dir {
		t.Errorf("the nearest directory is %s, want %s", got, dir)
	}
	if _, err := DiskSpeed(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there has a speed")
	}
	if speed, err := DiskSpeed(dir); err != nil || speed <= 0 {
		t.Errorf("%g MB/s, %v", speed, err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	if used := (Device{}).Used(); used < 0 {
		t.Errorf("%d bytes are used", used)
	}
}
