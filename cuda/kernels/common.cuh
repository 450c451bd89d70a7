// common.cuh: what every kernel file includes. Under nvcc it is CUDA; with -DCUDA_SIM it is the simulator's device language.
//
//   KERNEL(name, threads)(parameters) { … }   a kernel and the largest block that it may be launched with
//   EXPORT(name)                              makes the kernel known to the simulator; nothing under nvcc
//   DYNAMIC_SHARED(T, name)                   T* name, the launch's dynamic shared memory, 128-byte aligned
//
// Parameters of kernels are pointers, int, long long or float.
#pragma once
#ifdef CUDA_SIM
#include "../sim/device.h"
#else
#include <cuda_bf16.h>
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads) name
#define EXPORT(name)
#define DYNAMIC_SHARED(T, name)                                     \
  extern __shared__ __align__(128) unsigned char dynamic_shared_[]; \
  T* name = reinterpret_cast<T*>(dynamic_shared_)
#endif

using bf16 = __nv_bfloat16;

constexpr unsigned FULL_WARP = 0xffffffffu;
constexpr int WARP = 32;

// The smallest number of blocks of b that covers a.
template <class T>
__host__ __device__ constexpr T cdiv(T a, T b) {
  return (a + b - 1) / b;
}

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __bfloat162float(x); }

// from_float<T>(x): x rounded to the nearest T, ties to even.
template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float x) {
  return __float2bfloat16_rn(x);
}

// aligned16 says whether vectors of 16 bytes can be read at p, and at every later row when rows are row_bytes apart.
__device__ __forceinline__ bool aligned16(const void* p, long long row_bytes = 0) {
  return ((reinterpret_cast<unsigned long long>(p) | static_cast<unsigned long long>(row_bytes)) & 15) == 0;
}

// Pack is 16 bytes of T in registers: 4 floats or 8 bf16. load and store want addresses that are multiples of 16.
template <class T>
struct alignas(16) Pack {
  static constexpr int size = 16 / sizeof(T);
  T v[size];

  __device__ __forceinline__ T& operator[](int i) { return v[i]; }
  __device__ __forceinline__ const T& operator[](int i) const { return v[i]; }

  static __device__ __forceinline__ Pack load(const T* p) {
#ifdef CUDA_SIM
    sim::check_aligned(p, 16, "Pack::load");
#endif
    return *reinterpret_cast<const Pack*>(p);
  }
  // The same for data that is read once: it does not displace what the caches hold.
  static __device__ __forceinline__ Pack load_streaming(const T* p) {
#ifdef CUDA_SIM
    return load(p);
#else
    Pack r;
    *reinterpret_cast<uint4*>(&r) = __ldcs(reinterpret_cast<const uint4*>(p));
    return r;
#endif
  }
  __device__ __forceinline__ void store(T* p) const {
#ifdef CUDA_SIM
    sim::check_aligned(p, 16, "Pack::store");
#endif
    *reinterpret_cast<Pack*>(p) = *this;
  }
  // The same for data that no later kernel of the step reads soon.
  __device__ __forceinline__ void store_streaming(T* p) const {
#ifdef CUDA_SIM
    store(p);
#else
    __stcs(reinterpret_cast<uint4*>(p), *reinterpret_cast<const uint4*>(this));
#endif
  }

  __device__ __forceinline__ void to_floats(float* f) const {
#pragma unroll
    for (int i = 0; i < size; i++) {
      f[i] = to_float(v[i]);
    }
  }
  static __device__ __forceinline__ Pack from_floats(const float* f) {
    Pack r;
#pragma unroll
    for (int i = 0; i < size; i++) {
      r.v[i] = from_float<T>(f[i]);
    }
    return r;
  }
  static __device__ __forceinline__ Pack zero() {
    Pack r;
#pragma unroll
    for (int i = 0; i < size; i++) {
      r.v[i] = from_float<T>(0.f);
    }
    return r;
  }
};

// Reductions over a full warp. Every lane gets the same bits: the butterfly adds the same pairs everywhere.
__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int step = WARP / 2; step > 0; step >>= 1) {
    v += __shfl_xor_sync(FULL_WARP, v, step);
  }
  return v;
}
__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int step = WARP / 2; step > 0; step >>= 1) {
    v = fmaxf(v, __shfl_xor_sync(FULL_WARP, v, step));
  }
  return v;
}

// Reductions over a one-dimensional block of whole warps. Every thread calls them and gets the same bits; the order of
// the additions depends on the block's size only. They hold two barriers, the first of which protects the results of
// an earlier call; after they return, shared memory written before them is visible to the whole block.
__device__ __forceinline__ float block_sum(float v) {
  __shared__ float partial[WARP];
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  v = warp_sum(v);
  __syncthreads();
  if (lane == 0) {
    partial[warp] = v;
  }
  __syncthreads();
  return warp_sum(lane < warps ? partial[lane] : 0.f);
}
__device__ __forceinline__ float block_max(float v) {
  __shared__ float partial[WARP];
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) {
    partial[warp] = v;
  }
  __syncthreads();
  return warp_max(lane < warps ? partial[lane] : -INFINITY);
}
// Two sums for the price of one pair of barriers.
__device__ __forceinline__ float2 block_sum(float2 v) {
  __shared__ float2 partial[WARP];
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  v.x = warp_sum(v.x);
  v.y = warp_sum(v.y);
  __syncthreads();
  if (lane == 0) {
    partial[warp] = v;
  }
  __syncthreads();
  v = lane < warps ? partial[lane] : make_float2(0.f, 0.f);
  return make_float2(warp_sum(v.x), warp_sum(v.y));
}

// report keeps the first fault of a step in fault[3] = {instruction, row, value}. fault[0] == 0 means that there was
// none, so instr is a number from 1 on. Which of several faults is kept is not determined.
__device__ __forceinline__ void report(int* fault, int instr, int row, int value) {
  if (atomicCAS(fault, 0, instr) == 0) {
    fault[1] = row;
    fault[2] = value;
  }
}
