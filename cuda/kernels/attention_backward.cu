// attention_backward: the gradients of attention, bf16, head sizes 32, 64, 96 and 128.
//
//   P = exp(scale · q·kᵀ - lse),  δ = Σ dy·y,  dS = P ∘ (dy·vᵀ - δ)
//   dv = Pᵀ·dy,  dk = scale · dSᵀ·q,  dq = scale · dS·k                              (FlashAttention-2, Dao 2023)
//
// Two passes over the same pairs of tiles, so that every sum has one owner and a fixed order and there are no atomics:
// "keys" owns a tile of keys and walks over the queries of all heads of its group (dk, dv), "queries" owns a tile of
// queries and walks over the keys (dq). P is computed in both: seven products instead of five. One template serves both,
// since they differ only in the roles:
//
//           rows   A0  A1   columns  B0  B1   lse, δ      sums
//   keys    keys   k   v    queries  q   dy   of columns  dk += dSᵀ·B0, dv += Pᵀ·B1
//   queries queries q  dy   keys     k   v    of rows     dq += dS·B0
//
// S = A0·B0ᵀ and dP = A1·B1ᵀ (transposed in the pass of keys). P and dS become first operands in registers. Shared memory
// holds A0 and A1, and pairs (B0, B1) twice: the next is copied while this one is used.
//
//   head size   pass     warps × rows   columns   shared memory   blocks an SM
//   32, 64      keys     4 × 32         64        33, 66 KB       2 (registers)
//               queries  4 × 32         64        32, 64 KB       2 (registers)
//   96, 128     keys     8 × 16         64        97, 129 KB      1
//               queries  4 × 32         32        72, 96 KB       2
//
// Bound: 14·T·S·D FLOP a head, half of it under a causal mask; compute-bound as the forward pass. With 16 rows a warp
// (two accumulators of 128 columns leave no registers for more) an ldmatrix feeds two mma, and shared memory is the
// limit on sm_90: 144 ldmatrix of 4 cycles for 256 mma. Rows of 32 need 80 for 192.
#include "attention_mma.cuh"

using namespace attention;

// delta(B, H, T) = Σ dy·y over a head of a token. Eight lanes a row; 16-byte loads where rows allow them.
template <class T>
__device__ void row_products(const T* y, const T* dy, float* delta, int tokens, int heads, int hd, int rows) {
  int at = (blockIdx.x * blockDim.x + threadIdx.x) / 8, lane = threadIdx.x & 7;
  bool valid = at < rows;  // lanes beyond take part in the shuffles
  const T* a = y + (size_t)(valid ? at : 0) * hd;
  const T* b = dy + (size_t)(valid ? at : 0) * hd;
  float sum = 0;
  if (hd % Pack<T>::size == 0 && aligned16(y) && aligned16(dy)) {
    for (int d = lane * Pack<T>::size; d < hd; d += 8 * Pack<T>::size) {
      Pack<T> pa = Pack<T>::load(a + d), pb = Pack<T>::load(b + d);
#pragma unroll
      for (int i = 0; i < Pack<T>::size; i++) sum += to_float(pa[i]) * to_float(pb[i]);
    }
  } else {
    for (int d = lane; d < hd; d += 8) sum += to_float(a[d]) * to_float(b[d]);
  }
  for (int step = 4; step > 0; step >>= 1) sum += __shfl_xor_sync(FULL_WARP, sum, step);
  if (!valid || lane != 0) return;
  int token = at / heads, head = at % heads;
  delta[((size_t)(token / tokens) * heads + head) * tokens + token % tokens] = sum;
}

KERNEL(attention_backward_delta_f32, 256)
(const float* y, const float* dy, float* delta, int tokens, int heads, int hd, int rows) {
  row_products(y, dy, delta, tokens, heads, hd, rows);
}
EXPORT(attention_backward_delta_f32)

KERNEL(attention_backward_delta_bf16, 256)
(const bf16* y, const bf16* dy, float* delta, int tokens, int heads, int hd, int rows) {
  row_products(y, dy, delta, tokens, heads, hd, rows);
}
EXPORT(attention_backward_delta_bf16)

// Side is the rows or the columns of a pass: two tensors with a stride of a token, and the mask's segments.
struct Side {
  const bf16 *first, *second;
  int ld0, ld1, tokens;
  const int* segments;
  const Bounds* bounds;
};

