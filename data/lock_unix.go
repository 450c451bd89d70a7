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
