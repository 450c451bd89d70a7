// attention_hopper_backward: the gradients of attention on sm_90a, bf16, head sizes 64 and 128; the same function as
// attention_backward.cu.
//
//   P = exp(scale · q·kᵀ - lse),  δ = Σ dy·y,  dS = P ∘ (dy·vᵀ - δ)
//   dv = Pᵀ·dy,  dk = scale · dSᵀ·q,  dq = scale · dS·k                              (FlashAttention-2, Dao 2023)
//
// Two passes over the same pairs of tiles, so that every sum has one owner and a fixed order: "keys" owns a tile of keys and
// walks over the queries of all heads of its group (dk, dv), "queries" owns a tile of queries and walks over the keys (dq).
// That is seven products instead of five, without sums in global memory, and with P and dS in registers as the first
// operands of the products behind them. One template serves both:
//
//           rows   A0  A1   columns  B0  B1   lse, δ      sums
//   keys    keys   k   v    queries  q   dy   of columns  dk += dSᵀ·B0, dv += Pᵀ·B1
//   queries queries q  dy   keys     k   v    of rows     dq += dS·B0
//
// S = A0·B0ᵀ and dP = A1·B1ᵀ (transposed in the pass of keys) are in flight together; dv's product runs while dS is
// computed. A block is a warpgroup that copies and two of 64 rows each; 64 columns; pairs (B0, B1), with the statistics of
// their queries in the pass of keys, go through a ring of four: 98 KB at head size 64, 194 KB at 128.
//
// maps: those of q, k, v and dy, as in attention_hopper.cu. stats: those of attention_backward_stats.
//
// Bound: 14·T·S·D FLOP a head, half of it under a causal mask. Of one tile at D = 128 the pass of keys has 1024 cycles of
// products and reads shared memory for 768.
#include "attention_hopper.cuh"

using namespace attention;

#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)

// Pass is what both passes know of the tensors.
struct Pass {
  Segments rows, columns;
  int row_heads, column_heads;
  const TensorMap *a0, *a1, *b0, *b1;
};

