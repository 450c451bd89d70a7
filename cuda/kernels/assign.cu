// assign.cu: Assign, what a program hands on to its next run.
//
//   state[i] = x[i] where x[i] is finite, else state[i] stays
//
// A thread of the grid takes an element at a time, neighbours side by side.
// Bound by memory: 8 bytes an element, the least there is.
#include "common.cuh"

KERNEL(assign_f32, 256)(float* state, const float* x, long long n) {
  const long long stride = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    const float v = x[i];
    if (v - v == 0) {  // NaN otherwise
      state[i] = v;
    }
  }
}
EXPORT(assign_f32)
