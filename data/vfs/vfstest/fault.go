// Package vfstest has the disks that tests break: [Fault] fails or stops at the
// n-th operation of any vfs.FS, and [Mem] is a filesystem in memory that loses,
// at a power loss, all that was not synced.
package vfstest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"example.com/gotrain/data/vfs"
)

// ErrCrashed is what every operation gives from the moment of a simulated kill.
var ErrCrashed = errors.New("the process was killed here (simulated)")

// Fault passes operations on to another filesystem, counts them and lets one of
// them fail. A failing write writes half of its bytes first. Everything but Lock
// counts as one operation, from 0.
type Fault struct {
	fs vfs.FS

	mu    sync.Mutex
	n     int // operations so far
	at    int // the one that fails, -1: none
	err   error
	crash bool     // all later ones fail too
	trace []string // what each operation was
}

var _ vfs.FS = (*Fault)(nil)

// NewFault wraps fsys; no operation fails yet.
func NewFault(fsys vfs.FS) *Fault { return &Fault{fs: fsys, at: -1} }

// FailAt lets operation n alone fail with err.
func (f *Fault) FailAt(n int, err error) { f.set(n, err, false) }

// CrashAt lets operation n and all later ones fail: a kill at that moment.
func (f *Fault) CrashAt(n int) { f.set(n, ErrCrashed, true) }

func (f *Fault) set(n int, err error, crash bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n, f.at, f.err, f.crash, f.trace = 0, n, err, crash, nil
}

// Trace lists the operations since the last FailAt or CrashAt.
func (f *Fault) Trace() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.trace...)
}

// step counts one operation and says whether it fails.
func (f *Fault) step(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.n
	f.n++
	f.trace = append(f.trace, op+" "+name)
	if f.at >= 0 && (n == f.at || f.crash && n > f.at) {
		return fmt.Errorf("%s %s: %w", op, name, f.err)
	}
	return nil
}

func (f *Fault) file(op, name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	if err := f.step(op, name); err != nil {
		return nil, err
	}
	inner, err := open(name)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: inner, f: f, name: name}, nil
}

// Create implements vfs.FS.
func (f *Fault) Create(name string) (vfs.File, error) { return f.file("create", name, f.fs.Create) }

// Open implements vfs.FS.
func (f *Fault) Open(name string) (vfs.File, error) { return f.file("open", name, f.fs.Open) }

// OpenAppend implements vfs.FS.
func (f *Fault) OpenAppend(name string) (vfs.File, error) {
	return f.file("append", name, f.fs.OpenAppend)
}

// Rename implements vfs.FS.
func (f *Fault) Rename(oldname, newname string) error {
	if err := f.step("rename", oldname+" "+newname); err != nil {
		return err
	}
	return f.fs.Rename(oldname, newname)
}

// Remove implements vfs.FS.
func (f *Fault) Remove(name string) error {
	if err := f.step("remove", name); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

// Mkdir implements vfs.FS.
func (f *Fault) Mkdir(name string) error {
	if err := f.step("mkdir", name); err != nil {
		return err
	}
	return f.fs.Mkdir(name)
}

// ReadDir implements vfs.FS.
func (f *Fault) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.step("readdir", name); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(name)
}

// Stat implements vfs.FS.
func (f *Fault) Stat(name string) (fs.FileInfo, error) {
	if err := f.step("stat", name); err != nil {
		return nil, err
	}
	return f.fs.Stat(name)
}

// SyncDir implements vfs.FS.
func (f *Fault) SyncDir(name string) error {
	if err := f.step("syncdir", name); err != nil {
		return err
	}
	return f.fs.SyncDir(name)
}

// Symlink implements vfs.FS.
func (f *Fault) Symlink(target, name string) error {
	if err := f.step("symlink", name); err != nil {
		return err
	}
	return f.fs.Symlink(target, name)
}

// Readlink implements vfs.FS.
func (f *Fault) Readlink(name string) (string, error) {
	if err := f.step("readlink", name); err != nil {
		return "", err
	}
	return f.fs.Readlink(name)
}

// Lock implements vfs.FS. It never fails by design: locks end with a process.
func (f *Fault) Lock(name string) (io.Closer, error) { return f.fs.Lock(name) }

type faultFile struct {
	vfs.File
	f    *Fault
	name string
}

func (f *faultFile) Write(p []byte) (int, error) {
	if err := f.f.step("write", f.name); err != nil {
		// A process that is dead already writes nothing; one that dies, or meets
		// a full disk, in this write has written a part.
		if errors.Is(err, ErrCrashed) && !f.f.firstFailure() {
			return 0, err
		}
		n, werr := f.File.Write(p[:len(p)/2])
		return n, errors.Join(err, werr)
	}
	return f.File.Write(p)
}

// firstFailure reports whether the last operation was the one chosen to fail.
func (f *Fault) firstFailure() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n == f.at+1
}

func (f *faultFile) Read(p []byte) (int, error) {
	if err := f.f.step("read", f.name); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.f.step("read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) Sync() error {
	if err := f.f.step("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.f.step("truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Close closes the file in any case, and fails when its turn has come.
func (f *faultFile) Close() error {
	return errors.Join(f.f.step("close", f.name), f.File.Close())
}
