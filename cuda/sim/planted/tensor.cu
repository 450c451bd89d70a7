// tensor.cu: one product of a tile by cp.async, ldmatrix and mma, with waits and barriers that are missing.
#include "mma.cuh"

struct Correct {
  static constexpr bool wait = true, barrier = true;
};
struct NoWait {
  static constexpr bool wait = false, barrier = true;
};
struct NoBarrier {
  static constexpr bool wait = true, barrier = false;
};

// C (16, 8·warps) = A (16, k) · B (8·warps, k)ᵀ, k a multiple of 16. One block of whole warps; each warp takes eight
// columns of C. A and B pass through shared memory in steps of 16 along k.
template <class Kind>
__device__ void product(const bf16* a, const bf16* b, float* c, int k) {
  __shared__ __align__(16) bf16 as[16][16];
  __shared__ __align__(16) bf16 bs[32][16];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, columns = blockDim.x / 32 * 8;
  float d[4] = {0.f, 0.f, 0.f, 0.f};
  for (int step = 0; step < k; step += 16) {
    for (int i = threadIdx.x; i < (16 + columns) * 2; i += blockDim.x) {
      const int row = i / 2, column = i % 2 * 8;
      if (row < 16) {
        cp_async16(&as[row][column], a + row * k + step + column);
      } else {
        cp_async16(&bs[row - 16][column], b + (row - 16) * k + step + column);
      }
    }
    cp_async_commit();
    if (Kind::wait) {
      cp_async_wait<0>();
    }
    __syncthreads();
    unsigned af[4], bf[2];
    ldmatrix_x4(af, &as[lane % 16][lane / 16 * 8]);
    ldmatrix_x2(bf, &bs[warp * 8 + lane % 8][lane / 8 % 2 * 8]);
    mma_m16n8k16(d, af, bf);
    if (Kind::barrier) {
      __syncthreads();
    }
  }
  for (int i = 0; i < 4; i++) {
    c[(lane / 4 + i / 2 * 8) * columns + warp * 8 + lane % 4 * 2 + i % 2] = d[i];
  }
}
KERNEL(product_correct, 128)(const bf16* a, const bf16* b, float* c, int k) { product<Correct>(a, b, c, k); }
EXPORT(product_correct)
KERNEL(product_unwaited, 128)(const bf16* a, const bf16* b, float* c, int k) { product<NoWait>(a, b, c, k); }
EXPORT(product_unwaited)
KERNEL(product_unsynchronized, 128)(const bf16* a, const bf16* b, float* c, int k) { product<NoBarrier>(a, b, c, k); }
EXPORT(product_unsynchronized)

// The transposed loads: y (8, 8) = xᵀ for four 8×8 matrices, through ldmatrix_x4_trans.
KERNEL(transpose_tiles, 32)(const bf16* x, bf16* y) {
  __shared__ __align__(16) bf16 s[32][8];
  for (int j = 0; j < 8; j++) {
    s[threadIdx.x][j] = x[threadIdx.x * 8 + j];
  }
  __syncwarp();
  unsigned r[4];
  ldmatrix_x4_trans(r, s[threadIdx.x]);
  for (int i = 0; i < 4; i++) {
    *reinterpret_cast<unsigned*>(y + i * 64 + threadIdx.x / 4 * 8 + threadIdx.x % 4 * 2) = r[i];
  }
}
EXPORT(transpose_tiles)
