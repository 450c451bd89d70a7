// What the attention kernels for sm_90a share: tiles that come by tensor maps, the ring that one warp fills and the
// warpgroups of the block empty, and the walk over tiles wider than the bounds of segments.
//
// A block is a warpgroup that copies, of which one lane works, and warpgroups that compute, each 64 rows of the tile. All
// tiles are panels (hopper.cuh): of D columns, D/64 of them, one after the other.
#pragma once
#include "attention_mma.cuh"
#include "hopper.cuh"

#if defined(CUDA_SIM) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
namespace attention {

using namespace hopper;

constexpr int kBoxRows = 64, kBoxBytes = kBoxRows * 128;  // of all tensor maps: a panel of 64 tokens of one head

// WideWalk is a Walk whose tiles have the bounds of COLS / kBoundsTokens groups of columns.
template <int ROWS, int COLS>
struct WideWalk : Walk<ROWS, COLS> {
  using Base = Walk<ROWS, COLS>;

  __device__ Bounds bounds_of(int tile) const {
    Bounds all = Base::columns.bounds_of(Base::place.sequence, tile * COLS);
    for (int i = kBoundsTokens; i < COLS && tile * COLS + i < Base::columns.tokens; i += kBoundsTokens) {
      Bounds b = Base::columns.bounds_of(Base::place.sequence, tile * COLS + i);
      all = {min(all.min, b.min), max(all.max, b.max)};
    }
    return all;
  }
  __device__ int first() const { return next(Base::band.begin(Base::place.row) / COLS); }
  __device__ int next(int tile) const {
    if (!Base::columns.ids) return tile;
    int end = Base::end();
    for (; tile < end; tile += 32) {
      int mine = tile + (threadIdx.x & 31);
      unsigned visible = __ballot_sync(FULL_WARP, mine < end && Base::place.bounds.meets(bounds_of(mine)));
      if (visible) return tile + __ffs(visible) - 1;
    }
    return end;
  }
  __device__ bool whole(int tile) const {
    int begin = tile * COLS;
    return Base::band.begin(Base::last_row()) <= begin && begin + COLS <= Base::band.end(Base::place.row) &&
           (!Base::columns.ids || Base::place.bounds.same(bounds_of(tile)));
  }
};

// copy_tile starts the copies of ROWS tokens of a head, rows apart as in a tile of TILE rows.
template <int D, int ROWS, int TILE>
__device__ inline void copy_tile(char* tile, const TensorMap* map, Barrier* full, int head, int token, int sequence) {
#pragma unroll
  for (int panel = 0; panel < D / kPanel; panel++) {
#pragma unroll
    for (int row = 0; row < ROWS; row += kBoxRows) {
      copy_box(tile + panel * TILE * 128 + row * 128, map, full, panel * kPanel, head, token + row, sequence);
    }
  }
}

// products_of_rows: c (64, N) = A·Bᵀ over D, of the 64 rows of tile a and the N of tile b.
template <int D, int N>
__device__ inline void products_of_rows(float (&c)[N / 8][4], const char* a, const char* b) {
  // Opaque, or the descriptors of a tile that stays would take registers, two each.
  unsigned long long of_a = k_major(a + opaque(0)), of_b = k_major(b);
#pragma unroll
  for (int k = 0; k < D / 16; k++) {
    unsigned long long step = k % 4 * 2;  // next_columns
    wgmma<N, false>(c, of_a + k / 4 * (64 * 128 / 16) + step, of_b + k / 4 * (N * 128 / 16) + step, k > 0);
  }
}

// products_of_columns: c (64, D) += P·B, where P (64, K) comes from round_pairs and b has K rows of D.
template <int D, int K>
__device__ inline void products_of_columns(float (&c)[D / 8][4], const unsigned (&p)[K / 16][4], const char* b) {
  unsigned long long of_b = mn_major(b, K * 128);
#pragma unroll
  for (int k = 0; k < K / 16; k++) {
    wgmma<D, true>(c, p[k], of_b, true);
    of_b = next_rows(of_b);
  }
}

// Slot is the n-th use of a ring of STAGES places: which, and the parity of the phases of its barriers.
template <int STAGES>
struct Slot {
  unsigned n = 0;

  __device__ unsigned at() const { return n % STAGES; }
  __device__ int parity() const { return n / STAGES % 2; }
  __device__ Slot next() const { return {n + 1}; }
};

// hide sets the scores of columns from column on that rows from row on of the place's tile do not see: hide of
// attention_mma.cuh, eight columns at a time, so that their segments take few registers.
template <int N, class Walk>
__device__ inline void hide(float (&s)[N][4], float value, const Walk& walk, int row, int column) {
#pragma unroll
  for (int n = 0; n < N; n++) {
    float(&eight)[1][1][4] = *reinterpret_cast<float(*)[1][1][4]>(&s[n]);
    hide(eight, value, walk, opaque(row), opaque(column) + 8 * n);
  }
}

// release says for a warp that it has read a slot.
__device__ inline void release(Barrier* empty) {
  if (threadIdx.x % WARP == 0) barrier_arrive(empty);
}

}  // namespace attention
#endif
