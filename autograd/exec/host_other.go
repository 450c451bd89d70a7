//go:build !linux

package exec

// MapMemory returns n zeroed bytes of the Go heap.
func MapMemory(n int) ([]byte, error) { return AlignedMemory(n), nil }

// UnmapMemory leaves the bytes to the collector.
func UnmapMemory([]byte) error { return nil }
