// attention_hopper: attention on sm_90a, bf16, head sizes 64 and 128; the same function as attention.cu.
//
// FlashAttention-3 (Shah et al. 2024): a block owns 64 rows a warpgroup of one head and walks over tiles of 128 keys. The
// first warpgroup copies: queries once, keys and values through rings of two, by tensor maps. Each of the others computes
// scores of the next tile and the weighted sum of this one in flight at a time, and its softmax while its own second
// product and those of the other warpgroups run. Probabilities stay in registers.
//
//   head size   warpgroups × rows   columns   shared memory   registers
//   64          3 × 64              128       88 KB           160 each, 32 of the copying warpgroup
//   128         2 × 64              128       160 KB          240 each, 24 of it
//
// maps: those of q, k and v, of four dimensions (D, heads, tokens, sequences), in boxes of 64 columns and 64 tokens, so that
// tokens beyond the last are zeros. Everything else is as in attention.cu.
//
// Bound: 4·T·S·D FLOP a head; wgmma reads 6 KB of shared memory for 64 cycles of the first product, 4 KB for 64 of the
// second, where 8 KB could be read, so that the tensor cores and the exponentials are the limit.
#include "attention_hopper.cuh"

using namespace attention;

#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)

// exponentials turns scores into exponentials relative to the largest so far, and returns in factor what makes earlier sums
// relative to it.
template <int N>
__device__ inline void exponentials(float (&s)[N][4], float (&top)[2], float (&sum)[2], float (&factor)[2],
                                    float scale) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float before = top[h], now = before;
#pragma unroll
    for (int n = 0; n < N; n++) now = fmaxf(now, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
    top[h] = now = quad_max(now);
    float base = now == -INFINITY ? 0 : now * scale;  // no score yet: exp2(-inf - 0) is 0 all the same
    factor[h] = fast_exp2(before * scale - base);
    float added = 0;
#pragma unroll
    for (int n = 0; n < N; n++) {
      s[n][2 * h] = fast_exp2(s[n][2 * h] * scale - base);
      s[n][2 * h + 1] = fast_exp2(s[n][2 * h + 1] * scale - base);
      added += s[n][2 * h] + s[n][2 * h + 1];
    }
    sum[h] = sum[h] * factor[h] + added;
  }
}