template <int D, bool KEYS>
__device__ void gradient(const Pass& pass, const Stats* stats, bf16* d0, bf16* d1, int ld, int units, int section,
                         Band band, float scale) {
  constexpr int kGroups = 2, kRows = 64 * kGroups, kCols = kBoundsTokens, kStages = 4, N = kCols / 8;
  constexpr int kRowBytes = 2 * D, kOwn = 64 * kRowBytes, kTile = kCols * kRowBytes;
  constexpr int kStage = 2 * kTile + (KEYS ? kAtomBytes : 0), kSumsK = KEYS ? D / 8 : 1;  // dv's of the pass of keys
  DYNAMIC_SHARED(char, memory);
  char* a0 = align_panels(memory);
  char* a1 = a0 + kGroups * kOwn;
  char* ring = a1 + kGroups * kOwn;  // B0, B1, Stats

  __shared__ Place place;
  __shared__ Barrier full_rows, full[kStages], empty[kStages];
  Walk<kRows, kCols> walk{band, pass.rows, pass.columns, place};
  if (threadIdx.x == 0) {
    place = attention::place(pass.rows, kRows, pass.row_heads, pass.column_heads, units, section, !KEYS);
    barrier_init(&full_rows, 1);
    for (int i = 0; i < kStages; i++) {
      barrier_init(&full[i], 1);
      barrier_init(&empty[i], 4 * kGroups);
    }
    barrier_init_fence();
  }
  __syncthreads();

  if (threadIdx.x < kWarpgroup) {
    give_registers<24>();
    if (threadIdx.x >= WARP) return;
    bool works = threadIdx.x == 0;
    if (works) {
      map_acquire(pass.a0);
      map_acquire(pass.a1);
      map_acquire(pass.b0);
      map_acquire(pass.b1);
      barrier_expect(&full_rows, 2 * kGroups * kOwn);
#pragma unroll 1
      for (int g = 0; g < kGroups; g++) {
        copy_tile<D, 64, 64>(a0 + g * kOwn, pass.a0, &full_rows, place.row_head, place.row + 64 * g, place.sequence);
        copy_tile<D, 64, 64>(a1 + g * kOwn, pass.a1, &full_rows, place.row_head, place.row + 64 * g, place.sequence);
      }
    }
    Slot<kStages> slot;
#pragma unroll 1
    for (int head = place.col_head; head < place.col_end; head++) {
#pragma unroll 1
      for (int tile = walk.first(); tile < walk.end(); tile = walk.next(tile + 1)) {
        if (works) {
          char* pair = ring + slot.at() * kStage;
          Barrier* there = &full[slot.at()];
          barrier_wait(&empty[slot.at()], slot.parity() ^ 1);
          barrier_expect(there, 2 * kTile + (KEYS ? sizeof(Stats) : 0));
          copy_tile<D, kCols, kCols>(pair, pass.b0, there, head, tile * kCols, place.sequence);
          copy_tile<D, kCols, kCols>(pair + kTile, pass.b1, there, head, tile * kCols, place.sequence);
          if (KEYS) {
            int groups = cdiv(pass.columns.tokens, kCols);
            copy_bytes(pair + 2 * kTile, stats + (place.sequence * pass.column_heads + head) * groups + tile,
                       sizeof(Stats), there);
          }
        }
        slot = slot.next();
      }
    }
    return;
  }

  take_registers<240>();
  // Computed again at each use: accumulators need the registers.
  auto group = [] { return opaque(threadIdx.x) / kWarpgroup - 1; };
  auto own_row = [] { return (opaque(threadIdx.x) / WARP - 4) * 16; };  // of the warp, in the block's tile
  float sum0[1][D / 8][4], sum1[1][kSumsK][4];
  clear(sum0);
  clear(sum1);
  float row_lse[2], row_delta[2];
  if (!KEYS) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int groups = cdiv(pass.rows.tokens, kBoundsTokens), row = place.row + own_row() + threadIdx.x % WARP / 4 + 8 * h;
      bool there = row < groups * kBoundsTokens;
      const Stats& s = stats[place.unit * groups + (there ? row / kBoundsTokens : 0)];
      row_lse[h] = there ? s.lse[row % kBoundsTokens] : INFINITY;
      row_delta[h] = there ? s.delta[row % kBoundsTokens] : 0;
    }
  }
  barrier_wait(&full_rows, 0);
  Slot<kStages> slot;
#pragma unroll 1
  for (int head = place.col_head; head < place.col_end; head++) {
#pragma unroll 1
    for (int tile = walk.first(); tile < walk.end(); tile = walk.next(tile + 1), slot = slot.next()) {
      barrier_wait(&full[slot.at()], slot.parity());
      if (!walk.some(64 * group(), 64, tile)) {
        release(&empty[slot.at()]);
        continue;
      }
      const char* b0 = ring + slot.at() * kStage;
      const char* b1 = b0 + kTile;
      const float* of_columns = reinterpret_cast<const float*>(b1 + kTile) + opaque(threadIdx.x) % 4 * 2;
      float s[1][N][4], dp[1][N][4];
      unsigned p[1][N / 2][4], ds[1][N / 2][4];
      wgmma_fence();
      products_of_rows<D, kCols>(s[0], a0 + group() * kOwn, b0);
      wgmma_commit();
      wgmma_fence();
      products_of_rows<D, kCols>(dp[0], a1 + group() * kOwn, b1);
      wgmma_commit();
      wgmma_wait<1>();
      hold(s[0]);
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          float lse = KEYS ? of_columns[8 * n + e % 2] : row_lse[e / 2];
          s[0][n][e] = fast_exp2(s[0][n][e] * (scale * kLog2E) - lse);
        }
      }
      if (!walk.whole(tile)) hide(s[0], 0, walk, own_row(), tile * kCols);
      if constexpr (KEYS) {
        round_pairs(p, s);
        hold(p[0]);
        hold(sum1[0]);
        wgmma_fence();
        products_of_columns<D, kCols>(sum1[0], p[0], b1);
        wgmma_commit();
        wgmma_wait<1>();
      } else {
        wgmma_wait<0>();
      }
      hold(dp[0]);
