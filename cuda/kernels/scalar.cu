// scalar.cu: Map, its gradient, SegmentSum and SegmentBroadcast: what losses are made of, float32.
//
// There are as many elements as tokens or sequences, so that the start of a kernel is what it costs. A sum over a
// segment is made by a block that reads all segments, in a fixed order.
#include "map.cuh"

namespace {

// The codes of ir.Fn.
constexpr int kExp = 1;
constexpr int kLog = 2;
constexpr int kSigmoid = 3;
constexpr int kLogSigmoid = 4;
constexpr int kLog1mExp = 5;
constexpr int kClip = 6;
constexpr int kSign = 7;
constexpr int kStep = 8;
constexpr int kMin = 9;
constexpr int kMax = 10;

// ln(1 - eˣ) for x ≤ 0, without cancellation on either side (Mächler 2012).
__device__ __forceinline__ float log1mexp(float x) {
  return x > -0.69314718f ? logf(-expm1f(x)) : log1pf(-expf(x));
}

__device__ float value(int fn, float x, float b, float lo, float hi) {
  switch (fn) {
    case kExp:
      return expf(x);
    case kLog:
      return logf(x);
    case kSigmoid:
      return 1.f / (1.f + expf(-x));
    case kLogSigmoid:
      return fminf(x, 0.f) - log1pf(expf(-fabsf(x)));
    case kLog1mExp:
      return log1mexp(x);
    case kClip:
      return x < lo ? lo : x > hi ? hi : x;
    case kSign:
      return x > 0.f ? 1.f : x < 0.f ? -1.f : 0.f;
    case kStep:
      return x > 0.f ? 1.f : 0.f;
    case kMin:
      return x < b || x != x ? x : b;
    case kMax:
      return x > b || x != x ? x : b;
  }
  return lo * x + hi;
}

__device__ float slope(int fn, float x, float b, float lo, float hi) {
  switch (fn) {
    case kExp:
      return expf(x);
    case kLog:
      return 1.f / x;
    case kSigmoid:
      return 1.f / (1.f + expf(-x)) / (1.f + expf(x));
    case kLogSigmoid:
      return 1.f / (1.f + expf(x));
    case kLog1mExp:
      return -1.f / expm1f(-x);
    case kClip:
      return x < lo || x > hi ? 0.f : 1.f;
    case kSign:
    case kStep:
      return 0.f;
    case kMin:
      return x > b ? 0.f : x == b ? 0.5f : 1.f;
    case kMax:
      return x < b ? 0.f : x == b ? 0.5f : 1.f;
  }
  return lo;
}

}  // namespace

KERNEL(map_f32, 256)(const float* x, const float* b, float* y, long long n, int fn, float lo, float hi) {
  map<float, 2, 1>({x, b == nullptr ? x : b}, {y}, n, [=](const float (&v)[2], float (&z)[1]) {
    z[0] = value(fn, v[0], v[1], lo, hi);
  });
}
EXPORT(map_f32)

KERNEL(map_backward_f32, 256)(const float* x, const float* b, const float* dy, float* dx, long long n, int fn, float lo,
                              float hi) {
  map<float, 3, 1>({x, b == nullptr ? x : b, dy}, {dx}, n, [=](const float (&v)[3], float (&z)[1]) {
    z[0] = v[2] * slope(fn, v[0], v[1], lo, hi);
  });
}
EXPORT(map_backward_f32)

// y[s] = Σ x[i] over segments[i] = s, a block a segment
KERNEL(segment_sum, 256)(const float* x, const int* segments, float* y, int* fault, int instr, int n, int count) {
  const int s = blockIdx.x;
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    const int segment = segments[i];
    if (segment == s) {
      sum += x[i];
    }
    if (s == 0 && segment >= count) {
      report(fault, instr, i, segment);
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    y[s] = sum;
  }
}
EXPORT(segment_sum)

// y[i] = x[segments[i]], 0 where that is below 0
KERNEL(segment_broadcast, 256)(const float* x, const int* segments, float* y, int* fault, int instr, int n, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) {
    return;
  }
  const int segment = segments[i];
  if (segment >= count) {
    report(fault, instr, i, segment);
  }
  y[i] = segment < 0 || segment >= count ? 0.f : x[segment];
}
EXPORT(segment_broadcast)
