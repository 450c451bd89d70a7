// Cast between float32 and bf16.
//
// To bf16 rounds to nearest even, NaN stays NaN; to float32 is exact. Bound by memory: 6 bytes an element, the least
// there is. A unit is 8 elements, 32 bytes of float32 and 16 of bf16; behind them an element each.
#include "common.cuh"

template <class From, class To>
__device__ void cast(const From* x, To* y, long long n) {
  constexpr int width = Pack<bf16>::size;
  const bool aligned = aligned16(x) && aligned16(y);
  const long long packs = aligned ? n / width : 0;
  const long long units = n - packs * (width - 1);
  const long long threads = (long long)gridDim.x * blockDim.x;
  for (long long u = (long long)blockIdx.x * blockDim.x + threadIdx.x; u < units; u += threads) {
    if (u < packs) {
      const long long at = u * width;
      float v[width];
#pragma unroll
      for (int e = 0; e < width; e += Pack<From>::size) {
        Pack<From>::load(x + at + e).to_floats(v + e);
      }
#pragma unroll
      for (int e = 0; e < width; e += Pack<To>::size) {
        Pack<To>::from_floats(v + e).store(y + at + e);
      }
    } else {
      const long long at = u + packs * (width - 1);
      y[at] = from_float<To>(to_float(x[at]));
    }
  }
}

KERNEL(cast_to_bf16, 256)(const float* x, bf16* y, long long n) {
  cast<float, bf16>(x, y, n);
}
EXPORT(cast_to_bf16)

KERNEL(cast_to_f32, 256)(const bf16* x, float* y, long long n) {
  cast<bf16, float>(x, y, n);
}
EXPORT(cast_to_f32)
