package vfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// each runs a test on every filesystem, in an empty directory.
func each(t *testing.T, test func(t *testing.T, fsys vfs.FS, dir string)) {
	t.Run("OS", func(t *testing.T) { test(t, vfs.OS{}, t.TempDir()) })
	t.Run("Mem", func(t *testing.T) {
		fsys := vfstest.NewMem()
		check(t, fsys.Mkdir("/dir"))
		test(t, fsys, "/dir")
	})
	t.Run("Fault", func(t *testing.T) { test(t, vfstest.NewFault(vfs.OS{}), t.TempDir()) })
}

func put(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	check(t, err)
	_, err = io.WriteString(f, content)
	check(t, err)
	check(t, f.Sync())
	check(t, f.Close())
}

func get(fsys vfs.FS, name string) string {
	data, err := vfs.ReadFile(fsys, name, 1000)
	if err != nil {
		return fmt.Sprint("error: ", err)
	}
	return string(data)
}

// tree lists a directory: "a.txt dir/ dir/b.txt link→a.txt".
func tree(t *testing.T, fsys vfs.FS, dir, prefix string) string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	check(t, err)
	var names []string
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			names = append(names, prefix+e.Name()+"/")
			if below := tree(t, fsys, name, prefix+e.Name()+"/"); below != "" {
				names = append(names, below)
			}
		case e.Type() == fs.ModeSymlink:
			target, err := fsys.Readlink(name)
			check(t, err)
			names = append(names, prefix+e.Name()+"→"+target)
		default:
			names = append(names, prefix+e.Name())
		}
	}
	return strings.Join(names, " ")
}

// TestFilesystemsAgree runs one script on all filesystems: the simulated ones
// must behave as the real one.
func TestFilesystemsAgree(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		is := func(err, target error, what string) {
			t.Helper()
			if !errors.Is(err, target) {
				t.Errorf("%s: %v, want %v", what, err, target)
			}
		}
		want := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}

		put(t, fsys, at("a"), "one")
		put(t, fsys, at("a"), "two") // Create cuts
		want(get(fsys, at("a")), "two")
		f, err := fsys.OpenAppend(at("a"))
		check(t, err)
		_, err = io.WriteString(f, " three")
		check(t, err)
		check(t, f.Truncate(4))
		_, err = io.WriteString(f, "four")
		check(t, err)
		check(t, f.Close())
		want(get(fsys, at("a")), "two four")
		is(f.Close(), fs.ErrClosed, "close twice")

		f, err = fsys.Open(at("a"))
		check(t, err)
		part := make([]byte, 4)
		_, err = f.ReadAt(part, 4)
		check(t, err)
		want(string(part), "four")
		_, err = f.ReadAt(part, 6)
		is(err, io.EOF, "read beyond the end")
		if _, err := f.Write(part); err == nil {
			t.Error("wrote to a file open for reading")
		}
		check(t, f.Close())

		check(t, fsys.Mkdir(at("d")))
		is(fsys.Mkdir(at("d")), fs.ErrExist, "mkdir twice")
		is(fsys.Mkdir(at("no/d")), fs.ErrNotExist, "mkdir without parent")
		put(t, fsys, at("d/b"), "b")
		is(fsys.Remove(at("d")), syscall.ENOTEMPTY, "remove a full directory")
		is(fsys.Remove(at("none")), fs.ErrNotExist, "remove nothing")
		_, err = fsys.Create(at("d"))
		is(err, syscall.EISDIR, "create over a directory")
		_, err = fsys.Open(at("a/x"))
		is(err, syscall.ENOTDIR, "open below a file")
		_, err = fsys.ReadDir(at("none"))
		is(err, fs.ErrNotExist, "read no directory")
		_, err = fsys.Stat(at("none"))
		is(err, fs.ErrNotExist, "stat nothing")

		check(t, fsys.Mkdir(at("e")))
		is(fsys.Rename(at("d"), at("e")), fs.ErrExist, "rename over a directory")
		is(fsys.Rename(at("none"), at("x")), fs.ErrNotExist, "rename nothing")
		is(fsys.Rename(at("a"), at("d")), fs.ErrExist, "rename a file over a directory")
		is(fsys.Rename(at("d"), at("a")), syscall.ENOTDIR, "rename a directory over a file")
		check(t, fsys.Rename(at("d/b"), at("e/b")))
		check(t, fsys.Rename(at("e/b"), at("d/c")))
		want(tree(t, fsys, dir, ""), "a d/ d/c e/")

		check(t, fsys.Symlink("d", at("link")))
		is(fsys.Symlink("d", at("link")), fs.ErrExist, "symlink twice")
		want(get(fsys, at("link/c")), "b")
		check(t, vfs.ReplaceSymlink(fsys, "e", at("link")))
		_, err = fsys.Stat(at("link/c"))
		is(err, fs.ErrNotExist, "stat through the new link")
		_, err = fsys.Readlink(at("a"))
		is(err, syscall.EINVAL, "readlink of a file")
		info, err := fsys.Stat(at("link"))
		check(t, err)
		if !info.IsDir() {
			t.Error("Stat does not follow a link")
		}
		want(tree(t, fsys, dir, ""), "a d/ d/c e/ link→e")
		check(t, fsys.SyncDir(dir))
		is(fsys.SyncDir(at("none")), fs.ErrNotExist, "sync no directory")

		check(t, vfs.RemoveAll(fsys, at("link")))
		check(t, vfs.RemoveAll(fsys, at("d")))
		check(t, vfs.RemoveAll(fsys, at("d")))
		want(tree(t, fsys, dir, ""), "a e/")

		check(t, vfs.MkdirAll(fsys, at("x/y/z")))
		check(t, vfs.MkdirAll(fsys, at("x/y/z")))
		if err := vfs.MkdirAll(fsys, at("a")); err == nil {
			t.Error("MkdirAll took a file for a directory")
		}
		want(tree(t, fsys, dir, ""), "a e/ x/ x/y/ x/y/z/")
		if _, err := vfs.ReadFile(fsys, at("a"), 3); err == nil {
			t.Error("ReadFile read more than its limit")
		}
	})
}

