//go:build !unix

package mmap

import (
	"fmt"
	"io"
	"math"
	"os"
)

// Map reads the whole file: this system has no mmap(2).
func Map(f *os.File, size int64) (data []byte, unmap func() error, err error) {
	if size > math.MaxInt {
		return nil, nil, fmt.Errorf("%d bytes do not fit this machine's address space", size)
	}
	data = make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil, err
	}
	return data, func() error { return nil }, nil
}
