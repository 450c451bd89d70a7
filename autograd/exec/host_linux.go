package exec

import "syscall"

// hugeFrom is the size from which huge pages are asked for: less would leave
// most of a page of 2 MiB unused.
const hugeFrom = 4 << 20

// MapMemory returns n zeroed bytes of their own pages, outside of Go's heap,
// which take memory once they are written. Huge pages are advice: a kernel that
// lacks them refuses it, and small pages serve.
func MapMemory(n int) ([]byte, error) {
	data, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err == nil && n >= hugeFrom {
		_ = syscall.Madvise(data, syscall.MADV_HUGEPAGE)
	}
	return data, err
}

// UnmapMemory gives back what MapMemory returned.
func UnmapMemory(data []byte) error { return syscall.Munmap(data) }