#pragma unroll
      for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          float delta = KEYS ? of_columns[kBoundsTokens + 8 * n + e % 2] : row_delta[e / 2];
          s[0][n][e] *= dp[0][n][e] - delta;
        }
      }
      round_pairs(ds, s);
      hold(ds[0]);
      hold(sum0[0]);
      wgmma_fence();
      products_of_columns<D, kCols>(sum0[0], ds[0], b0);
      wgmma_commit();
      wgmma_wait<0>();
      hold(sum0[0]);
      if constexpr (KEYS) hold(sum1[0]);
      __syncwarp();  // all lanes have read the statistics
      release(&empty[slot.at()]);
    }
  }

  float scales[1][2] = {{scale, scale}}, ones[1][2] = {{1, 1}};
  group_sync(1 + group());  // all of it have read their rows
  size_t at = (place.sequence * pass.rows.tokens + place.row + 64 * group()) * (size_t)ld + place.row_head * D;
  int present = pass.rows.tokens - place.row - 64 * group(), row = own_row() % 64;
  store_rows<D>(d0 + at, ld, present, sum0, scales, reinterpret_cast<bf16*>(a0 + group() * kOwn), row);
  if constexpr (KEYS) {
    store_rows<D>(d1 + at, ld, present, sum1, ones, reinterpret_cast<bf16*>(a1 + group() * kOwn), row);
  }
}

// ld is the row stride of the gradients; units is the number of heads of rows of all sequences.
template <int D>
__device__ void keys(const TensorMap* maps, const Stats* stats, const int* qsegments, const int* ksegments,
                     const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int ld, int T, int S, int heads,
                     int kv_heads, int units, int section, int lo, int hi, float scale) {
  Pass pass{{ksegments, kbounds, S}, {qsegments, qbounds, T}, kv_heads, heads, maps + 1, maps + 2, maps, maps + 3};
  gradient<D, true>(pass, stats, dk, dv, ld, units, section, Band{lo, hi, S}.transposed(T), scale);
}

template <int D>
__device__ void queries(const TensorMap* maps, const Stats* stats, const int* qsegments, const int* ksegments,
                        const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int ld, int T, int S, int heads,
                        int kv_heads, int units, int section, int lo, int hi, float scale) {
  Pass pass{{qsegments, qbounds, T}, {ksegments, kbounds, S}, heads, kv_heads, maps, maps + 3, maps + 1, maps + 2};
  gradient<D, false>(pass, stats, dq, nullptr, ld, units, section, Band{lo, hi, S}, scale);
}

#endif

#define INPUTS maps, stats, qsegments, ksegments, qbounds, kbounds
#define SHAPE ld, T, S, heads, kv_heads, units, section, lo, hi, scale

KERNEL(attention_hopper_keys_d64_bf16, 384)
(const hopper::TensorMap* maps, const Stats* stats, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* dk, bf16* dv, int ld, int T, int S, int heads, int kv_heads, int units, int section,
 int lo, int hi, float scale) {
  ON_HOPPER(keys<64>(INPUTS, dk, dv, SHAPE);)
}
EXPORT(attention_hopper_keys_d64_bf16)

KERNEL(attention_hopper_queries_d64_bf16, 384)
(const hopper::TensorMap* maps, const Stats* stats, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* dq, int ld, int T, int S, int heads, int kv_heads, int units, int section, int lo, int hi,
 float scale) {
  ON_HOPPER(queries<64>(INPUTS, dq, SHAPE);)
}
EXPORT(attention_hopper_queries_d64_bf16)

KERNEL(attention_hopper_keys_d128_bf16, 384)
(const hopper::TensorMap* maps, const Stats* stats, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* dk, bf16* dv, int ld, int T, int S, int heads, int kv_heads, int units, int section,
 int lo, int hi, float scale) {
  ON_HOPPER(keys<128>(INPUTS, dk, dv, SHAPE);)
}
EXPORT(attention_hopper_keys_d128_bf16)

KERNEL(attention_hopper_queries_d128_bf16, 384)
(const hopper::TensorMap* maps, const Stats* stats, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* dq, int ld, int T, int S, int heads, int kv_heads, int units, int section, int lo, int hi,
 float scale) {
  ON_HOPPER(queries<128>(INPUTS, dq, SHAPE);)
}
EXPORT(attention_hopper_queries_d128_bf16)
