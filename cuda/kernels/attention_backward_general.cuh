// A block of the gradients of attention without tensor cores, for attention_backward_general.cu and
// attention_backward_sparse.cu: the two passes of attention_backward.cu with the tiles of attention_simt.cuh.
#pragma once
#include "attention_simt.cuh"

namespace attention {

// general_gradient does a block of one of the two passes: dk and dv of a tile of keys, or dq of a tile of queries.
// shift is S - T.
template <class T, bool KEYS, class V>
__device__ void general_gradient(Side<T> rows, Side<T> cols, const Stats* stats, T* d0, T* d1, int ldd, int hd,
                                 int units, int section, Band band, float scale, int shift, V view) {
  int stride = row_stride(hd);
  DYNAMIC_SHARED(T, a0);
  T* a1 = a0 + kTile * stride;
  T* b0 = a1 + kTile * stride;
  T* b1 = b0 + kTile * stride;
  float* p = reinterpret_cast<float*>(b1 + kTile * stride);
  float* ds = p + kTile * kScoreStride;

  __shared__ Place place;
  if (threadIdx.x == 0) {
    place = attention::place(rows.segments, kTile, rows.heads, cols.heads, units, section, !KEYS);
  }
  __syncthreads();
  if (!KEYS) view.begin(place.unit * cdiv(rows.segments.tokens, kTile) + place.row / kTile);
  Walk<kTile, kTile> walk{band, rows.segments, cols.segments, place};
  int present = rows.segments.tokens - place.row;
  size_t first = (size_t)place.sequence * rows.segments.tokens + place.row;
  load_rows(a0, rows.first + first * rows.ld0 + place.row_head * hd, rows.ld0, hd, present);
  load_rows(a1, rows.second + first * rows.ld1 + place.row_head * hd, rows.ld1, hd, present);

  int x = threadIdx.x % 16, y = threadIdx.x / 16, queries = (KEYS ? cols : rows).segments.tokens;
  Row seer[2];
  for (int i = 0; i < 2; i++) seer[i] = Row(rows.segments, place.sequence, place.row + y + 16 * i);
  Sums sum0, sum1;
  sum0.clear();
  sum1.clear();
  for (int head = place.col_head; head < place.col_end; head++) {
    int of_head = KEYS ? place.sequence * cols.heads + head : place.unit;
    const Stats* groups = stats + (size_t)of_head * cdiv(queries, kBoundsTokens);
    for (int tile = walk.first(); tile < walk.end(); tile = walk.next(tile + 1)) {
      int col0 = tile * kTile, valid = cols.segments.tokens - col0;
      if (!(KEYS ? view.some(col0 + shift, kTile, place.row) : view.some(place.row + shift, kTile, col0))) continue;
      size_t token = (size_t)place.sequence * cols.segments.tokens + col0;
      bool whole = walk.whole(tile);
      __syncthreads();
      load_rows(b0, cols.first + token * cols.ld0 + head * hd, cols.ld0, hd, valid);
      load_rows(b1, cols.second + token * cols.ld1 + head * hd, cols.ld1, hd, valid);
      __syncthreads();
      float s[2][2], dp[2][2];
      dot_rows(s, a0, b0, hd);
      dot_rows(dp, a1, b1, hd);
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 2; j++) {
          int row = y + 16 * i, col = x + 16 * j, query = KEYS ? col0 + col : place.row + row;
          float probability = 0, gradient = 0;
          Column column(band, cols.segments, place.sequence, col0 + col);
          if (query < queries && (whole || column.seen_by(seer[i], band))) {
            const Stats& group = groups[query / kBoundsTokens];
            float e = view.score(s[i][j] * scale * kLog2E, KEYS ? head : place.row_head, query + shift,
                                 KEYS ? place.row + row : col0 + col);
            probability = fast_exp2(e - group.lse[query % kBoundsTokens]);
            float factor = view.factor(KEYS ? head : place.row_head, place.sequence * queries + query,
                                       KEYS ? place.row + row : col0 + col);
            gradient = probability * (dp[i][j] * factor - group.delta[query % kBoundsTokens]);
            probability *= factor;
          }
          p[row * kScoreStride + col] = probability;
          ds[row * kScoreStride + col] = gradient;
        }
      }
      __syncthreads();
      sum0.add(ds, b0, hd);
      if (KEYS) sum1.add(p, b1, hd);
      if (!KEYS) view.gradient(ds, place.row + shift, col0);
    }
  }
  size_t at = first * ldd + place.row_head * hd;
  sum0.scale(scale, scale);
  sum0.store(d0 + at, ldd, hd, present);
  if (KEYS) sum1.store(d1 + at, ldd, hd, present);
}

template <class T, class V>
__device__ void general_keys(const T* q, const T* k, const T* v, const T* dy, const Stats* stats,
                             const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds,
                             T* dk, T* dv, int tokens, int S, int heads, int kv_heads, int hd, int ldq, int ldkv,
                             int units, int section, int lo, int hi, float scale, V view) {
  Side<T> keys{k, v, ldkv, ldkv, kv_heads, {ksegments, kbounds, S}};
  Side<T> queries{q, dy, ldq, heads * hd, heads, {qsegments, qbounds, tokens}};
  general_gradient<T, true>(keys, queries, stats, dk, dv, ldkv, hd, units, section,
                            Band{lo, hi, S}.transposed(tokens), scale, S - tokens, view);
}

template <class T, class V>
__device__ void general_queries(const T* q, const T* k, const T* v, const T* dy, const Stats* stats,
                                const int* qsegments, const int* ksegments, const Bounds* qbounds,
                                const Bounds* kbounds, T* dq, int tokens, int S, int heads, int kv_heads, int hd,
                                int ldq, int ldkv, int units, int section, int lo, int hi, float scale, V view) {
  Side<T> keys{k, v, ldkv, ldkv, kv_heads, {ksegments, kbounds, S}};
  Side<T> queries{q, dy, ldq, heads * hd, heads, {qsegments, qbounds, tokens}};
  general_gradient<T, false>(queries, keys, stats, dq, nullptr, ldq, hd, units, section,
                             Band{lo, hi, S}, scale, S - tokens, view);
}

}  // namespace attention
