//go:build gpu

package cuda

// #include <cuda.h>
import "C"

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrNoDriver says that libcuda.so.1 was not found.
var ErrNoDriver = errors.New("cuda: no NVIDIA driver (libcuda.so.1) on this machine")

// ErrOldDriver says that the driver is older than the kernels.
var ErrOldDriver = errors.New("cuda: the NVIDIA driver is too old")

// ErrNoDevice says that the driver sees no GPU, or not the one asked for.
var ErrNoDevice = errors.New("cuda: no device")

// errNoneVisible is ErrNoDevice where the driver sees none.
var errNoneVisible = fmt.Errorf("%w: the NVIDIA driver sees no GPU (a container needs --gpus all, a job an allocated GPU; CUDA_VISIBLE_DEVICES hides them)", ErrNoDevice)

// ErrOutOfMemory is what an [*Error] is when the memory of the device, or the
// host memory that can be pinned, does not suffice.
var ErrOutOfMemory = errors.New("cuda: out of memory")

// Error is a call of a library that failed.
type Error struct {
	Call string // "cuMemAlloc"
	Code int    // 2
	Name string // "CUDA_ERROR_OUT_OF_MEMORY"
	Text string // "out of memory"
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Call, e.Name, e.Text)
}

// Is makes errors.Is(err, ErrOutOfMemory) work.
func (e *Error) Is(target error) bool {
	return target == ErrOutOfMemory && e.Name == "CUDA_ERROR_OUT_OF_MEMORY"
}

// status is a CUresult that is not CUDA_SUCCESS, before it is known which call
// returned it.
type status C.CUresult

func (s status) Error() string { return fmt.Sprintf("CUDA status %d", int(s)) }

func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return status(r)
}

// driverError makes an Error of what a function of the driver returned: a
// status, or the error of gorgonia.org/cu, whose type is an integer that it
// does not export.
func driverError(call string, err error) error {
	if err == nil {
		return nil
	}
	var code C.CUresult
	switch e := err.(type) {
	case status:
		code = C.CUresult(e)
	default:
		code = C.CUresult(reflect.ValueOf(err).Int())
	}
	if code == C.CUDA_ERROR_STUB_LIBRARY {
		return &Error{call, int(code), "CUDA_ERROR_STUB_LIBRARY", "this driver is too old to have the function: " + neededDriver + " is needed"}
	}
	e := &Error{Call: call, Code: int(code), Name: fmt.Sprintf("CUDA error %d", code), Text: "unknown to this driver"}
	var text *C.char
	if C.cuGetErrorName(code, &text) == C.CUDA_SUCCESS {
		e.Name = C.GoString(text)
	}
	if C.cuGetErrorString(code, &text) == C.CUDA_SUCCESS {
		e.Text = C.GoString(text)
	}
	return e
}
