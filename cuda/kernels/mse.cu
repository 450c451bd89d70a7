// mse.cu: loss = Σ(x - target)²/n, and its gradient dx = 2(x - target)/n·dloss; x, target, dx are T, loss float32.
//
// mse_partial: a block adds up block_packs packs, each thread every 256th of them, into one partial; mse_loss: one
// block adds up the partials. Both orders depend on n only. dx may be x.
// Bound: memory, 2·n·sizeof(T) bytes forward, 3·n·sizeof(T) backward.
#include "common.cuh"

namespace {

// visit calls f(index, count) for the thread's packs of the first n elements among packs first … end-1; count is less
// than the size of a pack at the last one.
template <class T, class F> __device__ __forceinline__ void visit(long long n, long long first, long long end, F f) {
  constexpr int W = Pack<T>::size;
  for (long long pack = first + threadIdx.x; pack < end && pack * W < n; pack += blockDim.x) {
    const long long left = n - pack * W;
    f(pack * W, left < W ? static_cast<int>(left) : W);
  }
}

// load_some reads count elements at p, which is 16-byte aligned, and zeros behind them.
template <class T> __device__ __forceinline__ void load_some(const T* p, int count, float (&v)[Pack<T>::size]) {
  constexpr int W = Pack<T>::size;
  if (count == W) {
    Pack<T>::load(p).to_floats(v);
    return;
  }
#pragma unroll
  for (int j = 0; j < W; j++) {
    v[j] = j < count ? to_float(p[j]) : 0.f;
  }
}

template <class T>
__device__ __forceinline__ void mse_partial(const T* x, const T* target, float* partials, long long n, int block_packs) {
  constexpr int W = Pack<T>::size;
  const long long first = static_cast<long long>(blockIdx.x) * block_packs;
  float sum = 0;
  visit<T>(n, first, first + block_packs, [&](long long at, int count) {
    float a[W], b[W];
    load_some(x + at, count, a);
    load_some(target + at, count, b);
#pragma unroll
    for (int j = 0; j < W; j++) {
      sum += (a[j] - b[j]) * (a[j] - b[j]);
    }
  });
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = sum;
  }
}

template <class T>
__device__ __forceinline__ void mse_backward(const T* x, const T* target, const float* dloss, T* dx, long long n) {
  constexpr int W = Pack<T>::size;
  const float scale = 2 / static_cast<float>(n) * *dloss;
  const long long first = static_cast<long long>(blockIdx.x) * blockDim.x;
  visit<T>(n, first, first + blockDim.x, [&](long long at, int count) {
    float a[W], b[W];
    load_some(x + at, count, a);
    load_some(target + at, count, b);
#pragma unroll
    for (int j = 0; j < W; j++) {
      a[j] = scale * (a[j] - b[j]);
    }
    if (count == W) {
      Pack<T>::from_floats(a).store(dx + at);
      return;
    }
#pragma unroll
    for (int j = 0; j < W; j++) {
      if (j < count) {
        dx[at + j] = from_float<T>(a[j]);
      }
    }
  });
}

}  // namespace

KERNEL(mse_partial_f32, 256)(const float* x, const float* target, float* partials, long long n, int block_packs) {
  mse_partial<float>(x, target, partials, n, block_packs);
}
EXPORT(mse_partial_f32)

KERNEL(mse_partial_bf16, 256)(const bf16* x, const bf16* target, float* partials, long long n, int block_packs) {
  mse_partial<bf16>(x, target, partials, n, block_packs);
}
EXPORT(mse_partial_bf16)

KERNEL(mse_loss_f32, 1024)(const float* partials, float* loss, int parts, long long n) {
  float sum = 0;
  for (int i = threadIdx.x; i < parts; i += blockDim.x) {
    sum += partials[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    *loss = sum / static_cast<float>(n);
  }
}
EXPORT(mse_loss_f32)

KERNEL(mse_backward_f32, 256)(const float* x, const float* target, const float* dloss, float* dx, long long n) {
  mse_backward<float>(x, target, dloss, dx, n);
}
EXPORT(mse_backward_f32)

KERNEL(mse_backward_bf16, 256)(const bf16* x, const bf16* target, const float* dloss, bf16* dx, long long n) {
  mse_backward<bf16>(x, target, dloss, dx, n);
}
EXPORT(mse_backward_bf16)
