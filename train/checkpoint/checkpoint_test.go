package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub/manifest"
)

func Example() {
	runDir, err := os.MkdirTemp("", "run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(runDir)
	lock, err := LockRun(vfs.OS{}, runDir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Close()

	weights := "weights" // in truth a snapshot of the parameters
	w, err := Begin(vfs.OS{}, runDir, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := w.Write(File{
		Name:  "model.safetensors",
		Write: func(w io.Writer) error { _, err := io.WriteString(w, weights); return err },
	}); err != nil {
		fmt.Println(errors.Join(err, w.Abort()))
		return
	}
	if _, err := w.Commit(3); err != nil {
		fmt.Println(err)
		return
	}
	found, events, err := Latest(vfs.OS{}, runDir)
	fmt.Println(filepath.Base(found.Path), found.Manifest.Step, len(events), err)
	// Output: step-00001000 1000 0 <nil>
}

func TestRetention(t *testing.T) {
	fsys := durableRun(t)
	steps := func() []int64 {
		l, err := list(fsys, "run")
		check(t, err)
		return l.steps
	}
	for step := int64(1); step <= 5; step++ {
		c := version{step * 10, 0}.checkpoint()
		c.Keep = 3
		_, err := Save(fsys, "run", c)
		check(t, err)
	}
	if got := steps(); !slices.Equal(got, []int64{50, 40, 30}) {
		t.Fatalf("kept %v", got)
	}
	// A run that went back to an older step: the one just saved stays.
	c := version{20, 0}.checkpoint()
	c.Keep = 1
	s, err := Save(fsys, "run", c)
	check(t, err)
	if got := steps(); !slices.Equal(got, []int64{50, 20}) {
		t.Fatalf("kept %v", got)
	}
	var retired []int64
	for _, e := range s.Events {
		if e.Kind != Retired {
			t.Fatalf("event %v", e)
		}
		retired = append(retired, e.Step)
	}
	if !slices.Equal(retired, []int64{40, 30}) {
		t.Fatalf("events retire %v", retired)
	}
	c.Keep = 0
	c.Step = 60
	_, err = Save(fsys, "run", c)
	check(t, err)
	if got := steps(); !slices.Equal(got, []int64{60, 50, 20}) {
		t.Fatalf("keep 0 kept %v", got)
	}
}

func TestBestIsKept(t *testing.T) {
	fsys := durableRun(t)
	for step := int64(1); step <= 5; step++ {
		c := version{step, 0}.checkpoint()
		c.Keep, c.Best = 2, 2
		s, err := Save(fsys, "run", c)
		check(t, err)
		for _, e := range s.Events {
			if e.Kind != Retired {
				t.Errorf("event %v", e)
			}
		}
		target, err := fsys.Readlink(BestLink("run"))
		if there := err == nil; there != (step >= 2) || there && target != "step-00000002" {
			t.Errorf("after step %d the link best is %q, %v", step, target, err)
		}
	}
	l, err := list(fsys, "run")
	check(t, err)
	if !slices.Equal(l.steps, []int64{5, 4, 2}) {
		t.Errorf("kept %v", l.steps)
	}
}

func TestSaveRefusesBadInput(t *testing.T) {
	file := func(names ...string) (files []File) {
		for _, name := range names {
			files = append(files, File{Name: name, Write: func(io.Writer) error { return nil }})
		}
		return files
	}
	snapshotLost := errors.New("snapshot lost")
	cases := []struct {
		c    Checkpoint
		want string
	}{
		{Checkpoint{Step: -1}, "negative"},
		{Checkpoint{Files: file("../x")}, "plain name"},
		{Checkpoint{Files: file("a/b/c")}, "plain name"},
		{Checkpoint{Files: file("a/.b")}, "plain name"},
		{Checkpoint{Files: file("/a")}, "plain name"},
		{Checkpoint{Files: file(".hidden")}, "plain name"},
		{Checkpoint{Files: file("manifest.json")}, "plain name"},
		{Checkpoint{Files: file("")}, "no name"},
		{Checkpoint{Files: file("a", "a")}, "two files"},
		{Checkpoint{Files: []File{{Name: "a", Write: func(io.Writer) error { return snapshotLost }}}}, "snapshot lost"},
	}
	for _, c := range cases {
		fsys := durableRun(t)
		_, err := Save(fsys, "run", c.c)
		var failed *SaveError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Save(%+v) = %v, want an error with %q", c.c, err, c.want)
		}
		if l, err := list(fsys, "run"); err != nil || len(l.names) > 0 {
			t.Errorf("Save(%+v) left %v, %v", c.c, l.names, err)
		}
	}
}

func TestRanksWriteOneCheckpoint(t *testing.T) {
	fsys := durableRun(t)
	v := version{10, 0}
	files := v.checkpoint().Files
	rank0, err := Begin(fsys, "run", v.step)
	check(t, err)
	var others []manifest.Entry
	for _, f := range files[2:] {
		e, err := Join(fsys, "run", v.step).Write(f)
		check(t, err)
		others = append(others, e)
	}
	for _, f := range files[:2] {
		_, err := rank0.Write(f)
		check(t, err)
	}
	s, err := rank0.Commit(0, others...)
	check(t, err)
	found, events, err := Latest(fsys, "run")
	if err != nil || len(events) > 0 || found.Path != s.Path {
		t.Fatalf("Latest = %v, %v, %v", found, events, err)
	}
	if got, err := saved(fsys, found); err != nil || got != v {
		t.Fatalf("found %v, %v", got, err)
	}

	rank0, err = Begin(fsys, "run", 20)
	check(t, err)
	check(t, rank0.Abort())
	if l, err := list(fsys, "run"); err != nil || len(l.junk) > 0 {
		t.Fatalf("Abort left %v, %v", l.junk, err)
	}
}

func TestLockRun(t *testing.T) {
	for _, fsys := range []vfs.FS{vfs.OS{}, durableRun(t)} {
		runDir := filepath.Join(t.TempDir(), "run")
		lock, err := LockRun(fsys, runDir)
		check(t, err)
		_, err = LockRun(fsys, runDir)
		var held *vfs.LockedError
		if !errors.As(err, &held) || held.PID != os.Getpid() || !strings.Contains(err.Error(), "run.dir") {
			t.Fatalf("%T: second lock: %v", fsys, err)
		}
		check(t, lock.Close())
		lock, err = LockRun(fsys, runDir)
		check(t, err)
		check(t, lock.Close())
	}
}

// TestLatestDoesNotHideErrors: what could not be read is not taken for damage.
func TestLatestDoesNotHideErrors(t *testing.T) {
	fsys := durableRun(t)
	_, err := Save(fsys, "run", version{10, 0}.checkpoint())
	check(t, err)
	_, _, err = Latest(failingOpen{fsys, syscall.EMFILE}, "run")
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("too many open files: %v", err)
	}
	_, events, err := Latest(failingOpen{fsys, syscall.EIO}, "run")
	if !errors.Is(err, ErrNoneGood) || len(events) != 1 || events[0].Kind != Quarantined {
		t.Fatalf("unreadable medium: %v, %v", events, err)
	}
}

type failingOpen struct {
	vfs.FS
	err error
}

func (f failingOpen) Open(name string) (vfs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
}
