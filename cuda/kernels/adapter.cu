// adapter.cu: ScaleColumns and InverseNorms, the kinds that DoRA has beside LoRA's.
//
// scale_columns  y[n, d] = x[n, d]·s[d] + b[d]; a thread of the grid takes elements in strides of the grid. Bound by
//                memory: x is read and y written once.
// inverse_norms  y[o] = 1/‖w[o] + scale·(b·a)[o]‖, 0 where that is infinite; a (R, I), b (O, R), w of T. rows: w (O, I), a
//                warp an output. columns: w (I, O), a block of 32×8 threads 32 outputs, its thread rows taking every
//                eighth row of w. The sum of R products of an element is made anew in registers, in the order of R, so
//                that w + scale·b·a is never in memory. Bound by R multiplications an element of w, a from the second-level
//                cache.
#include "common.cuh"

namespace {

template <class T>
__device__ __forceinline__ void scale_columns(const T* x, const float* s, const float* b, T* y, long long n, int cols) {
  const long long step = (long long)gridDim.x * blockDim.x;
#pragma unroll 4
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {
    const int d = static_cast<int>(i % cols);
    const float v = to_float(x[i]) * s[d];
    y[i] = from_float<T>(b == nullptr ? v : v + b[d]);
  }
}

// changed is scale·(b·a)[o, i].
__device__ __forceinline__ float changed(const float* a, const float* b, int in, int rank, float scale, int o, int i) {
  float sum = 0.f;
  for (int k = 0; k < rank; k++) {
    sum += b[(long long)o * rank + k] * a[(long long)k * in + i];
  }
  return scale * sum;
}

__device__ __forceinline__ float inverse_norm(float squares) { return squares == 0.f ? 0.f : 1.f / sqrtf(squares); }

constexpr int kThreadRows = 8;

template <class T>
__device__ __forceinline__ void rows(const float* a, const T* w, const float* b, float* y, int out, int in, int rank,
                                     float scale) {
  const int o = blockIdx.x * kThreadRows + threadIdx.y;
  if (o >= out) {
    return;
  }
  float squares = 0.f;
  for (int i = threadIdx.x; i < in; i += WARP) {
    const float v = to_float(w[(long long)o * in + i]) + changed(a, b, in, rank, scale, o, i);
    squares += v * v;
  }
  squares = warp_sum(squares);
  if (threadIdx.x == 0) {
    y[o] = inverse_norm(squares);
  }
}

template <class T>
__device__ __forceinline__ void columns(const float* a, const T* w, const float* b, float* y, int out, int in, int rank,
                                        float scale) {
  __shared__ float shared[kThreadRows][WARP];
  const int o = blockIdx.x * WARP + threadIdx.x;
  float squares = 0.f;
  if (o < out) {
    for (int i = threadIdx.y; i < in; i += kThreadRows) {
      const float v = to_float(w[(long long)i * out + o]) + changed(a, b, in, rank, scale, o, i);
      squares += v * v;
    }
  }
  shared[threadIdx.y][threadIdx.x] = squares;
  __syncthreads();
  if (threadIdx.y == 0 && o < out) {
    float sum = 0.f;
#pragma unroll
    for (int r = 0; r < kThreadRows; r++) {
      sum += shared[r][threadIdx.x];
    }
    y[o] = inverse_norm(sum);
  }
}

}  // namespace

KERNEL(scale_columns_f32, 256)(const float* x, const float* s, const float* b, float* y, long long n, int cols) {
  scale_columns<float>(x, s, b, y, n, cols);
}
EXPORT(scale_columns_f32)

KERNEL(scale_columns_bf16, 256)(const bf16* x, const float* s, const float* b, bf16* y, long long n, int cols) {
  scale_columns<bf16>(x, s, b, y, n, cols);
}
EXPORT(scale_columns_bf16)

KERNEL(inverse_norms_rows_f32, 256)(const float* a, const float* w, const float* b, float* y, int out, int in, int rank,
                                    float scale) {
  rows<float>(a, w, b, y, out, in, rank, scale);
}
EXPORT(inverse_norms_rows_f32)

KERNEL(inverse_norms_rows_bf16, 256)(const float* a, const bf16* w, const float* b, float* y, int out, int in, int rank,
                                     float scale) {
  rows<bf16>(a, w, b, y, out, in, rank, scale);
}
EXPORT(inverse_norms_rows_bf16)

KERNEL(inverse_norms_columns_f32, 256)(const float* a, const float* w, const float* b, float* y, int out, int in, int rank,
                                       float scale) {
  columns<float>(a, w, b, y, out, in, rank, scale);
}
EXPORT(inverse_norms_columns_f32)

KERNEL(inverse_norms_columns_bf16, 256)(const float* a, const bf16* w, const float* b, float* y, int out, int in, int rank,
                                        float scale) {
  columns<bf16>(a, w, b, y, out, in, rank, scale);
}
EXPORT(inverse_norms_columns_bf16)
