// softmax.cu: softmax over the rows of x (N, D), and its gradient.
//
//   y = exp(x - max)/Σ exp(x - max),   dx = y∘(dy - Σ dy∘y)
//
// A group of threads (row.cuh) takes a row and keeps it in registers: up to kHeld spans a thread, so each input is read
// once. Elements of -inf give 0; a row of nothing else gives NaN. y may be x, dx may be dy. All are T.
// Bound: memory, 2·D·sizeof(T) bytes a row forward and 3·D·sizeof(T) backward.
#include <cfloat>

#include "row.cuh"

namespace {

constexpr int kHeld = 4;

template <class T, bool VECTOR>
__device__ __forceinline__ void softmax_row(const T* x, T* y, int cols) {
  constexpr int W = Pack<T>::size;
  constexpr int K = VECTOR ? kHeld : 1;
  const Held<T, VECTOR, K> held(x, cols);
  float top = -FLT_MAX;
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W];
    held.get(k, span, v);
#pragma unroll
    for (int j = 0; j < W; j++) {
      top = span.has(j) ? fmaxf(top, v[j]) : top;
    }
  });
  top = group_max(top);
  float sum = 0;
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W];
    held.get(k, span, v);
#pragma unroll
    for (int j = 0; j < W; j++) {
      sum += span.has(j) ? __expf(v[j] - top) : 0.f;
    }
  });
  const float scale = 1 / group_sum(sum);
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float v[W];
    held.get(k, span, v);
#pragma unroll
    for (int j = 0; j < W; j++) {
      v[j] = __expf(v[j] - top) * scale;
    }
    span.store(y, v);
  });
}

template <class T, bool VECTOR>
__device__ __forceinline__ void softmax_backward_row(const T* y, const T* dy, T* dx, int cols) {
  constexpr int W = Pack<T>::size;
  constexpr int K = VECTOR ? kHeld : 1;
  const Held<T, VECTOR, K> held_y(y, cols);
  const Held<T, VECTOR, K> held_dy(dy, cols);
  float dot = 0;
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float p[W], d[W];
    held_y.get(k, span, p);
    held_dy.get(k, span, d);
#pragma unroll
    for (int j = 0; j < W; j++) {
      dot += p[j] * d[j];
    }
  });
  dot = group_sum(dot);
  sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
    float p[W], d[W];
    held_y.get(k, span, p);
    held_dy.get(k, span, d);
#pragma unroll
    for (int j = 0; j < W; j++) {
      d[j] = p[j] * (d[j] - dot);
    }
    span.store(dx, d);
  });
}

template <class T>
__device__ __forceinline__ void softmax(const T* x, T* y, int rows, int cols) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  const long long at = static_cast<long long>(row) * cols;
  if (row_vectors<T>(cols, x, y)) {
    softmax_row<T, true>(x + at, y + at, cols);
  } else {
    softmax_row<T, false>(x + at, y + at, cols);
  }
}

template <class T>
__device__ __forceinline__ void softmax_backward(const T* y, const T* dy, T* dx, int rows, int cols) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  const long long at = static_cast<long long>(row) * cols;
  if (row_vectors<T>(cols, y, dy, dx)) {
    softmax_backward_row<T, true>(y + at, dy + at, dx + at, cols);
  } else {
    softmax_backward_row<T, false>(y + at, dy + at, dx + at, cols);
  }
}

}  // namespace

KERNEL(softmax_f32, 256)(const float* x, float* y, int rows, int cols) { softmax<float>(x, y, rows, cols); }
EXPORT(softmax_f32)

KERNEL(softmax_bf16, 256)(const bf16* x, bf16* y, int rows, int cols) { softmax<bf16>(x, y, rows, cols); }
EXPORT(softmax_bf16)

KERNEL(softmax_backward_f32, 256)(const float* y, const float* dy, float* dx, int rows, int cols) {
  softmax_backward<float>(y, dy, dx, rows, cols);
}
EXPORT(softmax_backward_f32)

KERNEL(softmax_backward_bf16, 256)(const bf16* y, const bf16* dy, bf16* dx, int rows, int cols) {
  softmax_backward<bf16>(y, dy, dx, rows, cols);
}
EXPORT(softmax_backward_bf16)
