//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package vfs

import (
	"errors"
	"os"
)

// tryLock reports that this system has no flock(2).
func tryLock(*os.File) (held bool, err error) { return false, errors.ErrUnsupported }

// probeLock reports the same.
func probeLock(*os.File) (held bool, err error) { return false, errors.ErrUnsupported }
