// Tiles of bf16 in shared memory and the two products of attention on tensor cores.
//
// A tile holds tokens × D elements without padding. The 16-byte chunk c of row r lies at chunk c ^ f(r) of the row,
// f(r) = r mod 8 for rows of 128 or 256 bytes and (r / 2) mod 4 for rows of 64 or 192 bytes: the eight rows that a
// phase of ldmatrix reads at one chunk lie in different banks, and so do the chunks of a row that cp.async writes.
//
// Fragments of mma.m16n8k16 (g = lane / 4, t = lane mod 4): an accumulator c holds (row g, columns 2t, 2t + 1) and
// (row g + 8, …). Two neighbouring accumulators, rounded, are the first operand of the next product as they are, so
// probabilities never leave the registers (Dao 2023).
#pragma once
#include "attention.cuh"

namespace attention {

// chunk_at returns the offset in elements of 16-byte chunk c of row r.
template <int D>
__device__ inline int chunk_at(int r, int c) {
  static_assert(D % 32 == 0, "rows are multiples of 64 bytes");
  return D % 64 == 0 ? r * D + (c ^ (r & 7)) * 8 : r * D + (c ^ (r >> 1 & 3)) * 8;
}

// chunk_after returns chunk_at<D>(r, c + l), c even, given at = chunk_at<D>(r, l) with l = 0 or 1.
template <int D>
__device__ inline int chunk_after(int at, int c) {
  return D % 64 == 0 ? at ^ c * 8 : (at ^ (c & 3) * 8) + (c & ~3) * 8;
}

// load_tile starts the copy of TOKENS rows; those from valid on become zeros.
template <int D, int TOKENS, int THREADS>
__device__ inline void load_tile(bf16* tile, const bf16* source, int ld, int valid) {
  constexpr int kLanes = D <= 32 ? 4 : D <= 64 ? 8 : D <= 128 ? 16 : 32;  // a row
  constexpr int kStep = THREADS / kLanes;  // rows a turn
  int thread = opaque(threadIdx.x), r = thread / kLanes, c = thread % kLanes;
  if (c >= D / 8) return;
  source += (size_t)r * ld + c * 8;
#pragma unroll
  for (int i = 0; i < TOKENS / kStep; i++) {
    cp_async16(tile + chunk_at<D>(r + i * kStep, c), source, r + i * kStep < valid);
    source += (size_t)kStep * ld;
  }
}

// multiply_rows: c(16·M, 8·N) += A·Bᵀ over D, the rows of A from a_row and those of B from b_row on.
template <int D, int M, int N>
__device__ inline void multiply_rows(float (&c)[M][N][4], const bf16* a, int a_row, const bf16* b, int b_row) {
  int lane = opaque(threadIdx.x) & 31;
  int a_at = chunk_at<D>(a_row + (lane & 15), lane >> 4);
  int b_at = chunk_at<D>(b_row + (lane & 7) + (lane >> 4) * 8, lane >> 3 & 1);
#pragma unroll
  for (int k = 0; k < D / 16; k++) {
    unsigned fa[M][4];
#pragma unroll
    for (int m = 0; m < M; m++) ldmatrix_x4(fa[m], a + chunk_after<D>(a_at, 2 * k) + 16 * m * D);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      unsigned fb[4];
      ldmatrix_x4(fb, b + chunk_after<D>(b_at, 2 * k) + 8 * n * D);
#pragma unroll
      for (int m = 0; m < M; m++) {
        mma_m16n8k16(c[m][n], fa[m], fb);
        mma_m16n8k16(c[m][n + 1], fa[m], fb + 2);
      }
    }
  }
}

