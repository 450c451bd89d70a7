package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
)

// OS is the operating system's filesystem.
type OS struct{}

var _ FS = OS{}

// Create opens name for writing, new or cut to zero bytes.
func (OS) Create(name string) (File, error) { return file(os.Create(name)) }

// Open opens name for reading.
func (OS) Open(name string) (File, error) { return file(os.Open(name)) }

// OpenAppend opens name for writing at its end, creating it when missing.
func (OS) OpenAppend(name string) (File, error) {
	return file(os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666))
}

// file keeps a nil *os.File from becoming a non-nil File.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Rename is os.Rename.
func (OS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// Remove is os.Remove.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir makes one directory.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o777) }

// ReadDir is os.ReadDir.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// Stat is os.Stat.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Symlink is os.Symlink.
func (OS) Symlink(target, name string) error { return os.Symlink(target, name) }

// Readlink is os.Readlink.
func (OS) Readlink(name string) (string, error) { return os.Readlink(name) }

// SyncDir fsyncs a directory. Filesystems that know no such thing (EINVAL,
// ENOTSUP: some FUSE and network ones) are taken at their word; Windows, which
// has none either, gives nothing to call.
func (OS) SyncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Lock takes an advisory lock on the file name and writes the process id and
// host into it, for the error of the next process that tries.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	held, err := tryLock(f)
	for range 5 { // Locked has it for an instant
		if !held {
			break
		}
		time.Sleep(2 * time.Millisecond)
		held, err = tryLock(f)
	}
	if held {
		e := readHolder(f)
		f.Close()
		return nil, e
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w (the filesystem must offer file locks: on Lustre mount with -o flock)", name, err)
	}
	if err := writeHolder(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return &lock{f}, nil
}

// Locked reports whether a process has the lock on the file name. It is no process's lock
// to take, so a Lock elsewhere that meets it tries again.
func (OS) Locked(name string) (bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	held, err := probeLock(f)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	return held, err
}

type lock struct{ f *os.File }

// Close empties the file, so that no stale process id is left, and lets go. The
// file stays: deleting it would let two processes lock two files of one name.
func (l *lock) Close() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}

func writeHolder(f *os.File) error {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), host), 0)
	return err
}

// readHolder reads what writeHolder wrote. The holder may be between its lock
// and its write: then its process id is unknown.
func readHolder(f *os.File) *LockedError {
	e := &LockedError{Path: f.Name()}
	buf := make([]byte, 512)
	n, _ := f.ReadAt(buf, 0)
	if _, err := fmt.Sscanf(string(buf[:n]), "%d %s", &e.PID, &e.Host); err != nil {
		e.PID, e.Host = 0, ""
	}
	return e
}
