package cpu

import "syscall"

// hugeFrom is the size from which huge pages are asked for: less would leave
// most of a page of 2 MiB unused.
const hugeFrom = 4 << 20

// mapMemory returns n zeroed bytes of their own pages. Huge pages are advice: a
// kernel that lacks them refuses it, and small pages serve.
func mapMemory(n int) ([]byte, error) {
	data, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err == nil && n >= hugeFrom {
		_ = syscall.Madvise(data, syscall.MADV_HUGEPAGE)
	}
	return data, err
}

func unmapMemory(data []byte) error { return syscall.Munmap(data) }
