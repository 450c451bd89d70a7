//go:build linux || darwin

package checkpoint

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/gotrain/data/vfs"
)

// TestFileSizeLimit saves under a real limit on the size of a file (ulimit -f),
// in a process of its own, since the limit holds for all its files.
func TestFileSizeLimit(t *testing.T) {
	if runDir := os.Getenv("CHECKPOINT_TEST_LIMITED"); runDir != "" {
		saveLimited(t, runDir)
		return
	}
	runDir := t.TempDir()
	_, err := Save(vfs.OS{}, runDir, version{10, 0}.checkpoint())
	check(t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestFileSizeLimit$")
	cmd.Env = append(os.Environ(), "CHECKPOINT_TEST_LIMITED="+runDir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found, events, err := Latest(vfs.OS{}, runDir)
	check(t, err)
	if len(events) > 0 || found.Manifest.Step != 30 {
		t.Fatalf("Latest = %v, %v", found, events)
	}
}

// saveLimited meets the limit at step 20 and goes on to step 30.
func saveLimited(t *testing.T, runDir string) {
	check(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}))
	big := Checkpoint{Step: 20, Files: []File{{Name: "model.safetensors", Write: func(w io.Writer) error {
		_, err := w.Write(make([]byte, 4<<20))
		return err
	}}}}
	if _, err := Save(vfs.OS{}, runDir, big); !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("Save = %v, want EFBIG", err)
	}
	_, err := Save(vfs.OS{}, runDir, version{30, 0}.checkpoint())
	check(t, err)
}
