// barriers.cu: barriers that are missing or diverge, each beside the correct kernel.
#include "common.cuh"

// y = x reversed within each block. The wrong one lacks the barrier between write and read.
template <bool CORRECT>
__device__ void reverse(const float* x, float* y, int n) {
  DYNAMIC_SHARED(float, s);
  const int first = blockIdx.x * n;
  s[threadIdx.x] = x[first + threadIdx.x];
  if (CORRECT) {
    __syncthreads();
  }
  y[first + threadIdx.x] = s[n - 1 - threadIdx.x];
}
KERNEL(reverse_correct, 256)(const float* x, float* y, int n) { reverse<true>(x, y, n); }
EXPORT(reverse_correct)
KERNEL(reverse_unsynchronized, 256)(const float* x, float* y, int n) { reverse<false>(x, y, n); }
EXPORT(reverse_unsynchronized)

// y[i] = x[(i + blockDim.x/2·(rounds)) % blockDim.x], by swapping halves `rounds` times. The wrong one lacks the
// barrier between a round's read and the next round's write.
template <bool CORRECT>
__device__ void swap_halves(const float* x, float* y, int rounds) {
  __shared__ float s[256];
  const int i = threadIdx.x, other = (i + blockDim.x / 2) % blockDim.x;
  float v = x[blockIdx.x * blockDim.x + i];
  for (int r = 0; r < rounds; r++) {
    s[i] = v;
    __syncthreads();
    v = s[other];
    if (CORRECT) {
      __syncthreads();
    }
  }
  y[blockIdx.x * blockDim.x + i] = v;
}
KERNEL(swap_halves_correct, 256)(const float* x, float* y, int rounds) { swap_halves<true>(x, y, rounds); }
EXPORT(swap_halves_correct)
KERNEL(swap_halves_unsynchronized, 256)(const float* x, float* y, int rounds) { swap_halves<false>(x, y, rounds); }
EXPORT(swap_halves_unsynchronized)

// y[i] = x[i] in warps, which exchange values through shared memory. The wrong one lacks __syncwarp.
template <bool CORRECT>
__device__ void reverse_warp(const float* x, float* y, int n) {
  __shared__ float s[256];
  const int i = threadIdx.x, lane = i % 32, first = i - lane;
  s[i] = i < n ? x[i] : 0.f;
  if (CORRECT) {
    __syncwarp();
  }
  if (i < n) {
    y[i] = s[first + 31 - lane];
  }
}
KERNEL(reverse_warp_correct, 256)(const float* x, float* y, int n) { reverse_warp<true>(x, y, n); }
EXPORT(reverse_warp_correct)
KERNEL(reverse_warp_unsynchronized, 256)(const float* x, float* y, int n) { reverse_warp<false>(x, y, n); }
EXPORT(reverse_warp_unsynchronized)

// y[i] = the sum of x in the block. In the wrong one half of the threads wait at another barrier.
template <bool CORRECT>
__device__ void sum(const float* x, float* y, int n) {
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  if (CORRECT || threadIdx.x < 64) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  float v = 0;
  for (int i = 0; i < n; i++) {
    v += s[i];
  }
  y[threadIdx.x] = v;
}
KERNEL(sum_correct, 256)(const float* x, float* y, int n) { sum<true>(x, y, n); }
EXPORT(sum_correct)
KERNEL(sum_divergent, 256)(const float* x, float* y, int n) { sum<false>(x, y, n); }
EXPORT(sum_divergent)

// Half of the threads wait at a barrier, the others for a shuffle of the whole warp.
KERNEL(deadlock, 256)(const float* x, float* y, int n) {
  float v = x[threadIdx.x];
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    v = __shfl_xor_sync(FULL_WARP, v, 1);
  }
  y[threadIdx.x] = v + n;
}
EXPORT(deadlock)