template <int D, int GROUPS, int TAKEN, int GIVEN>
__device__ void flash(const TensorMap* maps, const int* qsegments, const int* ksegments, const Bounds* qbounds,
                      const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int units,
                      int section, int lo, int hi, float scale) {
  constexpr int kRows = 64 * GROUPS, kCols = 128, kStages = 2, N = kCols / 8;
  constexpr int kRowBytes = 2 * D, kTile = kCols * kRowBytes;
  DYNAMIC_SHARED(char, memory);
  char* queries = align_panels(memory);
  char* keys = queries + kRows * kRowBytes;
  char* values = keys + kStages * kTile;

  __shared__ Place place;
  __shared__ Barrier full_queries, full_keys[kStages], full_values[kStages], empty_keys[kStages], empty_values[kStages];
  Segments row_segments{qsegments, qbounds, T}, col_segments{ksegments, kbounds, S};
  WideWalk<kRows, kCols> walk{{{lo, hi, S}, row_segments, col_segments, place}};
  if (threadIdx.x == 0) {
    place = attention::place(row_segments, kRows, heads, kv_heads, units, section, true);
    barrier_init(&full_queries, 1);
    for (int i = 0; i < kStages; i++) {
      barrier_init(&full_keys[i], 1);
      barrier_init(&full_values[i], 1);
      barrier_init(&empty_keys[i], 4 * GROUPS);
      barrier_init(&empty_values[i], 4 * GROUPS);
    }
    barrier_init_fence();
  }
  __syncthreads();

  if (threadIdx.x < kWarpgroup) {
    give_registers<GIVEN>();
    if (threadIdx.x >= WARP) return;
    bool works = threadIdx.x == 0;
    if (works) {
      for (int i = 0; i < 3; i++) map_acquire(maps + i);
      barrier_expect(&full_queries, kRows * kRowBytes);
#pragma unroll 1
      for (int g = 0; g < GROUPS; g++) {
        copy_tile<D, 64, 64>(queries + g * 64 * kRowBytes, maps, &full_queries, place.row_head, place.row + 64 * g,
                             place.sequence);
      }
    }
    Slot<kStages> slot;
#pragma unroll 1
    for (int tile = walk.first(); tile < walk.end(); tile = walk.next(tile + 1)) {
      if (works) {
        barrier_wait(&empty_keys[slot.at()], slot.parity() ^ 1);
        barrier_expect(&full_keys[slot.at()], kTile);
        copy_tile<D, kCols, kCols>(keys + slot.at() * kTile, maps + 1, &full_keys[slot.at()], place.col_head, tile * kCols,
                                   place.sequence);
        barrier_wait(&empty_values[slot.at()], slot.parity() ^ 1);
        barrier_expect(&full_values[slot.at()], kTile);
        copy_tile<D, kCols, kCols>(values + slot.at() * kTile, maps + 2, &full_values[slot.at()], place.col_head,
                                   tile * kCols, place.sequence);
      }
      slot = slot.next();
    }
    return;
  }

  take_registers<TAKEN>();
  // Computed again at each use: accumulators need the registers.
  auto group = [] { return opaque(threadIdx.x) / kWarpgroup - 1; };
  auto own_row = [] { return (opaque(threadIdx.x) / WARP - 4) * 16; };  // of the warp, in the block's tile
  auto own = [&] { return queries + group() * 64 * kRowBytes; };
  float out[1][D / 8][4], s[1][N][4], top[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0}, factor[2];
  unsigned p[1][N / 2][4];
  clear(out);
  barrier_wait(&full_queries, 0);
  Slot<kStages> slot;
  int tile = walk.first();
  if (tile < walk.end()) {
    barrier_wait(&full_keys[0], 0);
    wgmma_fence();
    products_of_rows<D, kCols>(s[0], own(), keys);
    wgmma_commit();
    wgmma_wait<0>();
    hold(s[0]);
    release(&empty_keys[0]);
    if (!walk.whole(tile)) hide(s[0], -INFINITY, walk, own_row(), tile * kCols);
    exponentials(s[0], top, sum, factor, scale);
    round_pairs(p, s);
    for (;;) {
      tile = walk.next(tile + 1);
      if (tile >= walk.end()) break;
      Slot<kStages> after = slot.next();
      barrier_wait(&full_keys[after.at()], after.parity());
      hold(s[0]);
      wgmma_fence();
      products_of_rows<D, kCols>(s[0], own(), keys + after.at() * kTile);
      wgmma_commit();
      barrier_wait(&full_values[slot.at()], slot.parity());
      hold(out[0]);
      hold(p[0]);
      wgmma_fence();
      products_of_columns<D, kCols>(out[0], p[0], values + slot.at() * kTile);
      wgmma_commit();
      wgmma_wait<1>();
      hold(s[0]);
      release(&empty_keys[after.at()]);
      if (!walk.whole(tile)) hide(s[0], -INFINITY, walk, own_row(), tile * kCols);
      exponentials(s[0], top, sum, factor, scale);
      wgmma_wait<0>();
      hold(out[0]);
      release(&empty_values[slot.at()]);
#pragma unroll
      for (int d = 0; d < D / 8; d++) {
#pragma unroll
        for (int e = 0; e < 4; e++) out[0][d][e] *= factor[e / 2];
      }
      round_pairs(p, s);
      slot = after;
    }
    barrier_wait(&full_values[slot.at()], slot.parity());
    hold(out[0]);
    hold(p[0]);
    wgmma_fence();
    products_of_columns<D, kCols>(out[0], p[0], values + slot.at() * kTile);
    wgmma_commit();
    wgmma_wait<0>();
    hold(out[0]);
  }

  float inverse[1][2];
  int lane = threadIdx.x % WARP;
#pragma unroll
  for (int h = 0; h < 2; h++) {
    float total = quad_sum(sum[h]);
    inverse[0][h] = total > 0 ? 1 / total : 0;
    int row = place.row + own_row() + 8 * h + lane / 4;
    if (lane % 4 == 0 && row < T) lse[place.unit * T + row] = top[h] * scale * kLn2 + logf(total);
  }
  group_sync(1 + group());  // all of it have read its queries
  size_t first = place.sequence * T + place.row + 64 * group();
  store_rows<D>(y + (first * heads + place.row_head) * D, heads * D, T - place.row - 64 * group(), out, inverse,
                reinterpret_cast<bf16*>(own()), own_row() % 64);
}

#endif

#define ARGUMENTS \
  maps, qsegments, ksegments, qbounds, kbounds, y, lse, T, S, heads, kv_heads, units, section, lo, hi, scale * kLog2E

KERNEL(attention_hopper_d64_bf16, 384)
(const hopper::TensorMap* maps, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int units, int section, int lo,
 int hi, float scale) {
  ON_HOPPER(flash<64, 2, 240, 24>(ARGUMENTS);)
}
EXPORT(attention_hopper_d64_bf16)

KERNEL(attention_hopper_d128_bf16, 384)
(const hopper::TensorMap* maps, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int units, int section, int lo,
 int hi, float scale) {
  ON_HOPPER(flash<128, 2, 240, 24>(ARGUMENTS);)
}
EXPORT(attention_hopper_d128_bf16)
