// attention: y = softmax(scale · q·kᵀ + mask) · v and its log-sum-exp, bf16, head sizes 32, 64, 96, 128 and 256.
//
// FlashAttention-2 (Dao 2023): a block of warps owns a tile of queries of one head, a warp 16 or 32 of them; it walks
// over tiles of keys with a running maximum and sum of each row in registers and never stores a score. Tiles that no row
// of the block sees, by the band or by segments, are skipped, and only tiles that some row does not see whole are
// masked. The bits of a row depend on the tiles of keys, not on those of queries.
//
// q(B·T, ≥ H·D), k, v(B·S, ≥ G·D) with row strides ldq and ldkv, y(B·T, H·D), lse(B, H, T) natural. Rows that see no
// key give zeros and -inf. Accumulation in float32; scale > 0 times log₂e is multiplied in at the exponential, which
// is one ex2. units = B·H; section, lo and hi: see place and Band.
//
// Shared memory: the queries and a ring of three tiles, alternately keys and values, which cp.async fills two products
// ahead. A warp's ldmatrix of keys or values feeds four mma where it has 32 rows, so that shared memory (48 + 32 ldmatrix
// of 4 cycles per warp and tile at D = 128) stays below the tensor cores' time (256 mma); with 16 rows it feeds two, and
// more warps hide what one waits for. Which is faster, a timing tells (kernels of one head size give the same bits):
//
//   head size   kernel     warps × rows   keys a tile   shared memory   blocks an SM of sm_90
//   64          (first)    4 × 32         64            40 KB           3 (registers)
//               rows64     4 × 16         64            32 KB           4
//               rows256    8 × 32         64            56 KB           1
//   128         (first)    4 × 32         64            80 KB           2 (registers)
//               rows64     4 × 16         64            64 KB           3
//               warps8     8 × 16         64            80 KB           1 (registers)
//   256         (only)     4 × 16         32            80 KB           2
//
// Bound: 4·T·S·D FLOP a head, half of it under a causal mask, for 2·(T + S)·D·2 bytes: compute-bound from some 300
// tokens on. A block reads keys and values of its head once, the blocks of a head share them in L2.
#include "attention_mma.cuh"

using namespace attention;

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

template <int D, int M, int kWarps, int kCols>
__device__ void flash(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments,
                      const Bounds* qbounds, const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads,
                      int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  constexpr int kThreads = 32 * kWarps, kRows = 16 * M * kWarps, N = kCols / 8;
  DYNAMIC_SHARED(bf16, queries);
  bf16* ring = queries + kRows * D;

  __shared__ Place place;
  Segments row_segments{qsegments, qbounds, T}, col_segments{ksegments, kbounds, S};
  Walk<kRows, kCols> walk{{lo, hi, S}, row_segments, col_segments, place};
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
      if (!walk.whole(tile)) hide(s, -INFINITY, walk, warp_row, tile * kCols);
      softmax<D>(p, out, top, sum, s, scale);
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
      int row = place.row + warp_row + 16 * m + 8 * h + g;
      if (t == 0 && row < T) lse[place.unit * T + row] = top[m][h] * scale * kLn2 + logf(total);
    }
  }
  first = place.sequence * T + place.row;
  store_rows<D>(y + (first * heads + place.row_head) * D, heads * D, T - place.row, out, inverse, queries, warp_row);
}

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, y, lse, T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi,  \
      scale * kLog2E

KERNEL(attention_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<32, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d32_bf16)

KERNEL(attention_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<64, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d64_bf16)

KERNEL(attention_rows64_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<64, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_rows64_d64_bf16)

KERNEL(attention_rows256_d64_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<64, 2, 8, 64>(ARGUMENTS);
}
EXPORT(attention_rows256_d64_bf16)

KERNEL(attention_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<96, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d96_bf16)

KERNEL(attention_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<128, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d128_bf16)

KERNEL(attention_rows64_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<128, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_rows64_d128_bf16)

KERNEL(attention_warps8_d128_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<128, 1, 8, 64>(ARGUMENTS);
}
EXPORT(attention_warps8_d128_bf16)

KERNEL(attention_d256_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<256, 1, 4, 32>(ARGUMENTS);
}
EXPORT(attention_d256_bf16)
