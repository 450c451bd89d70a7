//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes flock(2) without waiting. The kernel lets go when the last
// descriptor closes, so a killed process leaves no stale lock.
func tryLock(f *os.File) (held bool, err error) { return flock(f, unix.LOCK_EX) }

// probeLock tells whether a process has the lock of tryLock. It takes a shared one until f
// closes.
func probeLock(f *os.File) (held bool, err error) { return flock(f, unix.LOCK_SH) }

func flock(f *os.File, how int) (held bool, err error) {
	for {
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return true, nil
		}
		return false, err
	}
}
