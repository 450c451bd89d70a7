//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package data

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile waits for the exclusive lock on path, which it creates. locked is false on a file system without locks.
func lockFile(path string, waiting func() error) (unlock func(), locked bool, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, false, err
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { os.Remove(path); file.Close() }, true, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			if err := waiting(); err != nil {
				file.Close()
				return nil, false, err
			}
			time.Sleep(lockPoll)
		default:
			return func() { os.Remove(path); file.Close() }, false, nil
		}
	}
}

// holdLock takes a shared lock on a file that is there until release, so that tryLock fails. ok is false while another process
// has the exclusive one. On a file system without locks there is nothing to release.
func holdLock(path string) (release func(), ok bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	busy, err := flock(file, unix.LOCK_SH)
	if busy || err != nil {
		file.Close()
		return func() {}, !busy, nil
	}
	return func() { file.Close() }, true, nil
}

// tryLock takes the exclusive lock on a file that is there. free is false where others hold it, or where that cannot be known.
func tryLock(path string) (release func(), free bool, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, false, err
	}
	if busy, err := flock(file, unix.LOCK_EX); busy || err != nil {
		file.Close()
		return func() {}, false, nil
	}
	return func() { file.Close() }, true, nil
}

// flock takes a lock without waiting; busy tells that another process has it.
func flock(file *os.File, how int) (busy bool, err error) {
	for {
		err = unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return errors.Is(err, unix.EWOULDBLOCK), err
		}
	}
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	// Some network file systems do not sync directories.
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}
