package checkpoint

import (
	"errors"
	"io"
	"testing"

	"example.com/gotrain/data/vfs/vfstest"
)

// TestBasesOfAdaptersAreKept: a checkpoint that another run needs stays, however many
// newer ones there are, until its link is deleted.
func TestBasesOfAdaptersAreKept(t *testing.T) {
	fsys := vfstest.NewMem()
	if err := fsys.Mkdir("run"); err != nil {
		t.Fatal(err)
	}
	save := func(step int64) {
		t.Helper()
		w, err := Begin(fsys, "run", step)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(File{Name: "part", Write: func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(1); err != nil {
			t.Fatal(err)
		}
	}
	there := func(want ...int64) {
		t.Helper()
		for step := range int64(6) {
			_, err := fsys.Stat(Dir("run", step))
			expected := false
			for _, w := range want {
				expected = expected || w == step
			}
			if (err == nil) != expected {
				t.Errorf("step %d is there: %t, want the steps %v", step, err == nil, want)
			}
		}
	}
	save(1)
	for _, name := range []string{"tuned", "tuned", "other"} {
		if events := KeepBase(fsys, Dir("run", 1), name); len(events) > 0 {
			t.Fatal(events)
		}
	}
	save(2)
	if events := KeepBase(fsys, Dir("run", 2), "tuned"); len(events) > 0 { // another run of this name
		t.Fatal(events)
	}
	save(3)
	save(4)
	there(1, 2, 4)
	for link, want := range map[string]string{"base-of-tuned": "step-00000001", "base-of-other": "step-00000001", "base-of-tuned-2": "step-00000002"} {
		if target, err := fsys.Readlink("run/checkpoints/" + link); err != nil || target != want {
			t.Errorf("%s leads to %s, %v, want %s", link, target, err, want)
		}
	}
	if err := errors.Join(fsys.Remove("run/checkpoints/base-of-tuned"), fsys.Remove("run/checkpoints/base-of-tuned-2")); err != nil {
		t.Fatal(err)
	}
	save(5)
	there(1, 5)

	// What is no checkpoint of a run is left alone.
	for _, dir := range []string{"models/smollm2", "elsewhere/step-00000001", "run/checkpoints/latest"} {
		if events := KeepBase(fsys, dir, "tuned"); len(events) > 0 {
			t.Errorf("%s: %v", dir, events)
		}
	}
	// One that cannot be written is told.
	fault := vfstest.NewFault(fsys)
	fault.FailAt(3, errors.New("read-only file system")) // as the link is made
	if events := KeepBase(fault, Dir("run", 5), "third"); len(events) != 1 || events[0].Kind != LinkFailed {
		t.Errorf("on a disk that refuses: %v, %v", events, fault.Trace())
	}
}
