// attention_backward: the gradients of attention, bf16, head sizes 32, 64, 96 and 128.
//
//   P = exp(scale · q·kᵀ - lse),  δ = Σ dy·y,  dS = P ∘ (dy·vᵀ - δ)
//   dv = Pᵀ·dy,  dk = scale · dSᵀ·q,  dq = scale · dS·k                              (FlashAttention-2, Dao 2023)
//
// Two passes over the same pairs of tiles, so that every sum has one owner and a fixed order and there are no atomics:
// "keys" owns a tile of keys and walks over the queries of all heads of its group (dk, dv), "queries" owns a tile of
// queries and walks over the keys (dq). P is computed in both: seven products instead of five. One template serves
// both, since they differ only in the roles:
//
//           rows   A0  A1   columns  B0  B1   lse, δ      sums
//   keys    keys   k   v    queries  q   dy   of columns  dk += dSᵀ·B0, dv += Pᵀ·B1
//   queries queries q  dy   keys     k   v    of rows     dq += dS·B0
//
// S = A0·B0ᵀ and dP = A1·B1ᵀ (transposed in the pass of keys). P and dS become first operands in registers. Shared
// memory holds A0 and A1, and pairs (B0, B1) twice: the next is copied while this one is used.
//
//   head size   pass     warps × rows   columns   shared memory   blocks an SM of sm_90
//   32, 64      keys     4 × 32         64        33, 65 KB       3, 2 (registers)
//               queries  4 × 32         64        33, 65 KB       2 (registers)
//   96, 128     keys     8 × 16         64        97, 129 KB      1 (registers)
//   128         keys     4 × 16         64        97 KB           1 (memory): keys64, where a block has 99 KB only
//               queries  4 × 32         32        73, 97 KB       2 (registers)
//
// Bound: 14·T·S·D FLOP a head, half of it under a causal mask; compute-bound as the forward pass. With 16 rows a warp
// (two accumulators of 128 columns leave no registers for more) an ldmatrix feeds two mma, and shared memory is the
// limit on sm_90: 144 ldmatrix of 4 cycles for 256 mma. Rows of 32 need 80 for 192.
#include "attention_mma.cuh"

using namespace attention;

// stats: Stats(B, H, ⌈T / 64⌉) of y, dy(B·T, H·hd) and lse(B, H, T). Eight lanes a query and head; 16-byte loads where
// rows allow them.
template <class T>
__device__ void query_stats(const T* y, const T* dy, const float* lse, Stats* stats, int tokens, int heads, int hd,
                            int rows) {
  int at = (blockIdx.x * blockDim.x + threadIdx.x) / 8, lane = threadIdx.x & 7;
  int groups = cdiv(tokens, kBoundsTokens), padded = groups * kBoundsTokens;
  int head = at % heads, token = at / heads % padded, sequence = at / heads / padded;
  bool valid = at < rows && token < tokens;  // lanes beyond take part in the shuffles
  size_t row = valid ? (((size_t)sequence * tokens + token) * heads + head) * hd : 0;
  float sum = 0;
  if (hd % Pack<T>::size == 0 && aligned16(y) && aligned16(dy)) {
    for (int d = lane * Pack<T>::size; d < hd; d += 8 * Pack<T>::size) {
      Pack<T> a = Pack<T>::load(y + row + d), b = Pack<T>::load(dy + row + d);
#pragma unroll
      for (int i = 0; i < Pack<T>::size; i++) sum += to_float(a[i]) * to_float(b[i]);
    }
  } else {
    for (int d = lane; d < hd; d += 8) sum += to_float(y[row + d]) * to_float(dy[row + d]);
  }
  for (int step = 4; step > 0; step >>= 1) sum += __shfl_xor_sync(FULL_WARP, sum, step);
  if (at >= rows || lane != 0) return;
  size_t of_head = (size_t)sequence * heads + head;
  Stats& group = stats[of_head * groups + token / kBoundsTokens];
  group.lse[token % kBoundsTokens] = valid ? lse[of_head * tokens + token] * kLog2E : INFINITY;
  group.delta[token % kBoundsTokens] = valid ? sum : 0;
}

KERNEL(attention_backward_stats_f32, 256)
(const float* y, const float* dy, const float* lse, Stats* stats, int tokens, int heads, int hd, int rows) {
  query_stats(y, dy, lse, stats, tokens, heads, hd, rows);
}
EXPORT(attention_backward_stats_f32)

KERNEL(attention_backward_stats_bf16, 256)
(const bf16* y, const bf16* dy, const float* lse, Stats* stats, int tokens, int heads, int hd, int rows) {
  query_stats(y, dy, lse, stats, tokens, heads, hd, rows);
}
EXPORT(attention_backward_stats_bf16)

