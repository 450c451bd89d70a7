// hopper_check: each primitive of hopper.cuh by itself, as the attention kernels use them, and the same product by mma.sync:
// what a card is asked first. One warpgroup; matrices are of bf16, C (64, N) of float32, k is 128.
//
//   rows      C = A (64, 128) · B (N, 128)ᵀ   both from panels that tensor maps bring, along their rows
//   columns   C = A (64, 128) · B (128, N)    A from registers, B from panels, across their rows
//   stores    C = A (64, 128) · B (64, 128)ᵀ  both from panels that threads store
//   bytes     y = x, 1024 floats, through shared memory by a copy of bytes
//   mma       C = A (64, 128) · B, B[k][n] at k·ldk + n·ldn, by mma.m16n8k16
//
// maps: of A and B as (64 columns of a panel …): matrices of rows tokens and one head of their columns.
#include "attention_hopper.cuh"

using namespace attention;

#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)

constexpr int kDepth = 128;

// Stores the accumulators of a warpgroup.
template <int N>
__device__ void store(float* c, const float (&d)[N / 8][4]) {
  int t = threadIdx.x, row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
#pragma unroll
  for (int j = 0; j < N / 8; j++) {
#pragma unroll
    for (int e = 0; e < 4; e++) c[(row + e / 2 * 8) * N + 8 * j + column + e % 2] = d[j][e];
  }
}

// Brings A, unless it is of registers, and B to shared memory.
template <int COLUMNS, int ROWS>
__device__ void bring(char* a, char* b, const TensorMap* maps, Barrier* full) {
  if (threadIdx.x == 0) {
    barrier_init(full, 1);
    barrier_init_fence();
    map_acquire(maps);
    map_acquire(maps + 1);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    barrier_expect(full, (a ? 64 * 2 * kDepth : 0) + ROWS * 2 * COLUMNS);
    if (a) copy_tile<kDepth, 64, 64>(a, maps, full, 0, 0, 0);
    copy_tile<COLUMNS, ROWS, ROWS>(b, maps + 1, full, 0, 0, 0);
  }
  barrier_wait(full, 0);
}

template <int N>
__device__ void rows(const TensorMap* maps, float* c) {
  DYNAMIC_SHARED(char, memory);
  __shared__ Barrier full;
  char *a = align_panels(memory), *b = a + 64 * 2 * kDepth;
  bring<kDepth, N>(a, b, maps, &full);
  float d[N / 8][4];
  wgmma_fence();
  products_of_rows<kDepth, N>(d, a, b);
  wgmma_commit();
  wgmma_wait<0>();
  hold(d);
  store<N>(c, d);
}

template <int N>
__device__ void columns(const TensorMap* maps, const bf16* a, float* c) {
  DYNAMIC_SHARED(char, memory);
  __shared__ Barrier full;
  char* b = align_panels(memory);
  bring<N, kDepth>(nullptr, b, maps, &full);
  int t = threadIdx.x, row = t / 32 * 16 + t % 32 / 4, q = t % 4 * 2;
  unsigned p[kDepth / 16][4];
#pragma unroll
  for (int k = 0; k < kDepth / 16; k++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      p[k][i] = *reinterpret_cast<const unsigned*>(a + (row + i % 2 * 8) * kDepth + 16 * k + q + i / 2 * 8);
    }
  }
  float d[1][N / 8][4];
  clear(d);
  hold(d[0]);
  hold(p);
  wgmma_fence();
  products_of_columns<N, kDepth>(d[0], p, b);
  wgmma_commit();
  wgmma_wait<0>();
  hold(d[0]);
  store<N>(c, d[0]);
}

// Stores 64 rows of a matrix as panels.
__device__ void store_panels(char* panels, const bf16* x) {
  for (int i = threadIdx.x; i < 64 * kDepth / 8; i += kWarpgroup) {
    int row = i / (kDepth / 8), chunk = i % (kDepth / 8);
    char* to = panels + chunk / 8 * 64 * 128 + row * 128 + (chunk % 8 ^ row % 8) * 16;
    store_operand(to, *reinterpret_cast<const uint4*>(x + row * kDepth + chunk * 8));
  }
}

__device__ void stores(const bf16* a, const bf16* b, float* c) {
  DYNAMIC_SHARED(char, memory);
  char *of_a = align_panels(memory), *of_b = of_a + 64 * 2 * kDepth;
  store_panels(of_a, a);
  store_panels(of_b, b);
  proxy_fence();
  __syncthreads();
  float d[8][4];
  wgmma_fence();
  products_of_rows<kDepth, 64>(d, of_a, of_b);
  wgmma_commit();
  wgmma_wait<0>();
  hold(d);
  store<64>(c, d);
}

__device__ void bytes(const float* x, float* y) {
  DYNAMIC_SHARED(char, memory);
  __shared__ Barrier full;
  float* s = reinterpret_cast<float*>(align_panels(memory));
  if (threadIdx.x == 0) {
    barrier_init(&full, 1);
    barrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    barrier_expect(&full, 4096);
    copy_bytes(s, x, 4096, &full);
  }
  barrier_wait(&full, 0);
  for (int i = threadIdx.x; i < 1024; i += kWarpgroup) y[i] = s[i];
}

#endif

KERNEL(hopper_check_rows_n64, 128)(const hopper::TensorMap* maps, float* c) { ON_HOPPER(rows<64>(maps, c);) }
EXPORT(hopper_check_rows_n64)
KERNEL(hopper_check_rows_n128, 128)(const hopper::TensorMap* maps, float* c) { ON_HOPPER(rows<128>(maps, c);) }
EXPORT(hopper_check_rows_n128)
KERNEL(hopper_check_columns_n64, 128)(const hopper::TensorMap* maps, const bf16* a, float* c) {
  ON_HOPPER(columns<64>(maps, a, c);)
}
EXPORT(hopper_check_columns_n64)
KERNEL(hopper_check_columns_n128, 128)(const hopper::TensorMap* maps, const bf16* a, float* c) {
  ON_HOPPER(columns<128>(maps, a, c);)
}
EXPORT(hopper_check_columns_n128)
KERNEL(hopper_check_stores, 128)(const bf16* a, const bf16* b, float* c) { ON_HOPPER(stores(a, b, c);) }
EXPORT(hopper_check_stores)
KERNEL(hopper_check_bytes, 128)(const float* x, float* y) { ON_HOPPER(bytes(x, y);) }
EXPORT(hopper_check_bytes)

KERNEL(hopper_check_mma, 128)(const bf16* a, const bf16* b, float* c, int n, int ldk, int ldn) {
#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  int t = threadIdx.x, row = t / 32 * 16 + t % 32 / 4, q = t % 4 * 2;
  for (int first = 0; first < n; first += 8) {
    float d[4] = {0, 0, 0, 0};
    for (int k = 0; k < kDepth; k += 16) {
      unsigned fa[4], fb[2];
      for (int i = 0; i < 4; i++) {
        fa[i] = *reinterpret_cast<const unsigned*>(a + (row + i % 2 * 8) * kDepth + k + q + i / 2 * 8);
      }
      for (int i = 0; i < 2; i++) {
        const bf16* at = b + (k + q + 8 * i) * ldk + (first + t % 32 / 4) * ldn;
        fb[i] = pack_bf16(to_float(at[0]), to_float(at[ldk]));
      }
      mma_m16n8k16(d, fa, fb);
    }
    for (int e = 0; e < 4; e++) c[(row + e / 2 * 8) * n + first + q + e % 2] = d[e];
  }
#endif
}
EXPORT(hopper_check_mma)
