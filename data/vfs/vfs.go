// Package vfs is the filesystem that everything durable in a run is written
// through: checkpoints, metrics and the run's lock. It is small on purpose, so
// that package vfstest can stand in for the disk and fail the n-th operation,
// stop at it as a killed process does, or lose power.
//
// Read [FS] first, then the functions that are built from it: [WriteFile],
// [ReadFile], [ReplaceSymlink], [MkdirAll] and [RemoveAll].
//
// What survives what, as POSIX promises it: a killed process loses nothing that
// a returned Write, Rename or Remove did. A power loss keeps the bytes of a file
// only up to its last Sync, and a name (created, renamed or removed) only once
// SyncDir of the directory that holds it has returned.
//
// An FS may be used from several goroutines at once; a File from one.
package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer

	// Sync makes the bytes written so far survive a power loss.
	Sync() error
	// Truncate cuts the file, or extends it with zeros, to size bytes.
	Truncate(size int64) error
}

// FS is a filesystem. Names are slash-separated or native paths; errors satisfy
// errors.Is with fs.ErrNotExist, fs.ErrExist and the system's error numbers.
type FS interface {
	// Create opens name for writing, new or cut to zero bytes.
	Create(name string) (File, error)
	// Open opens name for reading.
	Open(name string) (File, error)
	// OpenAppend opens name for writing at its end, creating it when missing.
	OpenAppend(name string) (File, error)
	// Rename gives oldname the name newname in one step, replacing a file or
	// link of that name. A directory of that name is fs.ErrExist.
	Rename(oldname, newname string) error
	// Remove deletes a file, a symbolic link or an empty directory.
	Remove(name string) error
	// Mkdir makes one directory.
	Mkdir(name string) error
	// ReadDir lists a directory in the order of names.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat describes what name refers to, following symbolic links.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a directory survive a power loss.
	SyncDir(name string) error
	// Symlink makes name a symbolic link to target.
	Symlink(target, name string) error
	// Readlink gives the target of the symbolic link name.
	Readlink(name string) (string, error)
	// Lock takes the exclusive lock that name stands for, creating the file,
	// and holds it until the closer is closed or the process ends. It does not
	// wait: a lock in other hands is a *LockedError.
	Lock(name string) (io.Closer, error)
}

// LockedError says that another process, or another part of this one, holds a
// lock.
type LockedError struct {
	Path string // the lock file
	PID  int    // the holder's process id, 0 when unknown
	Host string // the holder's host name, "" when unknown
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Path)
	}
	return fmt.Sprintf("%s is locked by process %d on host %s", e.Path, e.PID, e.Host)
}

// ReadFile reads the whole file name, which may hold at most limit bytes.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, limit)
	}
	return data, nil
}

// TempSuffix ends the names of half-made files that a crash may leave behind.
// They are never read and may be deleted.
const TempSuffix = ".tmp"

// AppendLine writes line and a line end behind the file name, whole or not at all, and
// syncs it.
func AppendLine(fsys FS, name string, line []byte) error {
	f, err := fsys.OpenAppend(name)
	if err != nil {
		return err
	}
	info, err := fsys.Stat(name)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err = f.Write(append(bytes.Clone(line), '\n')); err != nil {
		err = errors.Join(err, f.Truncate(info.Size()))
	} else {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// WriteFile makes name hold what write produces, in one step: a crash at any
// moment, and an error, leaves the old content or the new, never a part. When it
// returns nil the new content survives a power loss.
func WriteFile(fsys FS, name string, write func(io.Writer) error) error {
	temp := name + TempSuffix
	if err := writeSynced(fsys, temp, write); err != nil {
		return errors.Join(err, removeIfThere(fsys, temp))
	}
	if err := fsys.Rename(temp, name); err != nil {
		return errors.Join(err, removeIfThere(fsys, temp))
	}
	return fsys.SyncDir(filepath.Dir(name))
}

func writeSynced(fsys FS, name string, write func(io.Writer) error) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// WriteDir makes dir, which must not exist, with files in it, whose names may have folders, in one
// step: a crash leaves all of it or none, and so does an error.
func WriteDir(fsys FS, dir string, files []Content) error {
	if _, err := fsys.Stat(dir); err == nil {
		return fmt.Errorf("%s exists already: name another place, or remove it", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir = filepath.Clean(dir)
	temp := dir + TempSuffix
	if err := MkdirAll(fsys, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := RemoveAll(fsys, temp); err != nil {
		return err
	}
	fill := func() error {
		if err := fsys.Mkdir(temp); err != nil {
			return err
		}
		made := map[string]bool{temp: true}
		for _, f := range files {
			name := filepath.Join(temp, f.Name)
			if folder := filepath.Dir(name); !made[folder] {
				if err := MkdirAll(fsys, folder); err != nil {
					return err
				}
				made[folder] = true
			}
			if err := WriteFile(fsys, name, f.Write); err != nil {
				return err
			}
		}
		return fsys.Rename(temp, dir)
	}
	if err := fill(); err != nil {
		return errors.Join(err, RemoveAll(fsys, temp))
	}
	return fsys.SyncDir(filepath.Dir(dir))
}

// ReplaceSymlink makes name a symbolic link to target in one step: a reader
// sees the old link or the new one. The caller syncs the directory.
func ReplaceSymlink(fsys FS, target, name string) error {
	temp := name + TempSuffix
	if err := removeIfThere(fsys, temp); err != nil {
		return err
	}
	if err := fsys.Symlink(target, temp); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return errors.Join(err, removeIfThere(fsys, temp))
	}
	return nil
}

// MkdirAll makes the directory name and its missing parents, each durable: the
// directory that holds a new one is synced. The one that holds name is synced
// even if name is there, since a process may have made it and been killed before
// its sync, unless this process may not read it.
func MkdirAll(fsys FS, name string) error {
	parent := filepath.Dir(name)
	info, err := fsys.Stat(name)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s: is a file where a directory is needed", name)
		}
		if err := fsys.SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) || parent == name {
		return err
	}
	if err := MkdirAll(fsys, parent); err != nil {
		return err
	}
	if err := fsys.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}

// RemoveAll deletes name and, when it is a directory, everything in it. A
// missing name is no error. It is not one step: a crash leaves a part.
func RemoveAll(fsys FS, name string) error {
	err := removeIfThere(fsys, name)
	if err == nil {
		return nil
	}
	entries, rerr := fsys.ReadDir(name)
	if rerr != nil {
		return err
	}
	for _, e := range entries {
		if err := RemoveAll(fsys, filepath.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return removeIfThere(fsys, name)
}

func removeIfThere(fsys FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