// flash_gradient does a block of a pass. A0, A1 and B0, B1 are rows.first, … of the table above; head strides are D.
// d0 and d1 (keys only) have the row stride ldd.
template <int D, int M, int WARPS, int COLS, bool KEYS>
__device__ void flash_gradient(Side rows, Side cols, const float* lse, const float* delta, bf16* d0, bf16* d1, int ldd,
                               int heads, int kv_heads, int units, int section, Band band, float scale) {
  constexpr int kThreads = 32 * WARPS, kRows = 16 * M * WARPS, kPart = KEYS && M == 2 ? 32 : COLS, N = kPart / 8;
  DYNAMIC_SHARED(bf16, a0);
  bf16* a1 = a0 + kRows * D;
  bf16* ring = a1 + kRows * D;                                     // two pairs of B0, B1
  float* ring_stats = reinterpret_cast<float*>(ring + 4 * COLS * D);  // KEYS: two pairs of COLS lse, δ

  Work work(units, section, cdiv(rows.tokens, kRows), !KEYS);
  int row_heads = KEYS ? kv_heads : heads, share = heads / kv_heads, turns = KEYS ? share : 1;
  int sequence = work.unit / row_heads, row_head = work.unit % row_heads;
  int col_head = KEYS ? row_head * share : row_head / share, row0 = work.tile * kRows;
  Segments row_segments(rows.segments, rows.bounds, sequence, rows.tokens);
  Segments col_segments(cols.segments, cols.bounds, sequence, cols.tokens);
  Walk<COLS> walk(band, row_segments, col_segments, row0, min(row0 + kRows, rows.tokens) - 1);

  size_t row_token = (size_t)sequence * rows.tokens + row0, col_token = (size_t)sequence * cols.tokens;
  load_tile<D, kRows, kThreads>(a0, rows.first + row_token * rows.ld0 + row_head * D, rows.ld0, rows.tokens - row0);
  load_tile<D, kRows, kThreads>(a1, rows.second + row_token * rows.ld1 + row_head * D, rows.ld1, rows.tokens - row0);
  int warp_row = threadIdx.x / 32 * 16 * M, g = (threadIdx.x & 31) >> 2, t = threadIdx.x & 3;

  // The lse (in units of log 2) and δ of a query; one beyond the end gets probability 0.
  auto lse_of = [&](int head, int query, int queries) {
    return query < queries ? lse[((size_t)sequence * heads + head) * queries + query] * kLog2E : INFINITY;
  };
  auto delta_of = [&](int head, int query, int queries) {
    return query < queries ? delta[((size_t)sequence * heads + head) * queries + query] : 0;
  };
  auto load = [&](int slot, int turn, int tile) {
    bf16* pair = ring + slot * 2 * COLS * D;
    size_t token = col_token + tile * COLS;
    int head = (col_head + turn) * D, valid = cols.tokens - tile * COLS;
    load_tile<D, COLS, kThreads>(pair, cols.first + token * cols.ld0 + head, cols.ld0, valid);
    load_tile<D, COLS, kThreads>(pair + COLS * D, cols.second + token * cols.ld1 + head, cols.ld1, valid);
    cp_async_commit();
  };
  // KEYS: the first COLS threads bring the lse, the next COLS the δ of a tile.
  auto stat_of = [&](int turn, int tile) {
    int query = tile * COLS + threadIdx.x % COLS, head = col_head + turn;
    if (threadIdx.x < COLS) return lse_of(head, query, cols.tokens);
    return threadIdx.x < 2 * COLS ? delta_of(head, query, cols.tokens) : 0;
  };
  auto store_stat = [&](int slot, float stat) {
    if (threadIdx.x < 2 * COLS) ring_stats[slot * 2 * COLS + threadIdx.x] = stat;
  };

  float row_lse[M][2], row_delta[M][2];
  if (!KEYS) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int query = row0 + warp_row + 16 * m + 8 * h + g;
        row_lse[m][h] = lse_of(row_head, query, rows.tokens);
        row_delta[m][h] = delta_of(row_head, query, rows.tokens);
      }
    }
  }
  float sum0[M][D / 8][4], sum1[M][D / 8][4];
  clear(sum0);
  clear(sum1);

  int turn = 0, tile = walk.first(), slot = 0;
  bool more = tile < walk.end;
  if (more) {
    load(0, turn, tile);
    if (KEYS) store_stat(0, stat_of(turn, tile));
  }
  while (more) {
    int this_tile = tile;
    float stat = 0;
    tile = walk.next(tile + 1);
    if (tile >= walk.end) {
      turn++;
      tile = walk.first();
    }
    more = turn < turns;
    cp_async_wait<0>();
    __syncthreads();  // the pair is there, and nobody reads the other any more
    if (more) {
      load(slot ^ 1, turn, tile);
      if (KEYS) stat = stat_of(turn, tile);
    }
    const bf16* b0 = ring + slot * 2 * COLS * D;
    const bf16* b1 = b0 + COLS * D;
    const float* stats = ring_stats + slot * 2 * COLS;
    bool whole = walk.whole(this_tile);
#pragma unroll
    for (int part = 0; part < COLS; part += kPart) {
      float s[M][N][4], dp[M][N][4];
      unsigned p[M][N / 2][4], ds[M][N / 2][4];
      clear(s);
      multiply_rows<D>(s, a0, warp_row, b0, part);
#pragma unroll
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
          for (int e = 0; e < 4; e++) {
            float l = KEYS ? stats[part + 8 * n + 2 * t + e % 2] : row_lse[m][e / 2];
            s[m][n][e] = fast_exp2(s[m][n][e] * scale * kLog2E - l);
          }
        }
      }
      if (!whole) {
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
          for (int h = 0; h < 2; h++) {
            Row row(band, row_segments, row0 + warp_row + 16 * m + 8 * h + g, rows.tokens);
#pragma unroll
            for (int n = 0; n < N; n++) {
              int column = this_tile * COLS + part + 8 * n + 2 * t;
              if (!row.sees(column, col_segments)) s[m][n][2 * h] = 0;
              if (!row.sees(column + 1, col_segments)) s[m][n][2 * h + 1] = 0;
            }
          }
        }
      }
      if (KEYS) {
        round_pairs(p, s);
        multiply_columns<D>(sum1, p, b1, part);
      }
      clear(dp);
      multiply_rows<D>(dp, a1, warp_row, b1, part);
