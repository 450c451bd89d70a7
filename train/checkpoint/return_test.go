package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs"
)

// TestReturn: what goes and what is found when a run of steps 10 to 50 returns to a step, with
// checkpoints that are damaged.
func TestReturn(t *testing.T) {
	for _, tc := range []struct {
		step    int64
		damaged []int64
		want    string
	}{
		{50, nil, "50:  10 20 30 40 50"}, {60, nil, "50:  10 20 30 40 50"}, {49, nil, "40: -50 10 20 30 40"}, {30, nil, "30: -50 -40 10 20 30"}, {10, nil, "10: -50 -40 -30 -20 10"}, {9, nil, ":  10 20 30 40 50"},
		{30, []int64{30}, "20: -50 -40 !30 10 20 30.damaged"}, {30, []int64{40}, "30: -50 -40 10 20 30"}, {20, []int64{10, 20}, ":  10 20 30 40 50"}, {40, []int64{40, 30}, "20: -50 !40 !30 10 20 30.damaged 40.damaged"},
	} {
		const dir = "run"
		fsys := durableRun(t)
		for step := int64(10); step <= 50; step += 10 {
			c := version{step, 0}.checkpoint()
			c.Keep = 0
			_, err := Save(fsys, dir, c)
			check(t, err)
		}
		for _, step := range tc.damaged {
			f, err := fsys.Create(filepath.Join(Dir(dir, step), "manifest.json"))
			check(t, err)
			check(t, f.Close())
		}
		found, events, err := Return(fsys, dir, tc.step)
		check(t, err)
		got := ":"
		if found.Path != "" {
			got = fmt.Sprint(found.Manifest.Step, ":")
			if found.Path != Dir(dir, found.Manifest.Step) {
				t.Error(found.Path)
			}
		}
		got = strings.ReplaceAll(got, " ", "")
		var told []string
		for _, e := range events {
			switch e.Kind {
			case Retired:
				told = append(told, fmt.Sprint("-", e.Step))
				if e.Path != Dir(dir, e.Step) {
					t.Error(e)
				}
			case Quarantined:
				told = append(told, fmt.Sprint("!", e.Step))
			default:
				t.Error(e)
			}
		}
		got += " " + strings.ReplaceAll(strings.Join(told, " "), "- ", "-")
		l, err := list(fsys, dir)
		check(t, err)
		for _, name := range slices.Sorted(maps.Keys(l.names)) {
			if name, ok := strings.CutPrefix(name, "step-"); ok {
				got += " " + strings.TrimLeft(name, "0")
			}
		}
		if got != tc.want {
			t.Errorf("to %d with %d damaged: got %q, want %q", tc.step, tc.damaged, got, tc.want)
		}
	}
	if found, events, err := Return(vfs.OS{}, t.TempDir(), 3); err != nil || found.Path != "" || events != nil {
		t.Error(found, events, err)
	}
}

// TestTextsOfErrors: the whole text of what is told of a save, a lock and an absent checkpoint.
func TestTextsOfErrors(t *testing.T) {
	const intact = "checkpoint p not saved: write x: %v; older checkpoints are intact and training can go on"
	for cause, cure := range map[error]string{
		syscall.ENOSPC: "; free space on that filesystem (df -h), or keep fewer checkpoints (train.keep)",
		syscall.EDQUOT: "; free space within your quota (quota -s), or keep fewer checkpoints (train.keep)",
		syscall.EFBIG:  "; raise the limit on the size of a file (ulimit -f), or use a filesystem that allows larger files",
		syscall.EROFS:  "; mount that filesystem writable, or give the run another directory (run.dir)",
		syscall.EACCES: "; give this user write permission there, or give the run another directory (run.dir)",
		syscall.EIO:    "; the disk or the connection to it failed: see the kernel log (dmesg), and give the run another directory (run.dir) if it persists",
		fs.ErrInvalid:  "",
	} {
		if got, want := (&SaveError{Path: "p", Op: "write x", Err: cause}).Error(), fmt.Sprintf(intact, cause)+cure; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	below := filepath.Join(dir, "file", "run")
	fault := func(_ any, err error) string {
		if err == nil {
			return ""
		}
		return strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	lock, err := LockRun(vfs.OS{}, dir)
	check(t, err)
	defer lock.Close()
	latest := func(run string) error { _, _, err := Latest(vfs.OS{}, run); return err }
	back := func(run string) error { _, _, err := Return(vfs.OS{}, run, 1); return err }
	begin := func(run string, step int64) error { _, err := Begin(vfs.OS{}, run, step); return err }
	good := File{Name: "a", Write: func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }}
	for _, tc := range []struct{ name, got, want string }{
		{"lock below a file", fault(LockRun(vfs.OS{}, below)), "run directory DIR/file/run: stat DIR/file/run: not a directory"}, {"begin below a file", fault(nil, begin(below, 1)), "checkpoint DIR/file/run/checkpoints/step-00000001 not saved: make the directory: stat DIR/file/run/checkpoints: not a directory; older checkpoints are intact and training can go on"}, {"begin at −1", fault(nil, begin(dir, -1)), "checkpoint DIR/checkpoints/step--0000001 not saved: begin: step -1 is negative; older checkpoints are intact and training can go on"},
		{"latest of none", fault(nil, latest(dir)), "no checkpoint in DIR"}, {"latest below a file", fault(nil, latest(below)), "checkpoints of DIR/file/run: open DIR/file/run/checkpoints: not a directory"}, {"return below a file", fault(nil, back(below)), "checkpoints of DIR/file/run: open DIR/file/run/checkpoints: not a directory"},
		{"twice", fault(Save(vfs.OS{}, dir, Checkpoint{Step: 1, Files: []File{good, good}})), "checkpoint DIR/checkpoints/step-00000001 not saved: write a: there are two files of this name; older checkpoints are intact and training can go on"}, {"a name", fault(Save(vfs.OS{}, dir, Checkpoint{Step: 1, Files: []File{{Name: "../a"}}})), `checkpoint DIR/checkpoints/step-00000001 not saved: write: "../a" is no usable file name: want a plain name or FOLDER/NAME, without leading dots, other than manifest.json; older checkpoints are intact and training can go on`},
		{"a writer", fault(Save(vfs.OS{}, dir, Checkpoint{Step: 1, Files: []File{{Name: "a", Write: func(io.Writer) error { return errors.New("lost") }}}})), "checkpoint DIR/checkpoints/step-00000001 not saved: write a: lost; older checkpoints are intact and training can go on"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
	}
	var b bytes.Buffer
	if err := JSON("f", map[string]any{"a": "<&>", "b": []int{1}}).Write(&b); err != nil || b.String() != "{\n  \"a\": \"<&>\",\n  \"b\": [\n    1\n  ]\n}\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
