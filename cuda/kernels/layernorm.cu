// layernorm.cu: LayerNorm (Ba et al. 2016) and its gradient.
//
//   mean = Σx/D,  rstd = 1/√(Σ(x-mean)²/D + eps),  y = (x-mean)·rstd·w + b     over the rows of x (N, D)
//
// A group of threads (row.cuh) takes a row and keeps it in registers: up to kHeld spans a thread, so x is read once.
// The variance is that of the centred row, in a second sweep over the registers. x, y are T; w, b, mean, rstd float32.
// Bound: memory, 2·D·sizeof(T) bytes a row; w and b stay in the first-level cache.
#include "norm.cuh"

namespace {

constexpr int kHeld = 4;

template <class T, bool VECTOR>
__device__ __forceinline__ void layernorm_row(const T* x, const float* w, const float* b, T* y, float* mean,
                                              float* rstd, int cols, float eps) {
  constexpr int W = Pack<T>::size;
  constexpr int K = VECTOR ? kHeld : 1;
  const Held<T, VECTOR, K> held(x, cols);
  float sum = 0;
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W];
    held.get(k, span, v);
#pragma unroll
    for (int j = 0; j < W; j++) {
      sum += v[j];
    }
  });
  const float mu = group_sum(sum) / cols;
  float squares = 0;
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W];
    held.get(k, span, v);
#pragma unroll
    for (int j = 0; j < W; j++) {
      squares += span.has(j) ? (v[j] - mu) * (v[j] - mu) : 0.f;
    }
  });
  const float rs = rsqrtf(group_sum(squares) / cols + eps);
  if (threadIdx.x == 0) {
    *mean = mu;
    *rstd = rs;
  }
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W], scale[W], shift[W] = {};
    held.get(k, span, v);
    span.load(w, scale);
    if (b != nullptr) {
      span.load(b, shift);
    }
#pragma unroll
    for (int j = 0; j < W; j++) {
      v[j] = (v[j] - mu) * rs * scale[j] + shift[j];
    }
    span.store(y, v);
  });
}

template <class T>
__device__ __forceinline__ void layernorm(const T* x, const float* w, const float* b, T* y, float* mean, float* rstd,
                                          int rows, int cols, float eps) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  const long long at = static_cast<long long>(row) * cols;
  if (row_vectors<T>(cols, x, y) && row_vectors<T>(cols, w, b)) {
    layernorm_row<T, true>(x + at, w, b, y + at, mean + row, rstd + row, cols, eps);
  } else {
    layernorm_row<T, false>(x + at, w, b, y + at, mean + row, rstd + row, cols, eps);
  }
}

}  // namespace

KERNEL(layernorm_f32, 256)(const float* x, const float* w, const float* b, float* y, float* mean, float* rstd, int rows,
                           int cols, float eps) {
  layernorm<float>(x, w, b, y, mean, rstd, rows, cols, eps);
}
EXPORT(layernorm_f32)

KERNEL(layernorm_bf16, 256)(const bf16* x, const float* w, const float* b, bf16* y, float* mean, float* rstd, int rows,
                            int cols, float eps) {
  layernorm<bf16>(x, w, b, y, mean, rstd, rows, cols, eps);
}
EXPORT(layernorm_bf16)

KERNEL(layernorm_backward_f32, 256)(const float* x, const float* w, const float* mean, const float* rstd,
                                     const float* dy, const float* addend, float* dx, float* partials, int rows,
                                     int cols, int block_rows, int bias, int summed, int in_partials) {
  DYNAMIC_SHARED(float, sums);
  const NormBackward<float> norm{x,        w,    mean, rstd,       dy,   addend, dx,
                                 partials, rows, cols, block_rows, bias, summed, in_partials};
  norm.run<true>(sums);
}
EXPORT(layernorm_backward_f32)

KERNEL(layernorm_backward_bf16, 256)(const bf16* x, const float* w, const float* mean, const float* rstd,
                                      const bf16* dy, const bf16* addend, bf16* dx, float* partials, int rows, int cols,
                                      int block_rows, int bias, int summed, int in_partials) {
  DYNAMIC_SHARED(float, sums);
  const NormBackward<bf16> norm{x,        w,    mean, rstd,       dy,   addend, dx,
                                partials, rows, cols, block_rows, bias, summed, in_partials};
  norm.run<true>(sums);
}
EXPORT(layernorm_backward_bf16)
