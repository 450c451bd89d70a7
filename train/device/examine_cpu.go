//go:build !gpu

package device

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/cuda/backend"
)

// libraryDirs are where systems keep libcuda.
var libraryDirs = []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib", "/usr/local/cuda/compat", "/usr/local/nvidia/lib64"}

// examineGPU looks for GPUs that this binary cannot use.
func examineGPU() []Finding {
	gpus, _ := filepath.Glob("/dev/nvidia[0-9]*")
	raw, _ := os.ReadFile("/proc/driver/nvidia/version")
	return []Finding{judgeGPU(len(gpus), driverVersion(string(raw)), findLibrary("libcuda.so.1"))}
}

// judgeGPU judges so many devices, the version of the kernel module and the path of
// libcuda, "" where there is none.
func judgeGPU(gpus int, version, library string) Finding {
	if gpus == 0 && library == "" && version == "" {
		return Finding{Name: "gpu", OK: true, Detail: "none found, and this binary has no CUDA (make build-cuda builds one that has); training runs on the processor"}
	}
	detail := fmt.Sprintf("%d in /dev", gpus)
	if version != "" {
		detail += ", driver " + version
	}
	if library != "" {
		detail += ", " + library
	}
	f := Finding{Name: "gpu", Detail: detail}
	switch {
	case gpus == 0:
		f.Cure = "the library is here but no device: start the container with --gpus all, or load the nvidia kernel module"
	case library == "":
		f.Cure = "libcuda.so.1 is missing: install the NVIDIA driver's libraries (in a container: NVIDIA_DRIVER_CAPABILITIES=compute)"
	default:
		f.Cure = backend.ErrNotBuilt.Error()
	}
	return f
}

// driverVersion is the version of NVIDIA's kernel module by what it says of itself, "" where
// that is nothing.
func driverVersion(text string) string {
	if text == "" {
		return ""
	}
	for _, word := range strings.Fields(text) {
		if strings.Count(word, ".") >= 1 && word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return "of unknown version"
}

// findLibrary is the path of a shared library, "" when it is nowhere.
func findLibrary(name string) string {
	dirs := append(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), libraryDirs...)
	for _, dir := range dirs {
		if path := filepath.Join(dir, name); isThere(path) {
			return path
		}
	}
	return ""
}
