// hopper.cuh: what sm_90a adds to mma.cuh: products of a warpgroup (wgmma), copies by the tensor memory accelerator
// (TMA), and the barriers that count bytes (mbarrier). All are the PTX instructions of the same names; PTX ISA 9.7.15 has
// wgmma, 9.7.13 mbarrier, 9.7.9.25 the copies, 8.2 the proxies.
//
// Operands of wgmma lie in panels of shared memory: rows of 64 bf16, 128 bytes, eight rows an atom of 1024 bytes, whose
// 16-byte chunk c of row r stands at chunk c ^ (r mod 8): swizzle 128B, which tensor maps write. Atoms lie at multiples of
// 1024 bytes. An operand is read along its panel's rows (k_major: the 64 columns are k) or across them (mn_major: the rows
// are k).
//
// Fragments: thread t of a warpgroup, w = t/32, g = t%32/4, q = t%4, holds of the accumulator d[N/8][4] of 64 rows
//   d[j][0], d[j][1] = D[16w + g][8j + 2q, +1]     d[j][2], d[j][3] = D[16w + g + 8][8j + 2q, +1]
// which are those of mma.m16n8k16 of each warp, and the same of an A that comes from registers.
//
// The rules, which the simulator checks: the first product behind other work on its registers needs wgmma_fence; nobody
// touches registers or operands of a product before wgmma_wait; what threads store to shared memory, asynchronous
// instructions see behind proxy_fence; a copy's bytes are there when its barrier's phase is complete.
#pragma once
#include "mma.cuh"

// ON_HOPPER(code) is code where there are such instructions: kernels are empty in the images of other chips.
#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ON_HOPPER(...) __VA_ARGS__
#else
#define ON_HOPPER(...)
#endif

// One block a multiprocessor: else the assembler knows no number of registers to give and to take.
#ifndef CUDA_SIM
#undef KERNEL
#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads, 1) name
#endif

namespace hopper {

// TensorMap is a CUtensorMap in device memory.
struct alignas(64) TensorMap {
  unsigned long long words[16];
};

// Barrier is an mbarrier. Phases are counted from 0; one is complete when as many have arrived as barrier_init said, and
// all bytes that were expected have come.
struct alignas(8) Barrier {
  unsigned long long word;
};

constexpr int kWarpgroup = 128;                          // threads
constexpr int kPanel = 64;                               // columns of a panel
constexpr int kAtomBytes = 1024, kStepBytes = 16 * 128;  // of eight rows of a panel, and of 16

}  // namespace hopper

#ifdef CUDA_SIM
#include "../sim/hopper.h"
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)  // not the other chips, nor the pass for the host

namespace hopper {

__device__ __forceinline__ unsigned address(const void* shared) {
  return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

// barrier_init makes a barrier whose phases take so many arrivals. Behind barrier_init_fence and a barrier of the block
// all threads and the copies know it.
__device__ __forceinline__ void barrier_init(Barrier* b, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address(b)), "r"(arrivals) : "memory");
}
__device__ __forceinline__ void barrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
}
__device__ __forceinline__ void barrier_arrive(Barrier* b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address(b)) : "memory");
}
// The same, after the phase was told to wait for so many more bytes.
__device__ __forceinline__ void barrier_expect(Barrier* b, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(b)), "r"(bytes) : "memory");
}
// barrier_wait returns when the phase of that parity is complete: at once if the one before it is under way.
__device__ __forceinline__ void barrier_wait(Barrier* b, int parity) {
  asm volatile(
      "{\n\t.reg .pred done;\n"
      "again:\n\t"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t"
      "@done bra ready;\n\t"
      "bra again;\n"
      "ready:\n\t}" ::"r"(address(b)),
      "r"(parity)
      : "memory");
}

// group_sync is __syncthreads of a warpgroup: number 1 to 15, another for each.
__device__ __forceinline__ void group_sync(int number) {
  asm volatile("bar.sync %0, 128;" ::"r"(number) : "memory");
}

// proxy_fence lets asynchronous instructions see what this thread has stored to shared memory.
__device__ __forceinline__ void proxy_fence() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// store_operand stores 16 bytes that an asynchronous instruction is to read.
__device__ __forceinline__ void store_operand(void* shared, uint4 v) { *reinterpret_cast<uint4*>(shared) = v; }

// map_acquire comes before a thread's first copy by a map that lies in global memory.
__device__ __forceinline__ void map_acquire(const TensorMap* map) {
  asm volatile("fence.proxy.tensormap::generic.acquire.gpu [%0], 128;" ::"l"(map) : "memory");
}

