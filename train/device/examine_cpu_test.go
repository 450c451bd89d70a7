//go:build !gpu

package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGPUsWithoutCUDA: what a binary without CUDA says of GPUs, of the kernel's module and of the library.
func TestGPUsWithoutCUDA(t *testing.T) {
	for _, c := range []struct {
		gpus          int
		version, path string
		ok            bool
		detail, cure  string
	}{
		{0, "", "", true, "none found", ""},
		{0, "", "/lib/libcuda.so.1", false, "0 in /dev, /lib/libcuda.so.1", "the library is here but no device"},
		{0, "570.1", "", false, "0 in /dev, driver 570.1", "the library is here but no device"},
		{2, "570.1", "", false, "2 in /dev, driver 570.1", "libcuda.so.1 is missing"},
		{2, "570.1", "/lib/libcuda.so.1", false, "2 in /dev, driver 570.1, /lib/libcuda.so.1", "this gotrain is built without CUDA"},
	} {
		f := judgeGPU(c.gpus, c.version, c.path)
		if f.OK != c.ok || !strings.HasPrefix(f.Detail, c.detail) || !c.ok && f.Detail != c.detail || (f.Cure == "") != c.ok || c.gpus < 2 && !strings.HasPrefix(f.Cure, c.cure) {
			t.Errorf("%+v: %+v", c, f)
		}
	}
	for text, want := range map[string]string{
		"": "", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan": "570.86.15", "NVRM version: none": "of unknown version", "gcc.12 9.1": "9.1",
	} {
		if got := driverVersion(text); got != want {
			t.Errorf("%q is the version %q, want %q", text, got, want)
		}
	}
	first, second := t.TempDir(), t.TempDir()
	t.Setenv("LD_LIBRARY_PATH", first+":"+second)
	if err := os.WriteFile(filepath.Join(second, "libx.so.1"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := findLibrary("libx.so.1"); got != filepath.Join(second, "libx.so.1") || findLibrary("libnothere.so.9") != "" {
		t.Errorf("the library is %q", got)
	}
}
