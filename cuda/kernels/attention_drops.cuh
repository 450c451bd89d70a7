// Dropped weights of attention (ir.Attention): of a query, that of key s in head h has a word of Philox by the key
// seed + 0x9E3779B97F4A7C15·(h·2³² + s + 1), at the query's row of the run: four queries that follow each other share a
// block of words. All kernels, forward and backward, drop the same weights.
#pragma once
#include "attention.cuh"
#include "philox.cuh"

namespace attention {

// Drops tells which weights are dropped, and scales the others.
struct Drops {
  unsigned long long seed, row;  // of the run, and the run's row of query 0 of the first sequence
  unsigned least, site;          // words below it drop
  float scale;                   // 1/(1-p)

  // rng holds seed low, seed high, row low and row high.
  __device__ Drops(const int* rng, int threshold, float scale, int site)
      : seed((unsigned)rng[0] | (unsigned long long)(unsigned)rng[1] << 32),
        row((unsigned)rng[2] | (unsigned long long)(unsigned)rng[3] << 32),
        least((unsigned)threshold),
        site((unsigned)site),
        scale(scale) {}

  // four says in bits 0 to 3 which of four queries keep the weight of a key.
  __device__ unsigned four(int head, int key, unsigned long long block) const {
    unsigned long long own = seed + 0x9E3779B97F4A7C15ull * (((unsigned long long)head << 32) + key + 1);
    unsigned words[4];
    Philox{{(unsigned)own, (unsigned)(own >> 32)}, site}.block(block, words);
    return (words[0] >= least) | (words[1] >= least) << 1 | (words[2] >= least) << 2 | (words[3] >= least) << 3;
  }

  // factor is that of a weight; queries are counted over all sequences.
  __device__ float factor(int head, int query, int key) const {
    unsigned long long at = row + query;
    return four(head, key, at / 4) >> (at % 4) & 1 ? scale : 0;
  }

  // fragment says in bits 0 to 3 which elements of a lane's accumulator of 16 rows and 8 columns are kept, from a query
  // and a key on. A lane draws a block of words, two where a block begins between the queries.
  template <bool ROWS_ARE_KEYS>
  __device__ unsigned fragment(int head, int query, int key) const {
    constexpr int kKeys = ROWS_ARE_KEYS ? 16 : 8, kBlocks = 32 / kKeys;
    int lane = opaque(threadIdx.x) & 31;
    unsigned long long first = row + query;
    int skew = first % 4;
    unsigned drawn = four(head, key + lane % kKeys, first / 4 + lane / kKeys), kept = 0;
    if (skew) drawn |= four(head, key + lane % kKeys, first / 4 + kBlocks) << 4;
#pragma unroll
    for (int e = 0; e < 4; e++) {
      int r = lane / 4 + e / 2 * 8, c = lane % 4 * 2 + e % 2, i = skew + (ROWS_ARE_KEYS ? c : r);
      unsigned bits = __shfl_sync(FULL_WARP, drawn, (ROWS_ARE_KEYS ? r : c) + i / 4 % kBlocks * kKeys);
      kept |= (bits >> (i / 4 / kBlocks * 4 + i % 4) & 1) << e;
    }
    return kept;
  }

  // fragments does so for a warp's accumulators c[M][N]: bits 4n to 4n + 3 of kept[m].
  template <bool ROWS_ARE_KEYS, int M, int N>
  __device__ void fragments(unsigned (&kept)[M], int head, int query, int key) const {
    static_assert(N <= 8, "four bits of a word each");
#pragma unroll
    for (int m = 0; m < M; m++) {
      kept[m] = 0;
#pragma unroll 1
      for (int n = 0; n < N; n++) {
        kept[m] |= fragment<ROWS_ARE_KEYS>(head, query + (ROWS_ARE_KEYS ? 8 * n : 16 * m),
                                           key + (ROWS_ARE_KEYS ? 16 * m : 8 * n)) << 4 * n;
      }
    }
  }
};

// drop clears what is not kept of fragments that round_pairs made.
template <int M, int N>
__device__ inline void drop(unsigned (&p)[M][N][4], const unsigned (&kept)[M]) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int i = 0; i < 4 * N; i++) {
      unsigned two = kept[m] >> (i / 2 * 4 + i % 2 * 2);
      p[m][i / 4][i % 4] &= (two & 1 ? 0xffffu : 0) | (two & 2 ? 0xffff0000u : 0);
    }
  }
}

// drop clears what is not kept of accumulators, and scales the rest.
template <int M, int N>
__device__ inline void drop(float (&c)[M][N][4], const unsigned (&kept)[M], float scale) {
#pragma unroll
  for (int m = 0; m < M; m++) {
#pragma unroll
    for (int i = 0; i < 4 * N; i++) c[m][i / 4][i % 4] = kept[m] >> i & 1 ? c[m][i / 4][i % 4] * scale : 0;
  }
}

// Dropping is the view (All) of kernels on tensor cores that drop weights.
struct Dropping : All {
  Drops drops;

  __device__ explicit Dropping(Drops drops) : drops(drops) {}
};

// kDrops says whether a view is one.
template <class View>
constexpr bool kDrops = false;
template <>
constexpr bool kDrops<Dropping> = true;

}  // namespace attention
