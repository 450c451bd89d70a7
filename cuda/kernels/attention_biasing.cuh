// A bias by distance (attention_biased.cuh) in the kernels of attention on tensor cores.
#pragma once
#include "attention_mma.cuh"

namespace attention {

// Biasing is the view (All) of such kernels.
struct Biasing : All {
  static constexpr int kKeys = 64;  // of the tiles that own parts

  const float* bias;             // (heads, distances)
  int distances, behind, shift;  // query 0 is at position shift of the keys
  float inverse;                 // 1 / scale: scores are scaled behind the bias
  float* parts;                  // (B, heads, tiles of keys, distances) of the gradient, null where that is not wanted

  __device__ int column(int distance) const { return min(max(distance + behind, 0), distances - 1); }

  // add adds the bias to scores of 16·M rows and 8·N columns, from a query and a key on.
  template <bool ROWS_ARE_KEYS, int M, int N>
  __device__ void add(float (&c)[M][N][4], int head, int query, int key) const {
    const float* of_head = bias + (size_t)head * distances;
    int lane = opaque(threadIdx.x) & 31, across = lane / 4 - lane % 4 * 2;
    int first = key - query - shift + (ROWS_ARE_KEYS ? across : -across);
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int apart = 16 * m + e / 2 * 8 - 8 * n - e % 2;
          c[m][n][e] += of_head[column(first + (ROWS_ARE_KEYS ? apart : -apart))] * inverse;
        }
      }
    }
  }

  // part is that of a head of queries and a tile of keys.
  __device__ float* part(const Place& keys, int heads, int head, int tokens) const {
    size_t of_head = (size_t)keys.sequence * heads + head;
    return parts + (of_head * cdiv(tokens, kKeys) + keys.row / kKeys) * distances;
  }

  // sum adds the gradients of the scores of a pair of tiles, (ROWS keys, COLS queries) as store_pairs leaves them, to a
  // part: along the diagonals, then those of a distance, each in a fixed order. Rows from valid on are no keys, and of 16
  // rows those count of which some says that they were written. All threads of the block take part.
  template <int ROWS, int COLS, class Some>
  __device__ void sum(float* part, const bf16* ds, int query, int key, int valid, Some some) const {
    constexpr int kDiagonals = ROWS + COLS - 1;
    __shared__ float sums[kDiagonals];
    int own = threadIdx.x, first = key - query - shift - (COLS - 1);  // its diagonal, and the distance of the first one
    if (own < kDiagonals) {
      float sum = 0;
#pragma unroll 1
      for (int group = 0; group < min(ROWS, valid); group += 16) {
        if (!some(group)) continue;
#pragma unroll 4
        for (int r = group; r < group + 16; r++) {
          int c = r - own + COLS - 1;
          if (c >= 0 && c < COLS && r < valid) sum += to_float(ds[chunk_at<COLS>(r, c / 8) + c % 8]);
        }
      }
      sums[own] = sum;
    }
    __syncthreads();
    if (own >= kDiagonals || (own > 0 && column(first + own) == column(first + own - 1))) return;
    float sum = 0;
    for (int i = own; i < kDiagonals && column(first + i) == column(first + own); i++) sum += sums[i];
    part[column(first + own)] += sum;
  }
};

// kBiased says whether a view is one.
template <class View>
constexpr bool kBiased = false;
template <>
constexpr bool kBiased<Biasing> = true;

}  // namespace attention
