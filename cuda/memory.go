//go:build gpu

package cuda

// #include <cuda.h>
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Ptr is an address in the memory of a device; 0 stands for an absent argument.
type Ptr uint64

// Slot is p as an argument of a kernel.
func (p Ptr) Slot() Slot { return Slot(p) }

// Alloc returns zeroed memory, aligned to 256 bytes, which every stream of the
// device may use at once. No bytes give the Ptr 0. It takes no pool of memory:
// virtual GPUs have none.
func (d *Device) Alloc(bytes int64) (Ptr, error) {
	if bytes == 0 {
		return 0, nil
	}
	if bytes < 0 {
		return 0, fmt.Errorf("cuda:%d: cannot allocate %d bytes", d.info.Index, bytes)
	}
	var p C.CUdeviceptr
	err := d.do("cuMemAlloc", func() error { return result(C.cuMemAlloc(&p, C.size_t(bytes))) })
	if err != nil {
		info := d.Info()
		return 0, fmt.Errorf("cuda:%d: allocating %d bytes, with %d of %d free: %w", info.Index, bytes, info.Free, info.Memory, err)
	}
	if err := d.do("cuMemsetD8Async", func() error { return cu.MemsetD8Async(cu.DevicePtr(p), 0, bytes, d.memory) }); err != nil {
		return 0, err
	}
	return Ptr(p), d.do("cuStreamSynchronize", d.memory.Synchronize)
}

// Free gives memory back when all work on the device so far is done, for which it
// waits.
func (d *Device) Free(p Ptr) error {
	if p == 0 {
		return nil
	}
	if err := d.Synchronize(); err != nil {
		return err
	}
	return d.do("cuMemFree", func() error { return result(C.cuMemFree(C.CUdeviceptr(p))) })
}

// Pinned is host memory that the device reads and writes by itself, so that
// [Stream.Upload] and [Stream.Download] need not wait.
type Pinned struct {
	device *Device
	bytes  []byte
}

// Pinned allocates page-locked host memory, zeroed. It is scarce: the system
// cannot swap it out.
func (d *Device) Pinned(bytes int64) (*Pinned, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("cuda:%d: cannot allocate %d bytes of pinned memory", d.info.Index, bytes)
	}
	var p unsafe.Pointer
	err := d.do("cuMemHostAlloc", func() error {
		return result(C.cuMemHostAlloc(&p, C.size_t(bytes), C.CU_MEMHOSTALLOC_PORTABLE))
	})
	if err != nil {
		return nil, fmt.Errorf("cuda:%d: allocating %d bytes of pinned host memory: %w", d.info.Index, bytes, err)
	}
	b := unsafe.Slice((*byte)(p), bytes)
	clear(b)
	return &Pinned{d, b}, nil
}

// Bytes is the memory, which is gone after Close.
func (p *Pinned) Bytes() []byte { return p.bytes }

// Close frees the memory; no copy may be under way.
func (p *Pinned) Close() error {
	if p.bytes == nil {
		return nil
	}
	at := unsafe.Pointer(&p.bytes[0])
	p.bytes = nil
	return p.device.do("cuMemFreeHost", func() error { return cu.MemFreeHost(at) })
}