// copy_box starts the copy of a box of a tensor of four dimensions, at coordinates c0 (the innermost) to c3, to shared
// memory at a multiple of 128 bytes. Elements outside the tensor become zeros. The box's bytes count at the barrier.
__device__ __forceinline__ void copy_box(void* shared, const TensorMap* map, Barrier* b, int c0, int c1, int c2,
                                         int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3,%4,%5,%6}], [%2];"
      ::"r"(address(shared)), "l"(map), "r"(address(b)), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
      : "memory");
}
// copy_bytes starts the copy of a multiple of 16 bytes, both addresses multiples of 16.
__device__ __forceinline__ void copy_bytes(void* shared, const void* global, int bytes, Barrier* b) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   address(shared)),
               "l"(global), "r"(bytes), "r"(address(b))
               : "memory");
}

// take_registers and give_registers change what each thread of a warpgroup may use, a multiple of 8.
template <int N>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

// Descriptors of operands: start, and in units of 16 bytes the distance of panels (mn_major alone) and of atoms.
__device__ __forceinline__ unsigned long long descriptor(const void* shared, int panel_bytes) {
  return 1ull << 62 | static_cast<unsigned long long>(kAtomBytes / 16) << 32 |
         static_cast<unsigned long long>(panel_bytes / 16) << 16 | (address(shared) & 0x3ffff) >> 4;
}
// An operand along the rows of panels, at the first of its rows, a multiple of 8, of the panel of column k.
__device__ __forceinline__ unsigned long long k_major(const void* shared) { return descriptor(shared, 16); }
// The operand 16 columns on.
__device__ __forceinline__ unsigned long long next_columns(unsigned long long d) { return d + 2; }
// An operand across the rows of panels that are panel_bytes apart, at its first row, a multiple of 8.
__device__ __forceinline__ unsigned long long mn_major(const void* shared, int panel_bytes) {
  return descriptor(shared, panel_bytes);
}
// The operand 16 rows on.
__device__ __forceinline__ unsigned long long next_rows(unsigned long long d) { return d + kStepBytes / 16; }

__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Waits until at most N groups of products, the newest, are unfinished.
template <int N>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// hold keeps the compiler from moving work on these registers across it.
template <int N>
__device__ __forceinline__ void hold(float (&d)[N][4]) {
#pragma unroll
  for (int i = 0; i < N; i++) {
    asm volatile("" : "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])::"memory");
  }
}
template <int N>
__device__ __forceinline__ void hold(unsigned (&a)[N][4]) {
#pragma unroll
  for (int i = 0; i < N; i++) {
    asm volatile("" : "+r"(a[i][0]), "+r"(a[i][1]), "+r"(a[i][2]), "+r"(a[i][3])::"memory");
  }
}

#define D1(i) "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])
#define D8(i) D1(i), D1(i + 1), D1(i + 2), D1(i + 3), D1(i + 4), D1(i + 5), D1(i + 6), D1(i + 7)
#define L32                                                                                                        \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29," \
  "%30,%31"
#define L64                                                                                                          \
  L32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58," \
      "%59,%60,%61,%62,%63"

// wgmma: D (64, N) = A (64, 16) · B (16, N), or += where accumulate, of a warpgroup; bf16 products, float32 sums. A and B
// are descriptors, or A a fragment. MN: B is mn_major, else k_major. N is 64 or 128.
template <int N, bool MN>
__device__ __forceinline__ void wgmma(float (&d)[N / 8][4], unsigned long long a, unsigned long long b,
                                      bool accumulate) {
  static_assert(N == 64 || N == 128, "sizes that are written out");
  if constexpr (N == 64) {
    asm volatile(
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %34, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" L32 "}, %32, %33, p, 1, 1, 0, %35;\n\t}"
        : D8(0)
        : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)), "n"(MN ? 1 : 0));
  } else {
    asm volatile(
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %66, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" L64 "}, %64, %65, p, 1, 1, 0, %67;\n\t}"
        : D8(0), D8(8)
        : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)), "n"(MN ? 1 : 0));
  }
}
template <int N, bool MN>
__device__ __forceinline__ void wgmma(float (&d)[N / 8][4], const unsigned (&a)[4], unsigned long long b,
                                      bool accumulate) {
  static_assert(N == 64 || N == 128, "sizes that are written out");
  if constexpr (N == 64) {
    asm volatile(
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %37, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" L32 "}, {%32,%33,%34,%35}, %36, p, 1, 1, %38;\n\t}"
        : D8(0)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(accumulate)), "n"(MN ? 1 : 0));
  } else {
    asm volatile(
        "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %69, 0;\n\t"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" L64 "}, {%64,%65,%66,%67}, %68, p, 1, 1, %70;\n\t}"
        : D8(0), D8(8)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(accumulate)), "n"(MN ? 1 : 0));
  }
}
#undef D1
#undef D8
#undef L32
#undef L64

}  // namespace hopper
#endif

#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
namespace hopper {

// align_panels returns the first multiple of 1024 bytes at or behind p, of dynamic shared memory.
template <class T>
__device__ __forceinline__ T* align_panels(T* p) {
  return reinterpret_cast<T*>(reinterpret_cast<char*>(p) + (-address(p) & (kAtomBytes - 1)));
}

}  // namespace hopper
#endif
