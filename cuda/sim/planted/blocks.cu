// blocks.cu: one block reads what the others write, with and without an order between them.
#include "common.cuh"

// total[0] = the sum of x (blocks of 256). The block that comes last, by an atomic counter, adds up the partial sums;
// in the wrong kernel the block of the highest number does.
template <bool CORRECT>
__device__ void sum_blocks(const float* x, float* partial, int* count, float* total) {
  __shared__ bool last;
  const float v = block_sum(x[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = v;
    __threadfence();
    last = CORRECT ? atomicAdd(count, 1) == static_cast<int>(gridDim.x) - 1 : blockIdx.x == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float sum = 0;
    for (unsigned i = 0; i < gridDim.x; i++) {
      sum += partial[i];
    }
    *total = sum;
  }
}
KERNEL(sum_blocks_correct, 256)(const float* x, float* partial, int* count, float* total) {
  sum_blocks<true>(x, partial, count, total);
}
EXPORT(sum_blocks_correct)
KERNEL(sum_blocks_unordered, 256)(const float* x, float* partial, int* count, float* total) {
  sum_blocks<false>(x, partial, count, total);
}
EXPORT(sum_blocks_unordered)
