// A block of attention without tensor cores, forward, for attention_general.cu and attention_sparse.cu.
//
// It owns 32 queries of one head and walks over tiles of 32 keys as the tensor-core kernel does; the scores of a tile
// pass through shared memory, never through global memory.
#pragma once
#include "attention_simt.cuh"

namespace attention {

// general does a block: queries of element type T, keys and values of type C. With position, sequence b has
// position[b] + T keys, and rows of the cache stand S apart; lo and hi are then those of S = T. The view says which
// blocks see each other.
template <class T, class C, class V>
__device__ void general(const T* q, const C* k, const C* v, const int* qsegments, const int* ksegments,
                        const Bounds* qbounds, const Bounds* kbounds, const int* position, T* y, float* lse, int tokens,
                        int S, int heads, int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo,
                        int hi, float scale, V view) {
  int stride = row_stride(hd);
  DYNAMIC_SHARED(T, queries);
  C* keys = reinterpret_cast<C*>(queries + kTile * stride);
  C* values = keys + kTile * stride;
  float* scores = reinterpret_cast<float*>(values + kTile * stride);
  float* factors = scores + kTile * kScoreStride;  // of a row's old sums, at last 1 / Σ

  Segments row_segments{qsegments, qbounds, tokens}, col_segments{ksegments, kbounds, S};
  __shared__ Place place;
  if (threadIdx.x == 0) place = attention::place(row_segments, kTile, heads, kv_heads, units, section, true);
  __syncthreads();
  int length = S, sequence = place.sequence;
  if (position) {
    int at = position[sequence];
    if (at < 0 || at + tokens > S) return;  // reported by the kernel that appends
    length = at + tokens;
    lo += at;
    hi += at;
  }
  Band band{lo, hi, length};
  Walk<kTile, kTile> walk{band, row_segments, col_segments, place};
  size_t first = (size_t)sequence * tokens + place.row;
  int query = place.row + length - tokens;  // the position of the first row among the keys
  q += first * ldq + place.row_head * hd;
  k += (size_t)sequence * S * ldkv + place.col_head * hd;
  v += (size_t)sequence * S * ldkv + place.col_head * hd;
  load_rows(queries, q, ldq, hd, tokens - place.row);

  int x = threadIdx.x % 16, row = threadIdx.x / 16;  // of q·kᵀ and P·v: rows row and row + 16
  int own = threadIdx.x / 8, part = threadIdx.x % 8;  // of the softmax: eight threads a row
  Row seer[2] = {Row(row_segments, sequence, place.row + row), Row(row_segments, sequence, place.row + row + 16)};
  float top = -INFINITY, sum = 0;
  Sums out;
  out.clear();
  for (int tile = walk.first(); tile < walk.end(); tile = walk.next(tile + 1)) {
    int col0 = tile * kTile;
    if (!view.some(query, kTile, col0)) continue;
    bool whole = walk.whole(tile) && view.whole(query, kTile, col0);
    __syncthreads();
    load_rows(keys, k + (size_t)col0 * ldkv, ldkv, hd, length - col0);
    load_rows(values, v + (size_t)col0 * ldkv, ldkv, hd, length - col0);
    __syncthreads();
    float s[2][2];
    dot_rows(s, queries, keys, hd);
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
        bool visible = whole || (Column(band, col_segments, sequence, col0 + x + 16 * j).seen_by(seer[i], band) &&
                                 view.whole(query + row + 16 * i, 1, col0));
        float e = view.score(s[i][j] * scale, place.row_head, query + row + 16 * i, col0 + x + 16 * j);
        scores[(row + 16 * i) * kScoreStride + x + 16 * j] = visible ? e : -INFINITY;
      }
    }
    __syncthreads();
    float* mine = scores + own * kScoreStride + part;
    float now = fmaxf(fmaxf(mine[0], mine[8]), fmaxf(mine[16], mine[24]));
    for (int step = 4; step > 0; step >>= 1) now = fmaxf(now, __shfl_xor_sync(FULL_WARP, now, step));
    now = fmaxf(top, now);
    float base = now == -INFINITY ? 0 : now, alpha = fast_exp2(top - base), added = 0;
#pragma unroll
    for (int j = 0; j < 4; j++) {
      float weight = fast_exp2(mine[8 * j] - base);
      added += weight;
      mine[8 * j] = weight * view.factor(place.row_head, first + own, col0 + part + 8 * j);
    }
    for (int step = 4; step > 0; step >>= 1) added += __shfl_xor_sync(FULL_WARP, added, step);
    sum = sum * alpha + added;
    top = now;
    if (part == 0) factors[own] = alpha;
    __syncthreads();
    out.scale(factors[row], factors[row + 16]);
    out.add(scores, values, hd);
  }
  __syncthreads();
  if (part == 0) {
    factors[own] = sum > 0 ? 1 / sum : 0;
    if (lse && place.row + own < tokens) lse[(size_t)place.unit * tokens + place.row + own] = top * kLn2 + logf(sum);
  }
  __syncthreads();
  out.scale(factors[row], factors[row + 16]);
  out.store(y + (first * heads + place.row_head) * hd, heads * hd, hd, tokens - place.row);
}

}  // namespace attention