// stat_at is where element e of accumulator (m, n) finds its query: counted along the columns in the pass of keys,
// along the rows in the pass of queries.
template <bool KEYS>
__device__ constexpr int stat_at(int m, int n, int e) {
  return KEYS ? 8 * n + e % 2 : 16 * m + 8 * (e / 2);
}

// exponentiate turns scores into probabilities.
template <bool KEYS, int M, int N>
__device__ inline void exponentiate(float (&s)[M][N][4], const float* lse, float scale) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) s[m][n][e] = fast_exp2(s[m][n][e] * scale - lse[stat_at<KEYS>(m, n, e)]);
    }
  }
}

// differentiate turns probabilities into gradients of the scores.
template <bool KEYS, int M, int N>
__device__ inline void differentiate(float (&s)[M][N][4], const float (&dp)[M][N][4], const float* delta) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) s[m][n][e] *= dp[m][n][e] - delta[stat_at<KEYS>(m, n, e)];
    }
  }
}

// flash_gradient does a block of a pass. A0, A1 and B0, B1 are rows.first, … of the table above; head strides are D.
// d0 and d1 (keys only) have the row stride ldd.
template <int D, int M, int WARPS, int COLS, bool KEYS>
__device__ void flash_gradient(Side<bf16> rows, Side<bf16> cols, const Stats* stats, bf16* d0, bf16* d1, int ldd,
                               int units, int section, Band band, float scale) {
  constexpr int kThreads = 32 * WARPS, kRows = 16 * M * WARPS, kPart = KEYS && M == 2 ? 32 : COLS, N = kPart / 8;
  constexpr int kStatsChunks = sizeof(Stats) / 16;
  DYNAMIC_SHARED(bf16, a0);
  bf16* a1 = a0 + kRows * D;
  bf16* ring = a1 + kRows * D;                                        // two pairs of B0, B1
  Stats* of_queries = reinterpret_cast<Stats*>(ring + 4 * COLS * D);  // two, of the pairs (KEYS) or of the rows

  __shared__ Place place;
  Walk<kRows, COLS> walk{band, rows.segments, cols.segments, place};
  if (threadIdx.x == 0) {
    place = attention::place(rows.segments, kRows, rows.heads, cols.heads, units, section, !KEYS);
  }
  __syncthreads();

  size_t first = place.sequence * rows.segments.tokens + place.row;
  int present = rows.segments.tokens - place.row;
  load_tile<D, kRows, kThreads>(a0, rows.first + first * rows.ld0 + place.row_head * D, rows.ld0, present);
  load_tile<D, kRows, kThreads>(a1, rows.second + first * rows.ld1 + place.row_head * D, rows.ld1, present);
  if (!KEYS && threadIdx.x < 2 * kStatsChunks) {
    static_assert(KEYS || kRows == 2 * kBoundsTokens, "a tile has two Stats");
    int groups = cdiv(rows.segments.tokens, kBoundsTokens), group = place.row / kBoundsTokens;
    group = min(group + (int)threadIdx.x / kStatsChunks, groups - 1);
    const Stats* source = stats + place.unit * groups + group;
    cp_async16(of_queries[0].lse + 4 * threadIdx.x, source->lse + 4 * (threadIdx.x % kStatsChunks));
  }
  cp_async_commit();  // rows without any column have no other group
  auto load = [&](int slot, int head, int tile) {
    bf16* pair = ring + slot * 2 * COLS * D;
    int tokens = cols.segments.tokens, valid = tokens - tile * COLS;
    size_t token = place.sequence * tokens + tile * COLS;
    load_tile<D, COLS, kThreads>(pair, cols.first + token * cols.ld0 + head * D, cols.ld0, valid);
    load_tile<D, COLS, kThreads>(pair + COLS * D, cols.second + token * cols.ld1 + head * D, cols.ld1, valid);
    if (KEYS && threadIdx.x < kStatsChunks) {
      static_assert(!KEYS || COLS == kBoundsTokens, "a tile has one Stats");
      const Stats* source = stats + (place.sequence * cols.heads + head) * cdiv(tokens, COLS) + tile;
      cp_async16(of_queries[slot].lse + 4 * threadIdx.x, source->lse + 4 * threadIdx.x);
    }
    cp_async_commit();
  };
  float sum0[M][D / 8][4], sum1[M][D / 8][4];
  clear(sum0);
  clear(sum1);

  int head = place.col_head, tile = walk.first(), slot = 0;
  bool more = tile < walk.end();
  if (more) load(0, head, tile);
  while (more) {
    int this_tile = tile;
    tile = walk.next(tile + 1);
    if (tile >= walk.end()) {
      head++;
      tile = walk.first();
      more = head < place.col_end;
    }
    cp_async_wait<0>();
    __syncthreads();  // the pair is there, and nobody reads the other any more
    if (more) load(slot ^ 1, head, tile);
    const bf16* b0 = ring + slot * 2 * COLS * D;
    const bf16* b1 = b0 + COLS * D;
    int thread = opaque(threadIdx.x), warp_row = thread / 32 * 16 * M;
    const float* lse = of_queries[KEYS ? slot : warp_row / kBoundsTokens].lse;
    lse += KEYS ? thread % 4 * 2 : warp_row % kBoundsTokens + thread % 32 / 4;
    const float* delta = lse + kBoundsTokens;
    bool whole = walk.whole(this_tile);
    int columns = walk.some(warp_row, 16 * M, this_tile) ? COLS : 0;
#pragma unroll 1
    for (int part = 0; part < columns; part += kPart) {
      float s[M][N][4], dp[M][N][4];
      unsigned p[M][N / 2][4], ds[M][N / 2][4];
      clear(s);
      multiply_rows<D>(s, a0, warp_row, b0, part);
      exponentiate<KEYS>(s, KEYS ? lse + part : lse, scale * kLog2E);
      if (!whole) hide(s, 0, walk, warp_row, this_tile * COLS + part);
      if (KEYS) {
        round_pairs(p, s);
        multiply_columns<D>(sum1, p, b1, part);
      }
      clear(dp);
      multiply_rows<D>(dp, a1, warp_row, b1, part);
      differentiate<KEYS>(s, dp, KEYS ? delta + part : delta);
      round_pairs(ds, s);
      multiply_columns<D>(sum0, ds, b0, part);
    }
    slot ^= 1;
  }

  cp_async_wait<0>();
  __syncthreads();  // without any column the rows were never waited for
  int warp_row = threadIdx.x / 32 * 16 * M;
  float scales[M][2], ones[M][2];
#pragma unroll
  for (int m = 0; m < M; m++) {
    scales[m][0] = scales[m][1] = scale;
    ones[m][0] = ones[m][1] = 1;
  }
  first = place.sequence * rows.segments.tokens + place.row;
  size_t at = first * ldd + place.row_head * D;
  present = rows.segments.tokens - place.row;
  store_rows<D>(d0 + at, ldd, present, sum0, scales, a0, warp_row);
  if (KEYS) store_rows<D>(d1 + at, ldd, present, sum1, ones, a1, warp_row);
}

