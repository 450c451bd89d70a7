// The bias of attention by the distance of query and key: bias(heads, distances), whose column behind is that of a
// query's own position, and the first and the last are those of all distances beyond.
#pragma once
#include "attention_sparse.cuh"

namespace attention {

// Biased is the view of attention with a bias, sparse or not. With parts, each tile of queries sums up the gradient of
// its head in a row of its own, parts(tiles of all heads, distances).
struct Biased : Blocks {
  const float* bias;
  int distances, behind;
  float* parts;

  __device__ Biased(Blocks blocks, const float* bias, int distances, int behind, float* parts)
      : Blocks(blocks), bias(bias), distances(distances), behind(behind), parts(parts) {}

  __device__ bool some(int query, int n, int key) const { return pattern == 0 || Blocks::some(query, n, key); }
  __device__ bool whole(int query, int n, int key) const { return pattern == 0 || Blocks::whole(query, n, key); }

  __device__ int column(int distance) const { return min(max(distance + behind, 0), distances - 1); }

  // score adds the bias to a score in units of log 2, of a query at a position and a key.
  __device__ float score(float s, int head, int query, int key) const {
    return s + bias[(size_t)head * distances + column(key - query)] * kLog2E;
  }

  // begin clears the row of a tile of queries.
  __device__ void begin(int tile) {
    if (!parts) return;
    parts += (size_t)tile * distances;
    for (int i = threadIdx.x; i < distances; i += kThreads) parts[i] = 0;
  }

  // gradient adds the gradients of the scores of a tile of queries, from a position on, and of keys, from one on: first
  // along the diagonals, then those of a distance, each in a fixed order.
  __device__ void gradient(const float* ds, int query, int key) const {
    if (!parts) return;
    constexpr int kDiagonals = 2 * kTile - 1;
    __shared__ float sums[kDiagonals];
    int first = key - query - (kTile - 1), own = threadIdx.x;  // the first diagonal's distance, this thread's number
    if (own < kDiagonals) {
      float sum = 0;
      for (int row = max(kTile - 1 - own, 0); row < min(2 * kTile - 1 - own, kTile); row++) {
        sum += ds[row * kScoreStride + row + own - (kTile - 1)];
      }
      sums[own] = sum;
    }
    __syncthreads();
    if (own >= kDiagonals || (own > 0 && column(first + own) == column(first + own - 1))) return;
    float sum = 0;
    for (int i = own; i < kDiagonals && column(first + i) == column(first + own); i++) sum += sums[i];
    parts[column(first + own)] += sum;
  }
};

}  // namespace attention
