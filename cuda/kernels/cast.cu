// cast.cu: Cast between float32 and bf16, of many tensors in one launch.
//
// To bf16 rounds to nearest even, NaN stays NaN; to float32 is exact. A block casts a chunk of 8192 elements of one
// segment (segments.cuh), 8 at a time a thread: 32 bytes of float32, 16 of bf16. Bound by memory: 6 bytes an element,
// the least there is.
#include "segments.cuh"

struct CastSegment {
  long long first;
  long long n;
  const void* x;
  void* y;
  long long to_bf16;  // else from bf16
};

namespace {

constexpr long long kChunk = 8192;

template <class From, class To>
__device__ __forceinline__ void cast_chunk(const From* x, To* y, long long n) {
  constexpr int width = Pack<bf16>::size;
  const long long end = aligned16(x) && aligned16(y) ? n / width * width : 0;
#pragma unroll 1
  for (long long at = threadIdx.x * width; at < end; at += 256 * width) {
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
  for (long long at = end + threadIdx.x; at < n; at += 256) {
    y[at] = from_float<To>(to_float(x[at]));
  }
}

}  // namespace

KERNEL(cast, 256)(const CastSegment* table, int count) {
  const CastSegment s = segment_of(table, count);
  const long long begin = (blockIdx.x - s.first) * kChunk;
  const long long n = min(kChunk, s.n - begin);
  if (s.to_bf16) {
    cast_chunk(static_cast<const float*>(s.x) + begin, static_cast<bf16*>(s.y) + begin, n);
  } else {
    cast_chunk(static_cast<const bf16*>(s.x) + begin, static_cast<float*>(s.y) + begin, n);
  }
}
EXPORT(cast)
