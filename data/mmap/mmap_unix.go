//go:build unix

package mmap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func mapped(f *os.File, size int) (data []byte, unmap func() error, err error) {
	data, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	return data, func() error { return unix.Munmap(data) }, err
}

func release(part []byte) {
	page := uintptr(os.Getpagesize())
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	end := (begin + uintptr(len(part))) / page * page
	if first := (begin + page - 1) / page * page; first < end {
		_ = unix.Madvise(part[first-begin:end-begin], unix.MADV_DONTNEED) // else they stay
	}
}
