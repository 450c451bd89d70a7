// gradnorm.cu: the global norm of all gradients and the clipping factor, in three launches.
//
//   norm = √Σ g²
//   clip = min(1, max_norm/(norm + 1e-6)), 1 where max_norm is 0, NaN where norm is not finite or above limit
//
// gradnorm_squares gives each chunk of 16384 elements of each gradient a block and a partial sum in float32;
// gradnorm_sum adds these in float64, in one block, and writes the sum as two float32, which the ranks of a run exchange;
// gradnorm_finish adds those of all ranks. Sums have a fixed order that depends on the shapes only. A sum
// of squares beyond the range of float32 in one chunk counts as not finite. Bound by memory: every gradient is read
// once, 4 bytes an element.
#include "segments.cuh"

struct GradNormSegment {
  long long first;
  long long n;
  const float* g;
};

constexpr long long kChunk = 16384;
constexpr int kLanes = 4;  // float32 of a pack

// partial[chunk] = Σ g² over the chunk
KERNEL(gradnorm_squares, 256)(const GradNormSegment* table, int count, float* partial) {
  const GradNormSegment segment = segment_of(table, count);
  const long long begin = (blockIdx.x - segment.first) * kChunk;
  const long long n = min(kChunk, segment.n - begin);
  const float* g = segment.g + begin;
  float sum[kLanes] = {};
#pragma unroll 4
  for (long long i = threadIdx.x * kLanes; i + kLanes <= n; i += 256 * kLanes) {
    float v[kLanes];
    Pack<float>::load(g + i).to_floats(v);
#pragma unroll
    for (int e = 0; e < kLanes; e++) {
      sum[e] += v[e] * v[e];
    }
  }
  const long long tail = n / kLanes * kLanes + threadIdx.x;
  if (tail < n) {
    sum[0] += g[tail] * g[tail];
  }
  const float total = block_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = total;
  }
}
EXPORT(gradnorm_squares)

// The sum of parts in float64, for thread 0 of a block of 1024 threads.
__device__ double sum_of(const float* partial, int parts) {
  __shared__ double sums[1024];
  double sum = 0;
  for (int i = threadIdx.x; i < parts; i += 1024) {
    sum += partial[i];
  }
  sums[threadIdx.x] = sum;
  for (unsigned half = 512; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      sums[threadIdx.x] += sums[threadIdx.x + half];
    }
  }
  return threadIdx.x == 0 ? sums[0] : 0.0;  // nobody else may read it: thread 0 has just written it
}

// squares[own] = (h, l) with h + l = Σ partial, 0 in the other rows; one block
KERNEL(gradnorm_sum, 1024)(const float* partial, int parts, int own, int rows, float* squares) {
  for (int i = threadIdx.x; i < 2 * rows; i += 1024) {
    if (i / 2 != own) {
      squares[i] = 0;
    }
  }
  const double sum = sum_of(partial, parts);
  if (threadIdx.x == 0) {
    const float high = (float)sum;
    squares[2 * own] = high;
    squares[2 * own + 1] = high <= 3.402823466e38f ? (float)(sum - high) : 0.0f;
  }
}
EXPORT(gradnorm_sum)

// norm = √Σ squares, and the factor that follows from it; one block
KERNEL(gradnorm_finish, 1024)
(const float* squares, int n, const float* limit, float max_norm, float* norm, float* clip) {
  const double sum = sum_of(squares, n);
  if (threadIdx.x != 0) {
    return;
  }
  const float length = (float)sqrt(sum);
  float factor = max_norm == 0.0f ? 1.0f : fminf(1.0f, max_norm / (length + 1e-6f));
  if (!(length <= 3.402823466e38f) || (*limit > 0.0f && length > *limit)) {
    factor = nanf("");
  }
  *norm = length;
  *clip = factor;
}
EXPORT(gradnorm_finish)
