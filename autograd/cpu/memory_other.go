//go:build !linux

package cpu

// mapMemory returns n zeroed bytes of the Go heap.
func mapMemory(n int) ([]byte, error) { return alignedBytes(n), nil }

func unmapMemory([]byte) error { return nil }
