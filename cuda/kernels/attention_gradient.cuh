// The gradients of attention on tensor cores in one pass: attention_backward.cu says how it works.
#pragma once
#include "attention_biasing.cuh"
#include "attention_drops.cuh"
#include "order.cuh"

namespace attention {

// Turns tells which tiles of ROWS keys add to the sums of a tile of COLS queries, from the last one down: the pairs that
// Walk goes over, from the side of the queries. band is that of keys. All lanes of a warp take part.
template <int ROWS, int COLS, class View>
struct Turns {
  Band band;
  Segments keys, queries;
  int sequence;
  View view;

  // The tiles of keys from low to high are those whose band meets that of the tile of queries.
  __device__ int low(int tile) const {
    int row = max(0, tile * COLS - band.hi + 1);
    return row < keys.tokens ? row / ROWS : cdiv(keys.tokens, ROWS);
  }
  __device__ int high(int tile) const {
    int end = min(keys.tokens, (tile + 1) * COLS - band.lo);
    return end > 0 ? (end - 1) / ROWS : -1;
  }

  // upto returns the last one up to and including from, -1 when there is none.
  __device__ int upto(int from, int tile) const {
    int low = this->low(tile);
    if (View::kAll && !keys.ids) return from >= low ? from : -1;
    Bounds of_queries = keys.ids ? queries.bounds_of(sequence, tile * COLS) : Bounds{0, 0};
    for (; from >= low; from -= 32) {
      int mine = from - (threadIdx.x & 31);
      bool meets = mine >= low && view.sees(mine * ROWS, tile * COLS) &&
                   (!keys.ids || keys.bounds_of_tile(sequence, mine * ROWS, ROWS).meets(of_queries));
      unsigned found = __ballot_sync(FULL_WARP, meets);
      if (found) return from - __ffs(found) + 1;
    }
    return -1;
  }
};

// exponentiate turns scores into probabilities; lse are those of the columns.
template <int M, int N>
__device__ inline void exponentiate(float (&s)[M][N][4], const float* lse, float scale) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) s[m][n][e] = fast_exp2(s[m][n][e] * scale - lse[8 * n + e % 2]);
    }
  }
}

// differentiate turns probabilities into gradients of the scores; delta are those of the columns.
template <int M, int N>
__device__ inline void differentiate(float (&s)[M][N][4], const float (&dp)[M][N][4], const float* delta) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) s[m][n][e] *= dp[m][n][e] - delta[8 * n + e % 2];
    }
  }
}

// store_pairs puts the fragments of round_pairs into a tile with rows of COLS elements.
template <int COLS, int M, int N>
__device__ inline void store_pairs(bf16* tile, int row, int column, const unsigned (&p)[M][N][4]) {
  int lane = opaque(threadIdx.x) & 31;
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        int r = row + 16 * m + e % 2 * 8 + lane / 4, chunk = column / 8 + 2 * n + e / 2;
        *reinterpret_cast<unsigned*>(tile + chunk_at<COLS>(r, chunk) + lane % 4 * 2) = p[m][n][e];
      }
    }
  }
}

// multiply_stored: c(16, 8·C) += P·B for the P(16, COLS) that store_pairs has put at a row of a tile.
template <int D, int COLS, int C>
__device__ inline void multiply_stored(float (&c)[1][C][4], const bf16* p, int row, const bf16* b, int chunk) {
  int lane = opaque(threadIdx.x) & 31;
  int p_at = chunk_at<COLS>(row + (lane & 15), lane >> 4);
#pragma unroll
  for (int k = 0; k < COLS / 16; k++) {
    unsigned fp[1][1][4];
    ldmatrix_x4(fp[0][0], p + chunk_after<COLS>(p_at, 2 * k));
    multiply_columns<D>(c, fp, b, 16 * k, chunk);
  }
}

// multiply_transposed: c(16·M, 8·C) += Aᵀ·B over 16 rows of A and B from row on; A has rows of COLS elements, of which
// the columns from column on count, B has rows of D and counts from its column 8·chunk on.
template <int D, int COLS, int M, int C>
__device__ inline void multiply_transposed(float (&c)[M][C][4], const bf16* a, int column, const bf16* b, int chunk,
                                           int row) {
  int lane = opaque(threadIdx.x) & 31;
  int a_row = row + (lane & 7) + (lane >> 4) * 8;
  int b_at = chunk_at<D>(row + (lane & 15), chunk + (lane >> 4));
  unsigned fa[M][4];
#pragma unroll
  for (int m = 0; m < M; m++) {
    ldmatrix_x4_trans(fa[m], a + chunk_at<COLS>(a_row, column / 8 + 2 * m + (lane >> 3 & 1)));
  }
#pragma unroll
  for (int d = 0; d < C; d += 2) {
    unsigned fb[4];
    ldmatrix_x4_trans(fb, b + chunk_after<D>(b_at, d));
#pragma unroll
    for (int m = 0; m < M; m++) {
      mma_m16n8k16(c[m][d], fa[m], fb);
      mma_m16n8k16(c[m][d + 1], fa[m], fb + 2);
    }
  }
}

