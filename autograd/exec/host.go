package exec

import (
	"unsafe"

	"example.com/gotrain/autograd/plan"
)

// AlignedMemory returns n zeroed bytes of the Go heap at a multiple of
// plan.Align.
func AlignedMemory(n int) []byte {
	raw := make([]byte, n+plan.Align)
	skip := int(-uintptr(unsafe.Pointer(&raw[0])) & (plan.Align - 1))
	return raw[skip:][:n:n]
}