// In both passes q, k, v have the row strides ldq and ldkv, their gradients the same; y and dy are (B·T, H·D). units
// is the number of heads of rows of all sequences: key heads in the pass of keys.
template <int D, int M, int WARPS>
__device__ void flash_keys(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats,
                           const int* qsegments, const int* ksegments, const Bounds* qbounds, const Bounds* kbounds,
                           bf16* dk, bf16* dv, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
                           int section, int lo, int hi, float scale) {
  Side<bf16> keys{k, v, ldkv, ldkv, kv_heads, {ksegments, kbounds, S}};
  Side<bf16> queries{q, dy, ldq, heads * D, heads, {qsegments, qbounds, T}};
  flash_gradient<D, M, WARPS, 64, true>(keys, queries, stats, dk, dv, ldkv, units, section,
                                        Band{lo, hi, S}.transposed(T), scale);
}

template <int D, int COLS>
__device__ void flash_queries(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats,
                              const int* qsegments, const int* ksegments, const Bounds* qbounds,
                              const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads, int ldq, int ldkv,
                              int units, int section, int lo, int hi, float scale) {
  Side<bf16> keys{k, v, ldkv, ldkv, kv_heads, {ksegments, kbounds, S}};
  Side<bf16> queries{q, dy, ldq, heads * D, heads, {qsegments, qbounds, T}};
  flash_gradient<D, 2, 4, COLS, false>(queries, keys, stats, dq, nullptr, ldq, units, section,
                                       Band{lo, hi, S}, scale);
}

#define INPUTS q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds
#define SHAPE T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi, scale

KERNEL(attention_backward_keys_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<32, 2, 4>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d32_bf16)

KERNEL(attention_backward_queries_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<32, 64>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d32_bf16)

KERNEL(attention_backward_keys_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<64, 2, 4>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d64_bf16)

KERNEL(attention_backward_queries_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<64, 64>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d64_bf16)

KERNEL(attention_backward_keys_d96_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<96, 1, 8>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d96_bf16)

KERNEL(attention_backward_queries_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<96, 32>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d96_bf16)

KERNEL(attention_backward_keys_d128_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<128, 1, 8>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys_d128_bf16)

KERNEL(attention_backward_keys64_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_keys<128, 1, 4>(INPUTS, dk, dv, SHAPE);
}
EXPORT(attention_backward_keys64_d128_bf16)

KERNEL(attention_backward_queries_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  flash_queries<128, 32>(INPUTS, dq, SHAPE);
}
EXPORT(attention_backward_queries_d128_bf16)
