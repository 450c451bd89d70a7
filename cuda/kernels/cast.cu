// cast.cu: Cast between float32 and bf16.
//
// To bf16 rounds to nearest even, NaN stays NaN; to float32 is exact. Bound by memory: 6 bytes an element, the least
// there is. A thread takes 8 elements at a time, 32 bytes of float32 and 16 of bf16.
#include "common.cuh"

namespace {

template <class From, class To>
__device__ void cast(const From* x, To* y, long long n) {
  constexpr int width = Pack<bf16>::size;
  const bool aligned = aligned16(x) && aligned16(y);
  const long long packs = aligned ? n / width : 0;
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long p = thread; p < packs; p += threads) {
    const long long at = p * width;
    float v[width];
#pragma unroll
    for (int e = 0; e < width; e += Pack<From>::size) {
      Pack<From>::load(x + at + e).to_floats(v + e);
    }
#pragma unroll
    for (int e = 0; e < width; e += Pack<To>::size) {
      Pack<To>::from_floats(v + e).store(y + at + e);
    }
  }
#pragma unroll 1
  for (long long at = packs * width + thread; at < n; at += threads) {
    y[at] = from_float<To>(to_float(x[at]));
  }
}

}  // namespace

KERNEL(cast_to_bf16, 256)(const float* x, bf16* y, long long n) {
  cast<float, bf16>(x, y, n);
}
EXPORT(cast_to_bf16)

KERNEL(cast_to_f32, 256)(const bf16* x, float* y, long long n) {
  cast<bf16, float>(x, y, n);
}
EXPORT(cast_to_f32)
