package gotrain_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRequire: on a machine that lacks everything each need is named, with the package that has it.
func TestRequire(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	bin := t.TempDir()
	for _, tool := range []string{"sort", "paste", "id"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip("there is no " + tool)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for needs, wants := range map[string][]string{
		"gloo":       {"missing: g++, Gloo's headers\n", "g++ libgloo-dev"},
		"mpi":        {"missing: gcc, Open MPI's headers\n", "gcc libopenmpi-dev pkg-config"},
		"mpirun":     {"missing: mpirun\n", "openmpi-bin"},
		"pip venv":   {"missing: Python's pip, Python's venv\n", "python3-pip python3-venv"},
		"gcc nosuch": {"missing: gcc, nosuch\n", "apt-get install --no-install-recommends gcc nosuch\n"},
	} {
		c := exec.Command(bash, append([]string{"scripts/require.sh"}, strings.Fields(needs)...)...)
		c.Env = []string{"PATH=" + bin}
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%s: %v", needs, err)
		}
		for _, want := range wants {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s:\n%slacks %q", needs, out, want)
			}
		}
	}
	if out, err := exec.Command(bash, "scripts/require.sh", "bash").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("what is there: %s, %v", out, err)
	}
}

// TestTargetsSayWhatTheyLack: the scripts that need more than Go ask scripts/require.sh for it, before anything else fails.
func TestTargetsSayWhatTheyLack(t *testing.T) {
	for script, needs := range map[string]string{
		"scripts/cluster/test_slurm.sh": "root slurm pgrep gloo", "scripts/cluster/fault_test.sh": "gloo mpi mpirun pgrep prlimit",
		"scripts/cluster/slurm_up.sh": "root slurm", "scripts/cluster/recovery_test.sh": "pgrep", "scripts/cuda/libraries.sh": "gcc", "scripts/cuda/sim.sh": "g++",
		"scripts/cuda/toolkit.sh": "pip", "scripts/python/env.sh": "venv", "Makefile": "gloo mpi mpirun",
	} {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ReplaceAll(string(text), `"$(dirname "$0")/../require.sh"`, "scripts/require.sh"), "scripts/require.sh "+needs) {
			t.Errorf("%s does not ask for %s", script, needs)
		}
	}
}
