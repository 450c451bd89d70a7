// copy.cuh: the copy of a parameter in bf16, which products read and the kernels that update the parameter write.
#pragma once
#include "common.cuh"

// in_global tells the compiler that p, which came from a table, is of device memory: it makes accesses of any memory else.
template <class T>
__device__ __forceinline__ T* in_global(T* p) {
#ifndef CUDA_SIM
  __builtin_assume(__isGlobal(p));
#endif
  return p;
}

// round_to rounds 4 floats as cast.cu does, to nearest even, and stores them at copy + at, a multiple of 8 bytes; nullptr
// is no copy.
__device__ __forceinline__ void round_to(bf16* copy, long long at, const float* x) {
  if (copy == nullptr) {
    return;
  }
  struct alignas(8) {
    __nv_bfloat162 low, high;
  } rounded{__floats2bfloat162_rn(x[0], x[1]), __floats2bfloat162_rn(x[2], x[3])};
  const uint2 words = *reinterpret_cast<const uint2*>(&rounded);
#ifdef CUDA_SIM
  sim::check_aligned(copy + at, 8, "round_to");
  *reinterpret_cast<uint2*>(copy + at) = words;
#else
  __stwb(reinterpret_cast<uint2*>(copy + at), words);
#endif
}

// The same of one float.
__device__ __forceinline__ void round_to(bf16* copy, long long at, float x) {
  if (copy != nullptr) {
    in_global(copy)[at] = from_float<bf16>(x);
  }
}
