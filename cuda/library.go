//go:build gpu

package cuda

// #include <cuda.h>
// #include "abi/cublaslt.h"
// #include "abi/nccl.h"
// #include "library.h"
// #cgo LDFLAGS: -lcuda -lcublasLt -lnccl -ldl -lpthread
import "C"

import "fmt"

// Library is a shared library that the program opens while it runs.
type Library struct {
	Name    string `json:"name"`              // "libcuda"
	Path    string `json:"path,omitempty"`    // "" when it was not found
	Version string `json:"version,omitempty"` // "13.0"
	Problem string `json:"problem,omitempty"` // why it was not found, or what is wrong with it
	Bound   int    `json:"bound"`             // functions found in it
	Wanted  int    `json:"wanted"`            // functions that its header declares
	Cost    string `json:"cost"`              // what goes without it
	Cure    string `json:"cure"`              // how to get it
}

// kernelsCUDA is the version of CUDA whose compiler makes the images of kernels
// (scripts/cuda/toolkit.sh): a driver for an earlier one may refuse them.
const kernelsCUDA = 13000

// neededDriver names the first driver for kernelsCUDA.
const neededDriver = "NVIDIA's driver 580 or later, for CUDA 13.0"

func driverVersion(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// checkDriver refuses a driver for an earlier CUDA than that of the kernels.
func checkDriver(version int) error {
	if version >= kernelsCUDA {
		return nil
	}
	return fmt.Errorf("%w: it is for CUDA %s, the kernels need %s", ErrOldDriver, driverVersion(version), neededDriver)
}

// Libraries opens all libraries and tells what was found.
func Libraries() []Library {
	driver := describe(C.gotrain_open_cuda())
	driver.Cost = "nothing runs on a GPU"
	driver.Cure = "install " + neededDriver + "; in a container: --gpus all and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
	var version C.int
	if C.cuDriverGetVersion(&version) == C.CUDA_SUCCESS {
		driver.Version = driverVersion(int(version))
		if err := checkDriver(int(version)); err != nil {
			driver.Problem = err.Error()
		}
	}

	blas := describe(C.gotrain_open_cublasLt())
	blas.Cost = "no model trains or runs on a GPU: all matrix products are cuBLASLt's"
	blas.Cure = "install CUDA's libraries, or pip install nvidia-cublas in a Python environment and activate it"
	if blas.Path != "" {
		blas.Version = dotted(int(C.cublasLtGetVersion()))
	}

	nccl := describe(C.gotrain_open_nccl())
	nccl.Cost = "one GPU a run: NCCL adds up gradients over several"
	nccl.Cure = "install libnccl2, or pip install nvidia-nccl-cu13 in a Python environment and activate it"
	if C.ncclGetVersion(&version) == C.ncclSuccess {
		nccl.Version = dotted(int(version))
	}
	return []Library{driver, blas, nccl}
}

// dotted writes a version as cuBLAS and NCCL count them: 22809 is 2.28.9.
func dotted(v int) string { return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100) }

func describe(l *C.struct_gotrain_library) Library {
	return Library{
		Name: "lib" + C.GoString(l.name), Path: C.GoString(&l.path[0]), Problem: C.GoString(&l.error[0]),
		Bound: int(l.bound), Wanted: int(l.wanted),
	}
}

// openDriver opens and initialises the driver; after the first time that takes
// no time.
func openDriver() error {
	if l := C.gotrain_open_cuda(); l.path[0] == 0 {
		return fmt.Errorf("%w: %s", ErrNoDriver, C.GoString(&l.error[0]))
	}
	switch r := C.cuInit(0); r {
	case C.CUDA_ERROR_NO_DEVICE:
		return errNoneVisible
	default:
		return driverError("cuInit", result(r))
	}
}
