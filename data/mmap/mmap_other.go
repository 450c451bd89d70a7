//go:build !unix

package mmap

import (
	"io"
	"os"
)

// mapped reads the whole file: this system has no mmap(2).
func mapped(f *os.File, size int) (data []byte, unmap func() error, err error) {
	data = make([]byte, size)
	_, err = io.ReadFull(f, data)
	return data, func() error { return nil }, err
}

func release([]byte) {}
