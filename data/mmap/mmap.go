// Package mmap maps files into memory, or reads them where a system cannot.
package mmap

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// ErrIrregular says that a path names a directory, a device or a pipe.
var ErrIrregular = errors.New("not a regular file")

// Open gives the bytes of a file, for reading only, until unmap. They are read from the
// disk when they are touched. The file must not be shortened meanwhile: the system
// answers a read beyond its end by killing the process (SIGBUS).
func Open(path string) (data []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	switch size := info.Size(); {
	case !info.Mode().IsRegular():
		return nil, nil, fmt.Errorf("%s: %w", path, ErrIrregular)
	case size == 0:
		return nil, func() error { return nil }, nil
	case size > math.MaxInt:
		return nil, nil, fmt.Errorf("%s: %d bytes do not fit this machine's address space", path, size)
	default:
		if data, unmap, err = mapped(f, int(size)); err != nil {
			return nil, nil, fmt.Errorf("map %s into memory: %w", path, err)
		}
		return data, unmap, nil
	}
}

// Release says that a part of what Open gave is not needed for now: it does not count to the memory of this process until it
// is touched again.
func Release(part []byte) { release(part) }