#pragma unroll
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
          for (int e = 0; e < 4; e++) {
            float d = KEYS ? stats[COLS + part + 8 * n + 2 * t + e % 2] : row_delta[m][e / 2];
            s[m][n][e] *= dp[m][n][e] - d;
          }
        }
      }
      round_pairs(ds, s);
      multiply_columns<D>(sum0, ds, b0, part);
    }
    if (KEYS && more) store_stat(slot ^ 1, stat);
    slot ^= 1;
  }

  cp_async_wait<0>();
  __syncthreads();  // without any column the rows were never waited for
  float scales[M][2], ones[M][2];
#pragma unroll
  for (int m = 0; m < M; m++) {
    scales[m][0] = scales[m][1] = scale;
    ones[m][0] = ones[m][1] = 1;
  }
  size_t at = row_token * ldd + row_head * D;
  store_rows<D>(d0 + at, ldd, rows.tokens - row0, sum0, scales, a0, warp_row);
  if constexpr (KEYS) store_rows<D>(d1 + at, ldd, rows.tokens - row0, sum1, ones, a1, warp_row);
}

// In both passes q, k, v have the row strides ldq and ldkv, their gradients the same; y and dy are (B·T, H·D). units is
// the number of heads of rows of all sequences: key heads in the pass of keys.
template <int D, int M, int WARPS>
__device__ void flash_keys(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse,
                           const float* delta, const int* qsegments, const int* ksegments, const Bounds* qbounds,
                           const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads, int kv_heads, int ldq,
                           int ldkv, int units, int section, int lo, int hi, float scale) {
  Side keys{k, v, ldkv, ldkv, S, ksegments, kbounds}, queries{q, dy, ldq, heads * D, T, qsegments, qbounds};
  flash_gradient<D, M, WARPS, 64, true>(keys, queries, lse, delta, dk, dv, ldkv, heads, kv_heads, units, section,
                                        Band{lo, hi, S}.transposed(T), scale);
}

template <int D, int COLS>
__device__ void flash_queries(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse,
                              const float* delta, const int* qsegments, const int* ksegments, const Bounds* qbounds,
                              const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads, int ldq, int ldkv,
                              int units, int section, int lo, int hi, float scale) {
  Side keys{k, v, ldkv, ldkv, S, ksegments, kbounds}, queries{q, dy, ldq, heads * D, T, qsegments, qbounds};
  flash_gradient<D, 2, 4, COLS, false>(queries, keys, lse, delta, dq, nullptr, ldq, heads, kv_heads, units, section,
                                       Band{lo, hi, S}, scale);
}

#define INPUTS q, k, v, dy, lse, delta, qsegments, ksegments, qbounds, kbounds
#define SHAPE T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi, scale

KERNEL(attention_backward_keys_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T,
 int S, int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<32, 2, 4>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d32_bf16)

KERNEL(attention_backward_queries_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S,
 int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<32, 64>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d32_bf16)

KERNEL(attention_backward_keys_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T,
 int S, int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<64, 2, 4>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d64_bf16)

KERNEL(attention_backward_queries_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S,
 int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<64, 64>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d64_bf16)

KERNEL(attention_backward_keys_d96_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T,
 int S, int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<96, 1, 8>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d96_bf16)

KERNEL(attention_backward_queries_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S,
 int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<96, 32>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d96_bf16)

KERNEL(attention_backward_keys_d128_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T,
 int S, int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<128, 1, 8>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d128_bf16)

KERNEL(attention_backward_queries_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const float* lse, const float* delta,
 const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S,
 int heads, int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<128, 32>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d128_bf16)
