// relative.cuh: what the kernels of attention with scores of distances share (Dai et al. 2019, "Transformer-XL").
//
//   score(t, s) = scale·(q[t]·k[s] + qr[t]·r[S-1-d]),  d = t + S - T - s the distance
//
// A block has 8 warps and owns 8·Q rows of one tensor: queries, keys or distances; a warp has Q of them, and a lane one
// of 32 rows of the other side at a time. Rows lie in shared memory as float32, of hd + 1 elements so that lanes that
// read a column meet no bank twice. A tile of n queries and m keys has n + m - 1 distances; the row of r of query t and
// key s is s + T-1 - t. Q·C = 8: heads of up to 64, 128 and 256 elements have C = 2, 4 and 8 in each lane.
//
// Scores are in units of log 2. Nothing is summed by atomics: the order of sums depends on shapes alone.
#pragma once
#include <cfloat>

#include "common.cuh"

namespace relative {

constexpr int kWarps = 8, kThreads = 32 * kWarps, kLanes = 32;
constexpr float kLog2E = 1.44269504088896340736f, kLn2 = 0.69314718055994530942f;

// Shape is what all kernels are told.
struct Shape {
  int t, s, heads, hd, window;
  float scale;

  __device__ int width() const { return heads * hd; }
  // sees says whether query t of the batch may see key s.
  __device__ bool sees(int query, int key, int reach) const {
    const int d = query + s - t - key;
    return query < t && key >= 0 && key < s && d >= 0 && (window == 0 || d < window) && d <= reach;
  }
};

// no_reach stands for no bound of distances.
constexpr int kNoReach = 1 << 30;

__device__ __forceinline__ int reach_of(const int* reach, int batch, const Shape& z, int query) {
  return reach == nullptr || query >= z.t ? kNoReach : reach[batch * z.t + query];
}

// load copies rows [first, first + n) of one head of x (rows, width) to shared memory; rows outside [0, rows) are zeros.
template <class T>
__device__ void load(float* to, const T* x, int first, int n, int rows, int head, const Shape& z) {
  for (int i = threadIdx.x; i < n * z.hd; i += kThreads) {
    const int row = i / z.hd, d = i % z.hd;
    const bool there = first + row >= 0 && first + row < rows;
    to[row * (z.hd + 1) + d] = there ? to_float(x[(long long)(first + row) * z.width() + head * z.hd + d]) : 0.f;
  }
}

// dot is the product of two rows in shared memory.
__device__ __forceinline__ float dot(const float* x, const float* y, int hd) {
  float sum = 0;
#pragma unroll 4
  for (int d = 0; d < hd; d++) {
    sum += x[d] * y[d];
  }
  return sum;
}

// add adds Σ factor[lane]·rows[lane] over the lanes to a lane's elements lane, lane + 32, … of a head; stride is the
// distance of the lanes' rows.
template <int C>
__device__ __forceinline__ void add(float* sum, float factor, const float* rows, int stride, int hd) {
  const int lane = threadIdx.x % 32;
#pragma unroll 4
  for (int j = 0; j < kLanes; j++) {
    const float f = __shfl_sync(FULL_WARP, factor, j);
#pragma unroll
    for (int c = 0; c < C; c++) {
      const int d = lane + 32 * c;
      if (d < hd) {
        sum[c] += f * rows[j * stride + d];
      }
    }
  }
}

// store writes a lane's elements of a head.
template <int C, class T>
__device__ __forceinline__ void store(T* y, int row, int head, const float* x, float factor, const Shape& z) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int c = 0; c < C; c++) {
    const int d = lane + 32 * c;
    if (d < z.hd) {
      y[(long long)row * z.width() + head * z.hd + d] = from_float<T>(factor * x[c]);
    }
  }
}

}  // namespace relative