// DqSums are those of dq in device memory: for each head of a sequence and each tile of queries the accumulators of all
// warps, a lane's four floats together, and a flag, which says whose turn it is: tile of keys + 1, 0 for nobody yet.
struct DqSums {
  float* values;
  int *tickets, *flags;
};

// Gradients are the results; dk and dv have the row stride of k and v, dq that of q. The sums, null where they are not
// wanted, are float32: of queries (B, ⌈T / rows⌉, H·D), rows being those that a warp has of dq; of keys
// (B, ⌈S / kSumKeys⌉, 2, G·D), dk before dv.
struct Gradients {
  bf16 *dq, *dk, *dv;
  float *query_sums, *key_sums;
};

constexpr int kSumKeys = 64;

// sum_column adds up a column of the 16 rows of c that the lanes of equal lane mod 4 share.
__device__ inline float sum_column(float x) {
  for (int step = 4; step < 32; step <<= 1) x += __shfl_xor_sync(FULL_WARP, x, step);
  return x;
}

// keep_sums leaves the sums of each 16 rows of a warp's dk or dv at sums (rows / 16, 2, D), from column 8·chunk on.
// Rows from valid on, which are no keys and hold anything, do not count.
template <int D, int M, int C>
__device__ inline void keep_sums(float* sums, const float (&c)[M][C][4], int row, int valid, int chunk, float factor) {
  int lane = threadIdx.x & 31;
#pragma unroll
  for (int m = 0; m < M; m++) {
    int upper = row + 16 * m + lane / 4;
    float* of_rows = sums + (row / 16 + m) * 2 * D + chunk * 8;
#pragma unroll
    for (int d = 0; d < C; d++) {
#pragma unroll
      for (int e = 0; e < 2; e++) {
        float both = (upper < valid ? c[m][d][e] : 0) + (upper + 8 < valid ? c[m][d][2 + e] : 0);
        float sum = sum_column(both) * factor;
        if (lane < 4) of_rows[d * 8 + lane * 2 + e] = sum;
      }
    }
  }
}

// Pair is what a block works on: a tile of queries of a head, -1 behind the last one.
struct Pair {
  int head, tile;
};

