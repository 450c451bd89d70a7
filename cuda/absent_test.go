//go:build gpu

package cuda_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/cuda"
)

// childVariable makes a child process of a test print what Devices, Open and
// Libraries say.
const childVariable = "GOTRAIN_TEST_WITHOUT_DRIVER"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		_, devices := cuda.Devices()
		_, opened := cuda.Open(0)
		for _, l := range cuda.Libraries() {
			fmt.Printf("%s path=%s version=%s bound=%d %s\n", l.Name, l.Path, l.Version, l.Bound, l.Problem)
		}
		fmt.Println("no driver:", errors.Is(devices, cuda.ErrNoDriver), errors.Is(opened, cuda.ErrNoDriver))
		fmt.Println(devices)
		fmt.Println("old driver:", errors.Is(opened, cuda.ErrOldDriver), opened)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs this test program as one that only looks for libraries, in an
// environment of its own.
func child(t *testing.T, env ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Dir = t.TempDir()
	c.Env = append(env, childVariable+"=1")
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("the program ends with %v:\n%s", err, text)
	}
	return string(text)
}

// A program starts on a machine without CUDA and can tell what is missing.
func TestWithoutDriver(t *testing.T) {
	out := child(t)
	if !strings.Contains(out, "libcuda path= ") {
		t.Skip("this machine has a driver")
	}
	for _, want := range []string{
		"libcuda path= version= bound=0 libcuda.so.1: cannot open shared object file",
		"no driver: true true",
		"cuda: no NVIDIA driver (libcuda.so.1) on this machine: libcuda.so.1: cannot open shared object file",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the program prints\n%s\nwithout %q", out, want)
		}
	}
}

// A driver that is older than the kernels is refused before anything is loaded.
func TestOldDriver(t *testing.T) {
	if infos, err := cuda.Devices(); err != nil || !strings.Contains(infos[0].Name, "imulator") {
		t.Skip("only the simulator has drivers of every version")
	}
	for version, want := range map[string]string{
		"12080": "old driver: true cuda: the NVIDIA driver is too old: it is for CUDA 12.8, the kernels need NVIDIA's driver 580 or later, for CUDA 13.0\n",
		"12090": "libcuda.so.1 version=12.9",
		"13000": "old driver: false <nil>\n",
		"13020": "old driver: false <nil>\n",
	} {
		// The driver's folder has the other libraries too.
		env := []string{"CUDASIM_DRIVER=" + version, "LD_LIBRARY_PATH=" + filepath.Dir(cuda.Libraries()[0].Path)}
		for _, name := range []string{"LD_PRELOAD", "ASAN_OPTIONS"} { // of a simulator with a sanitizer
			env = append(env, name+"="+os.Getenv(name))
		}
		if out := child(t, env...); !strings.Contains(out, want) {
			t.Errorf("with a driver for %s the program prints\n%s\nwithout %q", version, out, want)
		}
	}
}

// Libraries are found in Python environments, the last Python first, but after
// those of the loader.
func TestPythonEnvironments(t *testing.T) {
	root := t.TempDir()
	library := func(version int, folder ...string) string {
		dir := filepath.Join(append([]string{root}, folder...)...)
		noError(t, os.MkdirAll(dir, 0o755))
		source := filepath.Join(dir, "nccl.c")
		noError(t, os.WriteFile(source, fmt.Appendf(nil, "int ncclGetVersion(int *v) { *v = %d; return 0; }", version), 0o644))
		out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", filepath.Join(dir, "libnccl.so.2"), source).CombinedOutput()
		if err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		return dir
	}
	loader := library(22101, "loader")
	library(22202, "venv/lib/python3.11/site-packages/nvidia/nccl/lib")
	newer := library(22303, "venv/lib/python3.12/site-packages/nvidia/nccl/lib")
	noError(t, os.MkdirAll(filepath.Join(root, "venv/bin"), 0o755))
	conda := library(22404, "conda/lib")
	venv := "VIRTUAL_ENV=" + filepath.Join(root, "venv")
	for _, c := range []struct {
		env           []string
		path, version string
	}{
		{[]string{venv}, newer, "2.23.3"},
		{[]string{venv, "LD_LIBRARY_PATH=" + loader}, loader, "2.21.1"},
		{[]string{"PATH=/nowhere::" + filepath.Join(root, "venv/bin")}, root + "/venv/bin/../lib/python3.12/site-packages/nvidia/nccl/lib", "2.23.3"},
		{[]string{"CONDA_PREFIX=" + filepath.Join(root, "conda")}, conda, "2.24.4"},
	} {
		want := fmt.Sprintf("libnccl path=%s/libnccl.so.2 version=%s bound=1 \n", c.path, c.version)
		if out := child(t, c.env...); !strings.Contains(out, want) {
			t.Errorf("with %q the program prints\n%s\nwithout %q", c.env, out, want)
		}
	}
}
