//go:build gpu

package cuda

/*
#include <cuda.h>
#include <stdlib.h>
#include <string.h>

// Writes the 16 words of a map of a bfloat16 tensor of four dimensions with swizzle 128B. The driver wants it at a
// multiple of 64 bytes.
static CUresult encode(unsigned long long *words, unsigned long long address, cuuint64_t *dims, cuuint64_t *strides,
                       cuuint32_t *box) {
  CUtensorMap *map = aligned_alloc(64, sizeof *map);
  if (map == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  cuuint32_t steps[4] = {1, 1, 1, 1};
  CUresult r = cuTensorMapEncodeTiled(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4, (void *)address, dims, strides, box, steps,
                                      CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  memcpy(words, map, sizeof *map);
  free(map);
  return r;
}
#cgo noescape encode
#cgo nocallback encode
*/
import "C"

import "fmt"

// Tiles describes a bfloat16 tensor of four dimensions, the innermost first, for
// copies of boxes by the tensor memory accelerator, into rows of 64 elements that are
// swizzled by 128 bytes. Elements outside the tensor are zeros.
type Tiles struct {
	Base    Ptr    // a multiple of 16
	Dims    [4]int // elements
	Strides [3]int // bytes, of dimensions 1 to 3: multiples of 16, the first at least a row
	Box     [4]int // elements, at most 256; the first at most 64
}

// Map returns the 128 bytes by which kernels for sm_90a know the tensor. They read
// them in device memory at a multiple of 64 bytes.
func (t Tiles) Map() ([16]uint64, error) {
	var dims [4]C.cuuint64_t
	var strides [3]C.cuuint64_t
	var box [4]C.cuuint32_t
	for i := range dims {
		dims[i], box[i] = C.cuuint64_t(t.Dims[i]), C.cuuint32_t(t.Box[i])
	}
	for i := range strides {
		strides[i] = C.cuuint64_t(t.Strides[i])
	}
	var words [16]C.ulonglong
	if err := driverError("cuTensorMapEncodeTiled", result(C.encode(&words[0], C.ulonglong(t.Base), &dims[0], &strides[0], &box[0]))); err != nil {
		return [16]uint64{}, fmt.Errorf("tensor of %v elements, strides of %v bytes, boxes of %v: %w", t.Dims, t.Strides, t.Box, err)
	}
	var bits [16]uint64
	for i, w := range words {
		bits[i] = uint64(w)
	}
	return bits, nil
}
