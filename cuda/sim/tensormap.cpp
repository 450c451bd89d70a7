// tensormap.cpp: descriptions of tensors for copies of boxes.
#include "asynchronous.h"
#include "runtime.h"

using namespace sim;

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* address,
                                const cuuint64_t* dimensions, const cuuint64_t* strides, const cuuint32_t* box,
                                const cuuint32_t* steps, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill fill) {
  const auto refuse = [](const char* why) { return complain(CUDA_ERROR_INVALID_VALUE, "cuTensorMapEncodeTiled: %s", why); };
  if (map == nullptr || reinterpret_cast<uintptr_t>(map) % 64 != 0) {
    return refuse("the map is not at a multiple of 64 bytes");
  }
  if (type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE ||
      fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE ||
      (swizzle != CU_TENSOR_MAP_SWIZZLE_NONE && swizzle != CU_TENSOR_MAP_SWIZZLE_128B)) {
    return refuse("the simulator knows bfloat16, no interleaving, zeros outside, and swizzle none or 128B alone");
  }
  if (rank < 1 || rank > 5) {
    return refuse("the rank is not 1 to 5");
  }
  if (address == nullptr || reinterpret_cast<uintptr_t>(address) % 16 != 0) {
    return refuse("the tensor's address is not a multiple of 16");
  }
  TiledMap m = {};
  m.magic = TiledMap::right;
  m.address = reinterpret_cast<uint64_t>(address);
  m.rank = rank;
  m.element_bytes = 2;
  m.swizzled = swizzle == CU_TENSOR_MAP_SWIZZLE_128B;
  for (unsigned i = 0; i < rank; i++) {
    if (dimensions[i] < 1 || dimensions[i] > 1ull << 32) {
      return refuse("a dimension is not 1 to 2^32");
    }
    if (box[i] < 1 || box[i] > 256) {
      return refuse("a dimension of the box is not 1 to 256");
    }
    if (steps[i] != 1) {
      return refuse("the simulator knows steps of 1 element alone");
    }
    m.dimension[i] = dimensions[i];
    m.box[i] = box[i];
  }
  for (unsigned i = 0; i + 1 < rank; i++) {
    if (strides[i] % 16 != 0 || strides[i] >= 1ull << 40) {
      return refuse("a stride is not a multiple of 16 below 2^40");
    }
    m.stride[i] = strides[i];
  }
  if (rank > 1 && strides[0] < dimensions[0] * m.element_bytes) {
    return refuse("the first stride is shorter than the rows");
  }
  const size_t inner = box[0] * m.element_bytes;
  if (inner % 16 != 0 || (m.swizzled && inner > 128)) {
    return refuse("the rows of the box are not a multiple of 16 bytes, at most 128 with swizzle 128B");
  }
  memset(map, 0, sizeof *map);
  memcpy(map, &m, sizeof m);
  return CUDA_SUCCESS;
}
