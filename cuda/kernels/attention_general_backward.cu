// attention_backward_general: the gradients of attention in float32 arithmetic for any head size up to 256, elements
// float32 or bf16: the two passes of attention_backward.cu with the tiles of attention_simt.cuh.
//
// Shared memory: two tiles of rows, two of columns, P and dS: 4 · 128 · row_stride(hd) + 8.5 KB, 142 KB at head size
// 256. Bound: shared memory, as in attention_general.cu.
#include "attention_simt.cuh"

using namespace attention;

// GeneralSide is Side of attention_backward.cu for any element type.
template <class T>
struct GeneralSide {
  const T *first, *second;
  int ld0, ld1, tokens;
  const int* segments;
  const Bounds* bounds;
};

template <class T, bool KEYS>
__device__ void general_gradient(GeneralSide<T> rows, GeneralSide<T> cols, const float* lse, const float* delta, T* d0,
                                 T* d1, int ldd, int heads, int kv_heads, int hd, int units, int section, Band band,
                                 float scale) {
  int stride = row_stride(hd);
  DYNAMIC_SHARED(float, a0);
  float* a1 = a0 + kTile * stride;
  float* b0 = a1 + kTile * stride;
  float* b1 = b0 + kTile * stride;
  float* p = b1 + kTile * stride;
  float* ds = p + kTile * kScoreStride;

  Work work(units, section, cdiv(rows.tokens, kTile), !KEYS);
  int row_heads = KEYS ? kv_heads : heads, share = heads / kv_heads, turns = KEYS ? share : 1;
  int sequence = work.unit / row_heads, row_head = work.unit % row_heads;
  int first_head = KEYS ? row_head * share : row_head / share, row0 = work.tile * kTile;
  Segments row_segments(rows.segments, rows.bounds, sequence, rows.tokens);
  Segments col_segments(cols.segments, cols.bounds, sequence, cols.tokens);
  Walk<kTile> walk(band, row_segments, col_segments, row0, min(row0 + kTile, rows.tokens) - 1);
  size_t row_token = (size_t)sequence * rows.tokens + row0, col_token = (size_t)sequence * cols.tokens;
  load_rows(a0, rows.first + row_token * rows.ld0 + row_head * hd, rows.ld0, hd, rows.tokens - row0);
  load_rows(a1, rows.second + row_token * rows.ld1 + row_head * hd, rows.ld1, hd, rows.tokens - row0);

  int x = threadIdx.x % 16, y = threadIdx.x / 16, queries = KEYS ? cols.tokens : rows.tokens;
  Row sees[2] = {Row(band, row_segments, row0 + y, rows.tokens), Row(band, row_segments, row0 + y + 16, rows.tokens)};
  Sums sum0, sum1;
  sum0.clear();
  sum1.clear();
  for (int turn = 0; turn < turns; turn++) {
    int col_head = first_head + turn;
    const float* head_lse = lse + ((size_t)sequence * heads + (KEYS ? col_head : row_head)) * queries;
    const float* head_delta = delta + ((size_t)sequence * heads + (KEYS ? col_head : row_head)) * queries;
    for (int tile = walk.first(); tile < walk.end; tile = walk.next(tile + 1)) {
      int col0 = tile * kTile;
      size_t token = col_token + col0;
      bool whole = walk.whole(tile);
      __syncthreads();
      load_rows(b0, cols.first + token * cols.ld0 + col_head * hd, cols.ld0, hd, cols.tokens - col0);
      load_rows(b1, cols.second + token * cols.ld1 + col_head * hd, cols.ld1, hd, cols.tokens - col0);
      __syncthreads();
      float s[2][2], dp[2][2];
      dot_rows(s, a0, b0, hd);
      dot_rows(dp, a1, b1, hd);
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int j = 0; j < 2; j++) {
          int row = y + 16 * i, col = x + 16 * j, query = KEYS ? col0 + col : row0 + row;
          float probability = 0, gradient = 0;
          if (query < queries && (whole || sees[i].sees(col0 + col, col_segments))) {
            probability = fast_exp2((s[i][j] * scale - head_lse[query]) * kLog2E);
            gradient = probability * (dp[i][j] - head_delta[query]);
          }
          p[row * kScoreStride + col] = probability;
          ds[row * kScoreStride + col] = gradient;
        }
      }
      __syncthreads();
      sum0.add(ds, b0, hd);
      if (KEYS) sum1.add(p, b1, hd);
    }
  }
  size_t at = row_token * ldd + row_head * hd;
  sum0.scale(scale, scale);
  sum0.store(d0 + at, ldd, hd, rows.tokens - row0);
  if (KEYS) sum1.store(d1 + at, ldd, hd, rows.tokens - row0);
}

template <class T>
__device__ void general_keys(const T* q, const T* k, const T* v, const T* dy, const float* lse, const float* delta,
                             const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds,
                             T* dk, T* dv, int tokens, int S, int heads, int kv_heads, int hd, int ldq, int ldkv,
                             int units, int section, int lo, int hi, float scale) {
  GeneralSide<T> keys{k, v, ldkv, ldkv, S, ksegments, kbounds};
  GeneralSide<T> queries{q, dy, ldq, heads * hd, tokens, qsegments, qbounds};
  general_gradient<T, true>(keys, queries, lse, delta, dk, dv, ldkv, heads, kv_heads, hd, units, section,
                            Band{lo, hi, S}.transposed(tokens), scale);
}

template <class T>
__device__ void general_queries(const T* q, const T* k, const T* v, const T* dy, const float* lse, const float* delta,
                                const int* qsegments, const int* ksegments, const Bounds* qbounds,
                                const Bounds* kbounds, T* dq, int tokens, int S, int heads, int kv_heads, int hd,
                                int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  GeneralSide<T> keys{k, v, ldkv, ldkv, S, ksegments, kbounds};
  GeneralSide<T> queries{q, dy, ldq, heads * hd, tokens, qsegments, qbounds};
  general_gradient<T, false>(queries, keys, lse, delta, dq, nullptr, ldq, heads, kv_heads, hd, units, section,
                             Band{lo, hi, S}, scale);
}

#define SHAPE T, S, heads, kv_heads, hd, ldq, ldkv, units, section, lo, hi, scale

KERNEL(attention_backward_general_keys_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dk, float* dv, int T,
 int S, int heads, int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_keys(q, k, v, dy, lse, delta, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE);
}
EXPORT(attention_backward_general_keys_f32)

KERNEL(attention_backward_general_keys_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T,
 int S, int heads, int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_keys(q, k, v, dy, lse, delta, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE);
}
EXPORT(attention_backward_general_keys_bf16)

KERNEL(attention_backward_general_queries_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dq, int T, int S,
 int heads, int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_queries(q, k, v, dy, lse, delta, qsegments, ksegments, qbounds, kbounds, dq, SHAPE);
}
EXPORT(attention_backward_general_queries_f32)

KERNEL(attention_backward_general_queries_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S,
 int heads, int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_queries(q, k, v, dy, lse, delta, qsegments, ksegments, qbounds, kbounds, dq, SHAPE);
}
EXPORT(attention_backward_general_queries_bf16)
