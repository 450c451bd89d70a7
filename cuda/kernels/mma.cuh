// mma.cuh: tensor-core products, the loads that feed them, and asynchronous copies into shared memory (sm_80 and later).
// All are the PTX instructions of the same names; a warp's 32 lanes call the mma and ldmatrix functions together.
//
// Fragments of mma_m16n8k16 for lane l, with g = l/4 and t = l%4 (PTX ISA, "Matrix fragments for mma.m16n8k16"):
//   A (16×16, row-major):  a[0] = A[g][2t,2t+1]    a[1] = A[g+8][2t,2t+1]   a[2] = A[g][2t+8,2t+9]   a[3] = A[g+8][2t+8,2t+9]
//   B (16×8, column-major): b[0] = B[2t,2t+1][g]   b[1] = B[2t+8,2t+9][g]
//   D (16×8):              d[0] = D[g][2t]         d[1] = D[g][2t+1]        d[2] = D[g+8][2t]        d[3] = D[g+8][2t+1]
// The element of lower index is in the lower half of a register.
#pragma once
#include "common.cuh"
#ifdef CUDA_SIM
#include "../sim/tensor.h"
#else

// d += A·B, bf16 products, float32 accumulation.
__device__ __forceinline__ void mma_m16n8k16(float d[4], const unsigned a[4], const unsigned b[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ unsigned shared_address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// ldmatrix_x4 reads four 8×8 matrices of 16-bit elements: lane l gives the address of row l%8 of matrix l/8 (16 bytes,
// 16-byte aligned) and gets in r[i] the elements 2(l%4), 2(l%4)+1 of row l/4 of matrix i. _trans gives the transposed
// matrix. _x2 reads two matrices and uses the addresses of lanes 0-15.
__device__ __forceinline__ void ldmatrix_x4(unsigned r[4], const void* shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(unsigned r[4], const void* shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2(unsigned r[2], const void* shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(shared))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x2_trans(unsigned r[2], const void* shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(shared))
               : "memory");
}

// cp_async16 starts a copy of 16 bytes, both addresses 16-byte aligned; with valid == false it writes zeros and reads
// nothing. The bytes are there for this thread after cp_async_wait, for the block after a barrier that follows it.
__device__ __forceinline__ void cp_async16(void* shared, const void* global, bool valid = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(valid ? 16 : 0)
               : "memory");
}
// Ends a group of copies.
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most N of this thread's groups, the newest ones, are unfinished.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// lo and hi rounded to nearest even, lo in the lower half: a register of a fragment.
__device__ __forceinline__ unsigned pack_bf16(float lo, float hi) {
  unsigned r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
  return r;
}

// 2^x, relative error 2^-22 over the whole range; results below 2^-126 are 0.
__device__ __forceinline__ float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// tanh(x), relative error 2^-11.
__device__ __forceinline__ float fast_tanh(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif
