// order.cuh: flags in device memory by which a block goes behind another of the same launch (sm_70 and later).
//
// What a block wrote before a barrier and a store_release that follows it, a block sees behind its load_acquire of that
// value, and so do the other lanes behind a __syncwarp, the other warps behind a __syncthreads (PTX ISA, "Memory
// Consistency Model"). A block must wait for blocks only that are sure to have begun: those that took a lower ticket.
#pragma once
#include "common.cuh"
#ifdef CUDA_SIM
#include "../sim/order.h"
#else

__device__ __forceinline__ int load_acquire(const int* flag) {
  int value;
  asm volatile("ld.acquire.gpu.global.b32 %0, [%1];" : "=r"(value) : "l"(flag) : "memory");
  return value;
}
__device__ __forceinline__ void store_release(int* flag, int value) {
  asm volatile("st.release.gpu.global.b32 [%0], %1;" ::"l"(flag), "r"(value) : "memory");
}

// Between two looks at a flag.
__device__ __forceinline__ void pause() { __nanosleep(64); }
#endif

// take_ticket counts the blocks in the order in which they begin, from *tickets = 0.
__device__ __forceinline__ int take_ticket(int* tickets) { return atomicAdd(tickets, 1); }

// Four floats that other blocks of the launch have written, or will read: past the L1 cache, which is not coherent.
__device__ __forceinline__ float4 load_shared_by_blocks(const float* p) {
  return __ldcg(reinterpret_cast<const float4*>(p));
}
__device__ __forceinline__ void store_shared_by_blocks(float* p, float4 v) {
  __stcg(reinterpret_cast<float4*>(p), v);
}