// flash_gradient does a block: SPLIT warps share 16·M keys.
template <int D, int M, int WARPS, int SPLIT, int COLS, class View = All>
__device__ void flash_gradient(Side<bf16> keys, Side<bf16> queries, const Stats* stats, DqSums sums, Gradients results,
                               int units, int section, Band band, float scale, View view = {}) {
  constexpr int kThreads = 32 * WARPS, kGroups = WARPS / SPLIT, kRows = 16 * M * kGroups;
  constexpr int kPart = SPLIT > 1 ? COLS / SPLIT : 32, N = kPart / 8;  // columns at a time
  constexpr int kWidth = D / 8 / SPLIT;                              // chunks of a row of dk and dv that a warp has
  constexpr int QM = D == 96 ? 1 : 2;                                // dq: a warp has 16·QM rows and 8·QN columns
  constexpr int kAcross = WARPS / (COLS / (16 * QM)), QN = D / 8 / kAcross;  // kAcross warps along a row
  constexpr bool kLate = SPLIT == 1 && M == 1;  // the last product of dk waits until the sums of dq are asked for
  static_assert(SPLIT == 1 || M == 1, "P is read again for 16 rows");
  static_assert(kAcross == 1 || (QN & (QN - 1)) == 0, "chunk_after wants chunks that are multiples of a power of two");
  DYNAMIC_SHARED(bf16, k);
  bf16* v = k + kRows * D;
  bf16* ring = v + kRows * D;                                               // two pairs of q, dy
  bf16* ds_tile = ring + 4 * COLS * D;                                      // (keys, queries)
  bf16* p_tile = ds_tile + kRows * COLS;                                    // the same, if SPLIT > 1
  float* stats_ring = reinterpret_cast<float*>(p_tile + (SPLIT > 1 ? kRows * COLS : 0));  // two of lse, δ

  queries.ld1 = queries.heads * D;
  __shared__ Place place;
  __shared__ Pair pairs[2];
  __shared__ int added, next_turn;  // the tile of queries whose sums the block has added to, and whose turn it is next
  Walk<kRows, COLS, View> walk{band, keys.segments, queries.segments, place, view};
  if (threadIdx.x == 0) {
    place = attention::place(keys.segments, kRows, keys.heads, queries.heads, units, section, true,
                             take_ticket(sums.tickets));
    next_turn = 0;
  }
  __syncthreads();

  int tokens = queries.segments.tokens, tiles = cdiv(tokens, COLS);
  size_t first = place.sequence * keys.segments.tokens + place.row;
  load_tile<D, kRows, kThreads>(k, keys.first + first * keys.ld0 + place.row_head * D, keys.ld0,
                                keys.segments.tokens - place.row);
  load_tile<D, kRows, kThreads>(v, keys.second + first * keys.ld1 + place.row_head * D, keys.ld1,
                                keys.segments.tokens - place.row);
  cp_async_commit();  // keys without any query have no other group
  auto load = [&](int slot, int head, int tile) {
    bf16* pair = ring + slot * 2 * COLS * D;
    size_t token = place.sequence * tokens + tile * COLS;
    load_tile<D, COLS, kThreads>(pair, queries.first + token * queries.ld0 + head * D, queries.ld0,
                                 tokens - tile * COLS);
    load_tile<D, COLS, kThreads>(pair + COLS * D, queries.second + token * queries.ld1 + head * D, queries.ld1,
                                 tokens - tile * COLS);
    if (threadIdx.x < COLS / 2) {
      const Stats* of_head = stats + (place.sequence * queries.heads + head) * cdiv(tokens, kBoundsTokens);
      const Stats& source = of_head[tile * COLS / kBoundsTokens];
      int chunk = threadIdx.x % (COLS / 4) * 4;
      cp_async16(stats_ring + slot * 2 * COLS + threadIdx.x * 4,
                 (threadIdx.x < COLS / 4 ? source.lse : source.delta) + tile * COLS % kBoundsTokens + chunk);
    }
    cp_async_commit();
  };
  float dk[M][kWidth][4], dv[M][kWidth][4];
  clear(dk);
  clear(dv);
  if constexpr (kBiased<View>) {
    for (int head = place.col_head; view.parts && head < place.col_end; head++) {
      float* part = view.part(place, queries.heads, head, keys.segments.tokens);
      for (int i = threadIdx.x; i < view.distances; i += kThreads) part[i] = 0;
    }
  }

  auto prefetch = [&](int slot, int head, int tile) {
    if (tile >= walk.end()) {
      head++;
      tile = walk.first();
    }
    bool exists = tile < walk.end() && head < place.col_end;
    if (exists) load(slot, head, tile);
    if (threadIdx.x == 0) pairs[slot] = {exists ? head : -1, tile};
  };
  prefetch(0, place.col_head, walk.first());
  int slot = 0;
  for (;; slot ^= 1) {
    cp_async_wait<0>();
    __syncthreads();  // the pair is there, and nobody reads the other or adds to sums any more
    if (threadIdx.x == 0 && next_turn > 0) store_release(sums.flags + added, next_turn);
    const Pair& pair = pairs[slot];
    if (pair.head < 0) break;
    prefetch(slot ^ 1, pair.head, walk.next(pair.tile + 1));

    auto q = [&] { return ring + opaque(slot) * (2 * COLS * D); };
    auto dy = [&] { return q() + COLS * D; };
    int thread = opaque(threadIdx.x), warp = thread / 32, warp_row = warp / SPLIT * 16 * M;
    auto lse = [&] { return stats_ring + opaque(slot) * (2 * COLS) + opaque(threadIdx.x) % 4 * 2; };
    bool whole = walk.whole(pair.tile);
    auto some = [&] { return walk.some(opaque(warp_row), 16 * M, pair.tile); };
    using Scores = float[M][N][4];
    using Pairs = unsigned[M][N / 2][4];
    Scores s;
    Pairs ds;
    auto differentiate_part = [&](int part) {
      Scores dp;
      Pairs p;
      clear(s);
      multiply_rows<D>(s, k, warp_row, q(), part);
      if constexpr (kBiased<View>) {
        view.template add<true>(s, pair.head, pair.tile * COLS + part, place.row + warp_row);
      }
      exponentiate(s, lse() + part, scale * kLog2E);
      if (!whole) hide(s, 0, walk, warp_row, pair.tile * COLS + part);
      round_pairs(p, s);
      [[maybe_unused]] unsigned kept[M];
      if constexpr (kDrops<View>) {
        view.drops.template fragments<true, M, N>(kept, pair.head, place.sequence * tokens + pair.tile * COLS + part,
                                                  place.row + warp_row);
        drop(p, kept);
      }
      if (SPLIT == 1) {
        multiply_columns<D>(dv, p, dy(), part);
      } else {
        store_pairs<COLS>(p_tile, warp_row, part, p);
      }
      clear(dp);
      multiply_rows<D>(dp, v, warp_row, dy(), part);
      if constexpr (kDrops<View>) drop(dp, kept, view.drops.scale);
      differentiate(s, dp, lse() + COLS + part);
      round_pairs(ds, s);
      store_pairs<COLS>(ds_tile, warp_row, part, ds);
    };
    if (SPLIT > 1) {
      if (some()) differentiate_part(warp % SPLIT * kPart);
    } else if (some()) {
#pragma unroll 1
      for (int part = 0; part < COLS; part += kPart) {
        differentiate_part(part);
        if (!kLate || part + kPart < COLS) multiply_columns<D>(dk, ds, q(), part);
      }
    }

    thread = opaque(threadIdx.x), warp = thread / 32;
    float dq[QM][QN][4];
    Turns<kRows, COLS, View> turns{band, keys.segments, queries.segments, place.sequence, view};
    int mine = place.row / kRows, turn = (place.sequence * queries.heads + pair.head) * tiles + pair.tile;
    float* sum = sums.values + (size_t)turn * (COLS * D) + (warp * QM * QN * 32 + thread % 32) * 4;
    clear(dq);
    if (turns.upto(turns.high(pair.tile), pair.tile) > mine) {
      if (thread % 32 == 0) {
        while (load_acquire(sums.flags + turn) != mine + 1) pause();
      }
      __syncwarp();
#pragma unroll
      for (int m = 0; m < QM; m++) {
#pragma unroll
        for (int n = 0; n < QN; n++) {
          float4 x = load_shared_by_blocks(sum + (m * QN + n) * 128);
          dq[m][n][0] = x.x, dq[m][n][1] = x.y, dq[m][n][2] = x.z, dq[m][n][3] = x.w;
        }
      }
    }
    if (kLate && some()) multiply_columns<D>(dk, ds, q(), COLS - kPart);
    __syncthreads();  // dS of all warps is there
    if constexpr (SPLIT > 1) {
      if (some()) {
        multiply_stored<D, COLS>(dv, p_tile, warp_row, dy(), warp % SPLIT * kWidth);
        multiply_stored<D, COLS>(dk, ds_tile, warp_row, q(), warp % SPLIT * kWidth);
      }
    }
    int column = warp / kAcross * 16 * QM, chunk = warp % kAcross * QN;
#pragma unroll 1
    for (int group = kGroups - 1; group >= 0; group--) {
      if (!walk.some(group * 16 * M, 16 * M, pair.tile)) continue;
#pragma unroll
      for (int m = M - 1; m >= 0; m--) {
        multiply_transposed<D, COLS>(dq, ds_tile, column, k, chunk, (group * M + m) * 16);
      }
    }

    int next = turns.upto(mine - 1, pair.tile);
    if (threadIdx.x == 0) {
      added = turn;
      next_turn = next + 1;
    }
    if (next >= 0) {
#pragma unroll
      for (int m = 0; m < QM; m++) {
#pragma unroll
        for (int n = 0; n < QN; n++) {
          store_shared_by_blocks(sum + (m * QN + n) * 128,
                                 make_float4(dq[m][n][0], dq[m][n][1], dq[m][n][2], dq[m][n][3]));
        }
      }
    } else {
      if (results.query_sums && pair.tile * COLS + column < tokens) {
        constexpr int kRowsOfSum = 16 * QM;
        int part = place.sequence * cdiv(tokens, kRowsOfSum) + (pair.tile * COLS + column) / kRowsOfSum;
        float* target = results.query_sums + ((size_t)part * queries.heads + pair.head) * D + chunk * 8;
#pragma unroll
        for (int n = 0; n < QN; n++) {
#pragma unroll
          for (int e = 0; e < 2; e++) {
            float sum = 0;
#pragma unroll
            for (int m = 0; m < QM; m++) sum += dq[m][n][e] + dq[m][n][2 + e];
            sum = sum_column(sum) * scale;
            if (thread % 32 < 4) target[n * 8 + thread % 4 * 2 + e] = sum;
          }
        }
      }
      int row = pair.tile * COLS + column + thread % 32 / 4;
      bf16* target = results.dq + (size_t)(place.sequence * tokens + row) * queries.ld0 + pair.head * D + chunk * 8;
#pragma unroll
      for (int m = 0; m < QM; m++) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
          if (row + 16 * m + 8 * h >= tokens) continue;
#pragma unroll
          for (int n = 0; n < QN; n++) {
            unsigned two = pack_bf16(dq[m][n][2 * h] * scale, dq[m][n][2 * h + 1] * scale);
            *reinterpret_cast<unsigned*>(target + (size_t)(16 * m + 8 * h) * queries.ld0 + n * 8 + thread % 4 * 2) = two;
          }
        }
      }
    }
    if constexpr (kBiased<View>) {
      static_assert(M == 1 && kRows == Biasing::kKeys, "a warp writes 16 rows or none");
      if (view.parts) {
        view.template sum<kRows, COLS>(view.part(place, queries.heads, pair.head, keys.segments.tokens), ds_tile,
                                       pair.tile * COLS, place.row, keys.segments.tokens - place.row,
                                       [&](int row) { return walk.some(row, 16, pair.tile); });
      }
    }
  }

  int warp = threadIdx.x / 32, warp_row = warp / SPLIT * 16 * M, chunk = warp % SPLIT * kWidth;
  float scales[M][2], value_scales[M][2], value_scale = 1;  // of dk and of dv
  if constexpr (kDrops<View>) value_scale = view.drops.scale;