func TestLoopOfLinks(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		check(t, fsys.Symlink("b", filepath.Join(dir, "a")))
		check(t, fsys.Symlink("a", filepath.Join(dir, "b")))
		if _, err := fsys.Stat(filepath.Join(dir, "a")); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("error %v, want ELOOP", err)
		}
	})
}

func TestLock(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "lock")
		for range 2 {
			lock, err := fsys.Lock(name)
			check(t, err)
			_, err = fsys.Lock(name)
			var held *vfs.LockedError
			if !errors.As(err, &held) || held.PID != os.Getpid() || held.Path != name {
				t.Fatalf("second lock: %v", err)
			}
			check(t, lock.Close())
		}
	})
}

// TestLockEndsWithItsProcess kills a process that holds a lock.
func TestLockEndsWithItsProcess(t *testing.T) {
	if name := os.Getenv("VFS_TEST_LOCK"); name != "" {
		_, err := vfs.OS{}.Lock(name)
		fmt.Println("locked:", err)
		io.Copy(io.Discard, os.Stdin) // until killed
		return
	}
	name := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), "VFS_TEST_LOCK="+name)
	stdin, err := cmd.StdinPipe()
	check(t, err)
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	said := make([]byte, len("locked: <nil>"))
	_, err = io.ReadFull(stdout, said)
	check(t, err)

	_, err = vfs.OS{}.Lock(name)
	var held *vfs.LockedError
	if !errors.As(err, &held) || held.PID != cmd.Process.Pid {
		t.Errorf("%s; lock while process %d holds it: %v", said, cmd.Process.Pid, err)
	}
	check(t, cmd.Process.Kill())
	cmd.Wait()
	lock, err := vfs.OS{}.Lock(name)
	check(t, err)
	check(t, lock.Close())
}

// TestWriteFileIsOneStep fails, crashes and loses power at every operation.
func TestWriteFileIsOneStep(t *testing.T) {
	write := func(fsys vfs.FS, content string) error {
		return vfs.WriteFile(fsys, "/f", func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			return err
		})
	}
	for n := 0; ; n++ {
		for _, crash := range []bool{true, false} {
			fsys := vfstest.NewMem()
			check(t, write(fsys, "old"))
			fault := vfstest.NewFault(fsys)
			if crash {
				fault.CrashAt(n)
			} else {
				fault.FailAt(n, syscall.ENOSPC)
			}
			err := write(fault, "new")
			if len(fault.Trace()) <= n {
				check(t, err)
				return
			}
			if err == nil {
				t.Fatalf("no error from a fault at %s", fault.Trace()[n])
			}
			for _, left := range []vfs.FS{fsys, fsys.PowerLoss(nil)} {
				if got := get(left, "/f"); got != "old" && got != "new" {
					t.Fatalf("fault at %s left %q", fault.Trace()[n], got)
				}
			}
			if _, err := fsys.Stat("/f" + vfs.TempSuffix); !crash && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("fault at %s left the temporary file", fault.Trace()[n])
			}
			check(t, write(fsys, "newer"))
			if got := get(fsys.PowerLoss(nil), "/f"); got != "newer" {
				t.Fatalf("after a power loss: %q", got)
			}
		}
	}
}

// A fault at any step of a new directory leaves all of it or nothing.
func TestWriteDirIsOneStep(t *testing.T) {
	files := []vfs.Content{vfs.Bytes("a", []byte("1")), vfs.Bytes("b/c", []byte("2")), vfs.Bytes("b/d", []byte("3"))}
	for n := 0; ; n++ {
		for _, crash := range []bool{true, false} {
			fsys := vfstest.NewMem()
			fault := vfstest.NewFault(fsys)
			if crash {
				fault.CrashAt(n)
			} else {
				fault.FailAt(n, syscall.ENOSPC)
			}
			err := vfs.WriteDir(fault, "/x/dir", files)
			if len(fault.Trace()) <= n {
				check(t, err)
				if err := vfs.WriteDir(fsys, "/x/dir", files); err == nil || !strings.Contains(err.Error(), "exists already") {
					t.Errorf("a second one: %v", err)
				}
				if got := get(fsys.PowerLoss(nil), "/x/dir/b/d"); got != "3" {
					t.Errorf("after a power loss: %q", got)
				}
				return
			}
			if err == nil {
				t.Fatalf("no error from a fault at %s", fault.Trace()[n])
			}
			for _, left := range []vfs.FS{fsys, fsys.PowerLoss(nil)} {
				if _, err := left.Stat("/x/dir"); err != nil {
					continue
				}
				for f, want := range map[string]string{"a": "1", "b/c": "2", "b/d": "3"} {
					if got := get(left, "/x/dir/"+f); got != want {
						t.Errorf("fault at %s left a directory whose %s is %q", fault.Trace()[n], f, got)
					}
				}
			}
			if _, err := fsys.Stat("/x/dir" + vfs.TempSuffix); !crash && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("fault at %s left the temporary directory", fault.Trace()[n])
			}
		}
	}
}
