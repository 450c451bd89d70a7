// mse.cu: loss = Σ(x - target)²/n, and its gradient dx = 2(x - target)/n·dloss; x, target, dx are T, loss float32.
//
// mse_partial: a block adds up a chunk of elements into one partial; mse_loss: one block adds up the partials. Both
// orders depend on n only. dx may be x.
// Bound: memory, 2·n·sizeof(T) bytes forward, 3·n·sizeof(T) backward.
#include "map.cuh"

namespace {

// mse_partial sums chunk blockIdx.x, a multiple of packs but for the last one. x and target are 16-byte aligned.
template <class T>
__device__ __forceinline__ void mse_partial(const T* x, const T* target, float* partials, long long n, int chunk) {
  constexpr int W = Pack<T>::size;
  const long long begin = static_cast<long long>(blockIdx.x) * chunk;
  const int count = static_cast<int>(min(static_cast<long long>(chunk), n - begin));
  float sum = 0;
#pragma unroll 4
  for (int i = threadIdx.x * W; i + W <= count; i += blockDim.x * W) {
    float a[W], b[W];
    Pack<T>::load(x + begin + i).to_floats(a);
    Pack<T>::load(target + begin + i).to_floats(b);
#pragma unroll
    for (int j = 0; j < W; j++) {
      sum += (a[j] - b[j]) * (a[j] - b[j]);
    }
  }
  const int tail = count / W * W + threadIdx.x;
  if (tail < count) {
    const float d = to_float(x[begin + tail]) - to_float(target[begin + tail]);
    sum += d * d;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = sum;
  }
}

template <class T>
__device__ __forceinline__ void mse_backward(const T* x, const T* target, const float* dloss, T* dx, long long n) {
  const float scale = 2 / static_cast<float>(n) * *dloss;
  const T* in[] = {x, target};
  T* out[] = {dx};
  map(in, out, n, [scale](const float (&v)[2], float (&d)[1]) { d[0] = scale * (v[0] - v[1]); });
}

}  // namespace

KERNEL(mse_partial_f32, 256)(const float* x, const float* target, float* partials, long long n, int chunk) {
  mse_partial<float>(x, target, partials, n, chunk);
}
EXPORT(mse_partial_f32)

KERNEL(mse_partial_bf16, 256)(const bf16* x, const bf16* target, float* partials, long long n, int chunk) {
  mse_partial<bf16>(x, target, partials, n, chunk);
}
EXPORT(mse_partial_bf16)

KERNEL(mse_loss, 1024)(const float* partials, float* loss, int parts, long long n) {
  float sum = 0;
  for (int i = threadIdx.x; i < parts; i += blockDim.x) {
    sum += partials[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    *loss = sum / static_cast<float>(n);
  }
}
EXPORT(mse_loss)

KERNEL(mse_backward_f32, 256)(const float* x, const float* target, const float* dloss, float* dx, long long n) {
  mse_backward<float>(x, target, dloss, dx, n);
}
EXPORT(mse_backward_f32)

KERNEL(mse_backward_bf16, 256)(const bf16* x, const bf16* target, const float* dloss, bf16* dx, long long n) {
  mse_backward<bf16>(x, target, dloss, dx, n);
}
EXPORT(mse_backward_bf16)
