package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// findPython is the interpreter to measure PyTorch with: the named one, or else the first
// that has PyTorch of those in PATH, in an active environment and where images put them.
func findPython(named string) string {
	if named != "" {
		return named
	}
	candidates := []string{"python3"}
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := os.Getenv(variable); dir != "" {
			candidates = append(candidates, filepath.Join(dir, "bin", "python3"))
		}
	}
	for _, dir := range pythonDirs {
		candidates = append(candidates, filepath.Join(dir, "bin", "python3"))
	}
	return firstPython(candidates)
}

var pythonDirs = []string{"/opt/venv", "/opt/conda", "/usr/local", "/usr", ".venv"}

// firstPython is the first that has PyTorch, else the first that is there, else python3.
func firstPython(candidates []string) string {
	there := ""
	for _, python := range candidates {
		if path, err := exec.LookPath(python); err != nil || path == "" {
			continue
		}
		if exec.Command(python, "-c", `import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)`).Run() == nil {
			return python
		}
		if there == "" {
			there = python
		}
	}
	if there == "" {
		return "python3"
	}
	return there
}

// libraryPath is LD_LIBRARY_PATH with the folders behind it in which pip puts NVIDIA's
// libraries for an interpreter, and in which container runtimes and CUDA do: the binary
// finds those of an active environment by itself, not those of one that was named.
func libraryPath(python string, folders ...string) string {
	var path []string
	if own := os.Getenv("LD_LIBRARY_PATH"); own != "" {
		path = append(path, own)
	}
	out, err := exec.Command(python, "-c", `import importlib.util, os, sysconfig
spec = importlib.util.find_spec("nvidia")
for folder in [*(spec.submodule_search_locations if spec else []), os.path.join(sysconfig.get_path("purelib"), "nvidia")]:
    print(folder)`).Output()
	if err == nil {
		for folder := range strings.Lines(string(out)) {
			found, _ := filepath.Glob(filepath.Join(strings.TrimSpace(folder), "*", "lib"))
			path = append(path, found...)
		}
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			path = append(path, folder)
		}
	}
	seen, all := map[string]bool{}, []string(nil)
	for _, p := range path {
		if !seen[p] {
			seen[p], all = true, append(all, p)
		}
	}
	return strings.Join(all, ":")
}

// libraryFolders are where a driver and CUDA lie that nobody has told the loader of.
var libraryFolders = []string{"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/local/cuda/lib64"}
