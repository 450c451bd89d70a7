//go:build gpu

package cuda_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gotrain/cuda"
)

// childVariable makes a child process of a test print what Devices, Open and
// Libraries say.
const childVariable = "GOTRAIN_TEST_WITHOUT_DRIVER"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		_, devices := cuda.Devices()
		_, opened := cuda.Open(0)
		for _, l := range cuda.Libraries() {
			fmt.Println(l.Name, l.Path != "", l.Problem)
		}
		fmt.Println("no driver:", errors.Is(devices, cuda.ErrNoDriver), errors.Is(opened, cuda.ErrNoDriver))
		fmt.Println(devices)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A program starts on a machine without CUDA and can tell what is missing.
func TestWithoutDriver(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = []string{childVariable + "=1", "LD_LIBRARY_PATH="}
	text, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("the program ends with %v:\n%s", err, text)
	}
	out := string(text)
	if strings.Contains(out, "libcuda true") {
		t.Skip("this machine has a driver")
	}
	for _, want := range []string{
		"libcuda false libcuda.so.1: cannot open shared object file",
		"no driver: true true",
		"cuda: no NVIDIA driver (libcuda.so.1) on this machine: libcuda.so.1: cannot open shared object file",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the program prints\n%s\nwithout %q", out, want)
		}
	}
}
