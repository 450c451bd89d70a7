// resample.cu: Upsample and SumPool, the nearest neighbour and its adjoint.
//
// A row is a pixel, its columns are channels; a small picture has height × width pixels, each of them rows × columns of
// the large one. A thread makes an element. Bound by memory: the large picture once.
#include "lattice.cuh"

namespace {

// y[pixel, c] = alpha·x[the small pixel, c]
template <class T>
__device__ void upsample(const T* x, T* y, long long n, int channels, int width, int rows, int columns, float alpha) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += threads) {
    long long c, column;
    const long long pixel = divide(i, (long long)channels, &c);
    const long long line = divide(pixel, (long long)width * columns, &column);
    y[i] = from_float<T>(alpha * to_float(x[(line / rows * width + column / columns) * channels + c]));
  }
}

// y[pixel, c] = alpha·Σ x[pixels of the large picture, c]
template <class T>
__device__ void sum_pool(const T* x, T* y, long long n, int channels, int width, int rows, int columns, float alpha) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += threads) {
    long long c, column;
    const long long pixel = divide(i, (long long)channels, &c);
    const long long line = divide(pixel, (long long)width, &column);
    float sum = 0;
#pragma unroll 1
    for (int r = 0; r < rows; r++) {
      const T* at = x + ((line * rows + r) * width + column) * columns * channels + c;
#pragma unroll 1
      for (int k = 0; k < columns; k++) {
        sum += to_float(at[(long long)k * channels]);
      }
    }
    y[i] = from_float<T>(alpha * sum);
  }
}

}  // namespace

KERNEL(upsample_f32, 256)
(const float* x, float* y, long long n, int channels, int width, int rows, int columns, float alpha) {
  upsample<float>(x, y, n, channels, width, rows, columns, alpha);
}
EXPORT(upsample_f32)

KERNEL(upsample_bf16, 256)
(const bf16* x, bf16* y, long long n, int channels, int width, int rows, int columns, float alpha) {
  upsample<bf16>(x, y, n, channels, width, rows, columns, alpha);
}
EXPORT(upsample_bf16)

KERNEL(sum_pool_f32, 256)
(const float* x, float* y, long long n, int channels, int width, int rows, int columns, float alpha) {
  sum_pool<float>(x, y, n, channels, width, rows, columns, alpha);
}
EXPORT(sum_pool_f32)

KERNEL(sum_pool_bf16, 256)
(const bf16* x, bf16* y, long long n, int channels, int width, int rows, int columns, float alpha) {
  sum_pool<bf16>(x, y, n, channels, width, rows, columns, alpha);
}
EXPORT(sum_pool_bf16)
