// rmsnorm.cu: RMSNorm (Zhang and Sennrich 2019) and its gradient.
//
//   rstd = 1/√(Σx²/D + eps),  y = x·rstd·w     over the rows of x (N, D)
//
// As layernorm.cu: a group of threads keeps a row in registers, so that x is read once. x, y are T; w, rstd float32.
// Bound: memory, 2·D·sizeof(T) bytes a row; w stays in the first-level cache.
#include "norm.cuh"

namespace {

constexpr int kHeld = 4;

template <class T, bool VECTOR>
__device__ __forceinline__ void rmsnorm_row(const T* x, const float* w, T* y, float* rstd, int cols, float eps) {
  constexpr int W = Pack<T>::size;
  constexpr int K = VECTOR ? kHeld : 1;
  const Held<T, VECTOR, K> held(x, cols);
  float squares = 0;
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W];
    held.get(k, span, v);
#pragma unroll
    for (int j = 0; j < W; j++) {
      squares += v[j] * v[j];
    }
  });
  const float rs = rsqrtf(group_sum(squares) / cols + eps);
  if (threadIdx.x == 0) {
    *rstd = rs;
  }
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W], scale[W];
    held.get(k, span, v);
    span.load(w, scale);
#pragma unroll
    for (int j = 0; j < W; j++) {
      v[j] *= rs * scale[j];
    }
    span.store(y, v);
  });
}

template <class T>
__device__ __forceinline__ void rmsnorm(const T* x, const float* w, T* y, float* rstd, int rows, int cols, float eps) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  const long long at = static_cast<long long>(row) * cols;
  if (row_vectors<T>(cols, x, y) && row_vectors<T>(cols, w)) {
    rmsnorm_row<T, true>(x + at, w, y + at, rstd + row, cols, eps);
  } else {
    rmsnorm_row<T, false>(x + at, w, y + at, rstd + row, cols, eps);
  }
}

}  // namespace

KERNEL(rmsnorm_f32, 256)(const float* x, const float* w, float* y, float* rstd, int rows, int cols, float eps) {
  rmsnorm<float>(x, w, y, rstd, rows, cols, eps);
}
EXPORT(rmsnorm_f32)

KERNEL(rmsnorm_bf16, 256)(const bf16* x, const float* w, bf16* y, float* rstd, int rows, int cols, float eps) {
  rmsnorm<bf16>(x, w, y, rstd, rows, cols, eps);
}
EXPORT(rmsnorm_bf16)

KERNEL(rmsnorm_backward_f32, 256)(const float* x, const float* w, const float* rstd, const float* dy,
                                   const float* addend, float* dx, float* partials, int rows, int cols, int block_rows,
                                   int in_partials) {
  DYNAMIC_SHARED(float, sums);
  const NormBackward<float> norm{x,        w,    nullptr, rstd,       dy, addend, dx,
                                 partials, rows, cols,    block_rows, 0,  0,      in_partials};
  norm.run<false>(sums);
}
EXPORT(rmsnorm_backward_f32)

KERNEL(rmsnorm_backward_bf16, 256)(const bf16* x, const float* w, const float* rstd, const bf16* dy,
                                    const bf16* addend, bf16* dx, float* partials, int rows, int cols, int block_rows,
                                    int in_partials) {
  DYNAMIC_SHARED(float, sums);
  const NormBackward<bf16> norm{x,        w,    nullptr, rstd,       dy, addend, dx,
                                partials, rows, cols,    block_rows, 0,  0,      in_partials};
  norm.run<false>(sums);
}
EXPORT(rmsnorm_backward_bf16)
