// The forward pass of attention on tensor cores: attention.cu says how it works.
#pragma once
#include "attention_biasing.cuh"
#include "attention_drops.cuh"

namespace attention {

// softmax turns the scores of a tile into probabilities relative to the largest score so far, and the sums so far into
// sums relative to it.
template <int D, int M, int N>
__device__ inline void softmax(unsigned (&p)[M][N / 2][4], float (&out)[M][D / 8][4], float (&top)[M][2],
                               float (&sum)[M][2], const float (&s)[M][N][4], float scale) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float before = top[m][h], now = before;
#pragma unroll
      for (int n = 0; n < N; n++) now = fmaxf(now, fmaxf(s[m][n][2 * h], s[m][n][2 * h + 1]));
      top[m][h] = now = quad_max(now);
      float base = now == -INFINITY ? 0 : now * scale;  // no score yet: exp2(-inf - 0) is 0 all the same
      float alpha = fast_exp2(before * scale - base);
      sum[m][h] *= alpha;
#pragma unroll
      for (int n = 0; n < N; n++) {
        float a = fast_exp2(s[m][n][2 * h] * scale - base), b = fast_exp2(s[m][n][2 * h + 1] * scale - base);
        p[m][n / 2][n % 2 * 2 + h] = pack_bf16(a, b);
        sum[m][h] += a + b;
      }
#pragma unroll
      for (int d = 0; d < D / 8; d++) {
        out[m][d][2 * h] *= alpha;
        out[m][d][2 * h + 1] *= alpha;
      }
    }
  }
}

template <int D, int M, int kWarps, int kCols, class View = All>
__device__ void flash(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments,
                      const Bounds* qbounds, const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads,
                      int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale,
                      View view = {}) {
  constexpr int kThreads = 32 * kWarps, kRows = 16 * M * kWarps, N = kCols / 8;
  DYNAMIC_SHARED(bf16, queries);
  bf16* ring = queries + kRows * D;

  __shared__ Place place;
  Segments row_segments{qsegments, qbounds, T}, col_segments{ksegments, kbounds, S};
  Walk<kRows, kCols, View> walk{{lo, hi, S}, row_segments, col_segments, place, view};
  if (threadIdx.x == 0) place = attention::place(row_segments, kRows, heads, kv_heads, units, section, true);
  __syncthreads();

  int warp_row = threadIdx.x / 32 * 16 * M, g = (threadIdx.x & 31) >> 2, t = threadIdx.x & 3;
  float out[M][D / 8][4], top[M][2], sum[M][2];
  clear(out);
#pragma unroll
  for (int m = 0; m < M; m++) {
    top[m][0] = top[m][1] = -INFINITY;
    sum[m][0] = sum[m][1] = 0;
  }
  auto load = [&](int slot, const bf16* source, int tile) {
    if (tile < walk.end()) {
      size_t token = place.sequence * S + tile * kCols;
      load_tile<D, kCols, kThreads>(ring + slot * kCols * D, source + token * ldkv + place.col_head * D, ldkv,
                                    S - tile * kCols);
    }
    cp_async_commit();
  };

  int tile = walk.first(), slot = 0;
  size_t first = place.sequence * T + place.row;
  load_tile<D, kRows, kThreads>(queries, q + first * ldq + place.row_head * D, ldq, T - place.row);
  load(0, k, tile);
  load(1, v, tile);
  while (tile < walk.end()) {
    int following = walk.next(tile + 1);
    int key_slot = slot, value_slot = slot == 2 ? 0 : slot + 1, free_slot = slot == 0 ? 2 : slot - 1;
    cp_async_wait<1>();
    __syncthreads();  // the keys are there, and nobody reads the values before them any more
    load(free_slot, k, following);

    unsigned p[M][N / 2][4];  // probabilities
    bool some = walk.some(warp_row, 16 * M, tile);
    if (some) {
      float s[M][N][4];
      clear(s);
      multiply_rows<D>(s, queries, warp_row, ring + key_slot * kCols * D, 0);
      if constexpr (kBiased<View>) {
        view.template add<false>(s, place.row_head, place.row + warp_row, tile * kCols);
      }
      if (!walk.whole(tile)) hide(s, -INFINITY, walk, warp_row, tile * kCols);
      softmax<D>(p, out, top, sum, s, scale);
      if constexpr (kDrops<View>) {
        unsigned kept[M];
        view.drops.template fragments<false, M, N>(kept, place.row_head, place.sequence * T + place.row + warp_row,
                                                   tile * kCols);
        drop(p, kept);
      }
    }

    cp_async_wait<1>();
    __syncthreads();  // the values are there, and nobody reads the keys any more
    load(key_slot, v, following);
    if (some) multiply_columns<D>(out, p, ring + value_slot * kCols * D, 0);
    slot = free_slot;
    tile = following;
  }

  cp_async_wait<0>();
  __syncthreads();  // without any key the queries were never waited for
  float inverse[M][2];
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float total = quad_sum(sum[m][h]);
      inverse[m][h] = total > 0 ? 1 / total : 0;
      if constexpr (kDrops<View>) inverse[m][h] *= view.drops.scale;
      int row = place.row + warp_row + 16 * m + 8 * h + g;
      if (t == 0 && row < T) lse[place.unit * T + row] = top[m][h] * scale * kLn2 + logf(total);
    }
  }
  first = place.sequence * T + place.row;
  store_rows<D>(y + (first * heads + place.row_head) * D, heads * D, T - place.row, out, inverse, queries, warp_row);
}

}  // namespace attention