// hide sets the elements of columns from column on that rows from row on of the place's tile do not see.
template <int M, int N, class Walk>
__device__ inline void hide(float (&c)[M][N][4], float value, const Walk& walk, int row, int column) {
  int lane = opaque(threadIdx.x) & 31, g = lane >> 2, t = lane & 3, sequence = walk.place.sequence;
  row += walk.place.row + g;
  Row mine[M][2];
#pragma unroll
  for (int m = 0; m < M; m++) {
    mine[m][0] = Row(walk.rows, sequence, row + 16 * m);
    mine[m][1] = Row(walk.rows, sequence, row + 16 * m + 8);
  }
#pragma unroll
  for (int n = 0; n < N; n++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      Column of(walk.band, walk.columns, sequence, column + 8 * n + 2 * t + e);
#pragma unroll
      for (int m = 0; m < M; m++) {
        if (!of.seen_by(mine[m][0], walk.band)) c[m][n][e] = value;
        if (!of.seen_by(mine[m][1], walk.band)) c[m][n][2 + e] = value;
      }
    }
  }
}

// multiply_columns: c(16·M, 8·C) += P·B, where P(16·M, 16·N) comes from round_pairs, the rows of B start at b_row and
// its columns at 8·chunk, chunk even.
template <int D, int M, int N, int C>
__device__ inline void multiply_columns(float (&c)[M][C][4], const unsigned (&p)[M][N][4], const bf16* b, int b_row,
                                        int chunk = 0) {
  int lane = opaque(threadIdx.x) & 31;
  int b_at = chunk_at<D>(b_row + (lane & 15), chunk + (lane >> 4));
#pragma unroll
  for (int n = 0; n < N; n++) {
#pragma unroll
    for (int d = 0; d < C; d += 2) {
      unsigned fb[4];
      ldmatrix_x4_trans(fb, b + chunk_after<D>(b_at, d) + 16 * n * D);
#pragma unroll
      for (int m = 0; m < M; m++) {
        mma_m16n8k16(c[m][d], p[m][n], fb);
        mma_m16n8k16(c[m][d + 1], p[m][n], fb + 2);
      }
    }
  }
}

// round_pairs makes accumulators first operands: pairs of neighbours, rows g and g + 8 of the first 8 columns, then of
// the next 8.
template <int M, int N>
__device__ inline void round_pairs(unsigned (&p)[M][N / 2][4], const float (&c)[M][N][4]) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) {
      p[m][n / 2][n % 2 * 2] = pack_bf16(c[m][n][0], c[m][n][1]);
      p[m][n / 2][n % 2 * 2 + 1] = pack_bf16(c[m][n][2], c[m][n][3]);
    }
  }
}

// store_rows writes the 16·M rows of a warp, factor[m][0] or [1] times the accumulators, to columns 8·chunk and on,
// through its part of a tile, which nobody else may be reading, so that the stores are of 16 bytes. Rows from valid on
// are left out.
template <int D, int M, int C>
__device__ inline void store_rows(bf16* target, int ld, int valid, const float (&c)[M][C][4],
                                  const float (&factor)[M][2], bf16* tile, int row, int chunk = 0) {
  int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  __syncwarp();
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int r = row + 16 * m + 8 * h + g;
#pragma unroll
      for (int d = 0; d < C; d++) {
        unsigned pair = pack_bf16(c[m][d][2 * h] * factor[m][h], c[m][d][2 * h + 1] * factor[m][h]);
        *reinterpret_cast<unsigned*>(tile + chunk_at<D>(r, chunk + d) + 2 * t) = pair;
      }
    }
  }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < 16 * M * C / 32; i++) {
    int at = i * 32 + lane, r = row + at / C, column = chunk + at % C;
    if (r < valid) {
      *reinterpret_cast<uint4*>(target + (size_t)r * ld + column * 8) =
          *reinterpret_cast<const uint4*>(tile + chunk_at<D>(r, column));
    }
  }
}

template <int M, int N>
__device__ inline void clear(float (&c)[M][N][4]) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int n = 0; n < N; n++) c[m][n][0] = c[m][n][1] = c[m][n][2] = c[m][n][3] = 0;
  }
}

// quad_sum and quad_max combine the four lanes that share a row of an accumulator.
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

}  // namespace attention
