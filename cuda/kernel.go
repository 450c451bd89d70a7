//go:build gpu

package cuda

/*
#include <cuda.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_ARGUMENTS = 64 };

// Starts a kernel from a thread of which nothing is known. Each argument lies in a slot of 8 bytes; the driver copies
// as many of them as the kernel declares. The list of addresses ends with NULL.
static CUresult launch(CUcontext context, CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                       unsigned bz, unsigned shared, CUstream stream, uint64_t *slots, int count) {
  void *addresses[MAX_ARGUMENTS + 1];
  for (int i = 0; i < count; i++) addresses[i] = &slots[i];
  addresses[count] = NULL;
  CUresult r = cuCtxSetCurrent(context);
  if (r != CUDA_SUCCESS) return r;
  return cuLaunchKernel(f, gx, gy, gz, bx, by, bz, shared, stream, addresses, NULL);
}
#cgo noescape launch
#cgo nocallback launch
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Module is a loaded image of kernels.
type Module struct {
	device *Device
	module C.CUmodule
}

// Load loads a cubin or fatbin.
func (d *Device) Load(image []byte) (*Module, error) {
	if len(image) == 0 {
		return nil, fmt.Errorf("cuda:%d: the image of kernels is empty", d.info.Index)
	}
	m := &Module{device: d}
	err := d.do("cuModuleLoadData", func() error {
		return result(C.cuModuleLoadData(&m.module, unsafe.Pointer(&image[0])))
	})
	if e := (*Error)(nil); errors.As(err, &e) {
		switch e.Code {
		case C.CUDA_ERROR_NO_BINARY_FOR_GPU, C.CUDA_ERROR_INVALID_PTX, C.CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
			return nil, fmt.Errorf("cuda:%d: no kernels for %s (compute capability %d.%d, driver for CUDA %d.%d; needed is 8.0): %w",
				d.info.Index, d.info.Name, d.info.Major, d.info.Minor, d.info.Driver/1000, d.info.Driver%1000/10, err)
		}
	}
	return m, err
}

// Close unloads the image; its kernels must not run any more.
func (m *Module) Close() error {
	return m.device.do("cuModuleUnload", func() error { return result(C.cuModuleUnload(m.module)) })
}

// Kernel is a function of a module.
type Kernel struct {
	device   *Device
	name     string
	function C.CUfunction
	shared   int // dynamic bytes that SetShared was granted
}

// Kernel finds a kernel by the name that KERNEL gave it in the .cu file, and brings
// it to the device: drivers do that at the first launch, which may have to wait for
// the device, and a capture must not.
func (m *Module) Kernel(name string) (*Kernel, error) {
	k := &Kernel{device: m.device, name: name}
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	err := m.device.do("cuModuleGetFunction", func() error {
		return result(C.cuModuleGetFunction(&k.function, m.module, s))
	})
	if err == nil {
		err = m.device.do("cuFuncLoad", func() error { return result(C.cuFuncLoad(k.function)) })
	}
	if err != nil {
		return nil, fmt.Errorf("kernel %s: %w", name, err)
	}
	return k, nil
}

// SetShared allows launches with that much dynamic shared memory, in bytes: where
// it takes more than 48 KB together with the kernel's static one. Together they have
// Info.SharedPerBlock at most. A number below that of an earlier call changes nothing.
func (k *Kernel) SetShared(bytes int) error {
	if bytes <= k.shared {
		return nil
	}
	err := k.device.do("cuFuncSetAttribute", func() error {
		return result(C.cuFuncSetAttribute(k.function, C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
	})
	if err != nil {
		return fmt.Errorf("kernel %s: %d bytes of shared memory, where a block of %s has %d: %w",
			k.name, bytes, k.device.info.Name, k.device.info.SharedPerBlock, err)
	}
	k.shared = bytes
	return nil
}

// Registers is the number of 32-bit registers of a thread.
func (k *Kernel) Registers() (int, error) { return k.attribute(C.CU_FUNC_ATTRIBUTE_NUM_REGS) }

// LocalBytes is what a thread keeps in memory for want of registers.
func (k *Kernel) LocalBytes() (int, error) { return k.attribute(C.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES) }

// SharedBytes is the static shared memory of a block.
func (k *Kernel) SharedBytes() (int, error) {
	return k.attribute(C.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
}

func (k *Kernel) attribute(which C.CUfunction_attribute) (int, error) {
	var value C.int
	err := k.device.do("cuFuncGetAttribute", func() error {
		return result(C.cuFuncGetAttribute(&value, which, k.function))
	})
	if err != nil {
		return 0, fmt.Errorf("kernel %s: %w", k.name, err)
	}
	return int(value), nil
}

// Dim is the size of a grid in blocks, or of a block in threads.
type Dim struct{ X, Y, Z int }

// Slot is an argument of a kernel: an address, an integer, or the bits of a
// float, in 8 bytes.
type Slot uint64

// Int is a 32-bit integer as an argument.
func Int(v int32) Slot { return Slot(uint32(v)) }

// Long is a 64-bit integer as an argument.
func Long(v int64) Slot { return Slot(v) }

// Float is a float as an argument.
func Float(v float32) Slot { return Slot(math.Float32bits(v)) }

// Launch starts a kernel with the given dynamic shared memory in bytes. The
// arguments are copied before it returns. Neither their number nor their types
// are checked against the kernel: the caller knows its signature. It allocates
// nothing.
func (s *Stream) Launch(k *Kernel, grid, block Dim, shared int, args []Slot) error {
	if len(args) > C.MAX_ARGUMENTS {
		return fmt.Errorf("kernel %s: %d arguments, at most %d are possible", k.name, len(args), C.MAX_ARGUMENTS)
	}
	r := C.launch(s.device.raw, k.function, C.uint(grid.X), C.uint(grid.Y), C.uint(grid.Z), C.uint(block.X), C.uint(block.Y),
		C.uint(block.Z), C.uint(shared), s.handle(), (*C.uint64_t)(unsafe.SliceData(args)), C.int(len(args)))
	if r != C.CUDA_SUCCESS {
		return fmt.Errorf("kernel %s, grid %v, block %v, %d bytes of shared memory: %w", k.name, grid, block, shared, driverError("cuLaunchKernel", result(r)))
	}
	return nil
}