#pragma unroll
  for (int m = 0; m < M; m++) {
    scales[m][0] = scales[m][1] = scale;
    value_scales[m][0] = value_scales[m][1] = value_scale;
  }
  first = place.sequence * keys.segments.tokens + place.row;
  size_t at = first * keys.ld0 + place.row_head * D;
  int present = keys.segments.tokens - place.row;
  store_rows<D>(results.dk + at, keys.ld0, present, dk, scales, k, warp_row, chunk);
  store_rows<D>(results.dv + at, keys.ld0, present, dv, value_scales, v, warp_row, chunk);
  if (results.key_sums) {
    float* kept = reinterpret_cast<float*>(ring);  // whose last pair everybody has left
    keep_sums<D>(kept, dk, warp_row, present, chunk, scale);
    keep_sums<D>(kept + D, dv, warp_row, present, chunk, value_scale);
    __syncthreads();
    for (int i = threadIdx.x; i < kRows / kSumKeys * 2 * D; i += kThreads) {
      int part = i / (2 * D), which = i / D % 2;
      if (part * kSumKeys >= present) continue;
      float sum = 0;
#pragma unroll
      for (int r = 0; r < kSumKeys / 16; r++) sum += kept[(part * kSumKeys / 16 + r) * 2 * D + i % (2 * D)];
      int of = place.sequence * cdiv(keys.segments.tokens, kSumKeys) + place.row / kSumKeys + part;
      results.key_sums[(((size_t)of * 2 + which) * keys.heads + place.row_head) * D + i % D] = sum;
    }
  }

  // Queries that no tile of keys adds to: the blocks of a unit share the tiles.
  Turns<kRows, COLS, View> turns{band, keys.segments, queries.segments, place.sequence, view};
  for (int i = place.row / kRows; i < tiles; i += cdiv(keys.segments.tokens, kRows)) {
    if (turns.upto(turns.high(i), i) >= 0) continue;
    int rows = min(COLS, tokens - i * COLS), parts = cdiv(rows, 16 * QM);
    for (int at = threadIdx.x; at < (place.col_end - place.col_head) * rows * (D / 8); at += kThreads) {
      int c = at % (D / 8), of_head = place.col_head + at / (D / 8) / rows, row = i * COLS + at / (D / 8) % rows;
      bf16* target = results.dq + (size_t)(place.sequence * tokens + row) * queries.ld0 + of_head * D + c * 8;
      *reinterpret_cast<uint4*>(target) = make_uint4(0, 0, 0, 0);
    }
    if (!results.query_sums) continue;
    for (int at = threadIdx.x; at < (place.col_end - place.col_head) * parts * D; at += kThreads) {
      int of_head = place.col_head + at / D / parts;
      int part = place.sequence * cdiv(tokens, 16 * QM) + i * (COLS / (16 * QM)) + at / D % parts;
      results.query_sums[((size_t)part * queries.heads + of_head) * D + at % D] = 0;
    }
  }
}

}  // namespace attention
