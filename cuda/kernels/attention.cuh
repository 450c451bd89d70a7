// What the attention kernels share: who sees whom, and which tile a block works on.
//
// A kernel has rows, one tile of them a block, and columns, which it walks over tile by tile: queries and keys in the
// forward pass and for dQ, keys and queries for dK and dV. Row i may see column j when
//
//   i + lo ≤ j < i + hi,  0 ≤ j < columns  and  row segment i = column segment j ≥ 0 (or there are no segments).
//
// The causal mask, the sliding window and the shift S - T are all in lo and hi.
#pragma once
#include "mma.cuh"

namespace attention {

// Tokens of one pair of segment bounds; tiles of columns divide it.
constexpr int kBoundsTokens = 64;

constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

// Band is the range of columns that a row may see, segments aside.
struct Band {
  int lo, hi, columns;

  __device__ int begin(int row) const { return max(0, row + lo); }
  __device__ int end(int row) const { return min(columns, row + hi); }

  // The same pairs seen from the columns.
  __device__ Band transposed(int rows) const { return {1 - hi, 1 - lo, rows}; }
};

// Bounds are the smallest and the largest segment of some tokens.
struct alignas(8) Bounds {
  int min, max;

  __device__ bool meets(Bounds b) const { return max >= b.min && b.max >= min && max >= 0 && b.max >= 0; }
  __device__ bool same(Bounds b) const { return min == max && b.min == b.max && min == b.min; }
};

// Segments of the tokens of one sequence; without a document mask ids is null. Offsets beside the kernel's arguments
// need fewer registers than pointers.
struct Segments {
  const int* ids;        // (B, tokens)
  const Bounds* bounds;  // (B, tokens / kBoundsTokens rounded up)
  int first, first_bounds;

  __device__ Segments(const int* ids, const Bounds* bounds, int sequence, int tokens)
      : ids(ids), bounds(bounds), first(sequence * tokens), first_bounds(sequence * cdiv(tokens, kBoundsTokens)) {}

  __device__ int id(int token) const { return ids[first + token]; }
  __device__ Bounds bounds_of(int token) const { return bounds[first_bounds + token / kBoundsTokens]; }

  // bounds_of returns the bounds of the tokens [begin, end): those of all groups of kBoundsTokens that they touch.
  __device__ Bounds bounds_of(int begin, int end) const {
    Bounds all = bounds_of(begin);
    for (int i = begin + kBoundsTokens - begin % kBoundsTokens; i < end; i += kBoundsTokens) {
      Bounds b = bounds_of(i);
      all = {min(all.min, b.min), max(all.max, b.max)};
    }
    return all;
  }
};

// Walk goes over the tiles of COLS columns that one of the rows [row, last] may see. All lanes of a warp take part.
template <int COLS>
struct Walk {
  Segments columns;
  Bounds rows;                 // of the rows' segments
  int begin, end;              // the tiles that some row may see
  int whole_begin, whole_end;  // those that all rows see whole, segments aside

  __device__ Walk(Band band, Segments row_segments, Segments col_segments, int row, int last)
      : columns(col_segments), rows{0, 0}, begin(band.begin(row) / COLS), end(cdiv(band.end(last), COLS)),
        whole_begin(cdiv(band.begin(last), COLS)), whole_end(band.end(row) / COLS) {
    if (columns.ids) rows = row_segments.bounds_of(row, last + 1);
  }

  __device__ int first() const { return next(begin); }

  // next returns the first visible tile from tile on, end or more when there is none.
  __device__ int next(int tile) const {
    if (!columns.ids) return tile;
    for (; tile < end; tile += 32) {
      int mine = tile + (threadIdx.x & 31);
      bool meets = mine < end && rows.meets(columns.bounds_of(mine * COLS));
      unsigned visible = __ballot_sync(~0u, meets);
      if (visible) return tile + __ffs(visible) - 1;
    }
    return end;
  }

  // whole says that all rows see all columns of the tile.
  __device__ bool whole(int tile) const {
    return whole_begin <= tile && tile < whole_end && (!columns.ids || rows.same(columns.bounds_of(tile * COLS)));
  }
};

// Row holds what decides which columns one row sees.
struct Row {
  int begin, end, segment;

  __device__ Row() {}
  __device__ Row(Band band, Segments segments, int row, int rows)
      : begin(band.begin(row)), end(band.end(row)), segment(0) {
    if (!segments.ids) return;
    segment = row < rows ? segments.id(row) : -1;
    if (segment < 0) end = 0;  // padding sees nothing
  }

  __device__ bool sees(int column, Segments columns) const {
    return begin <= column && column < end && (!columns.ids || columns.id(column) == segment);
  }
};

// Work is the tile of rows and the unit (a head of a sequence) of a block. Blocks start in the order of their index:
// the heaviest tiles of one section of units first, so that the keys and values of a section stay in the L2 cache and
// the last blocks are short.
struct Work {
  int unit, tile;

  __device__ Work(int units, int section, int tiles, bool heavy_last) {
    int begin = blockIdx.x / (section * tiles) * section;
    int at = blockIdx.x - begin * tiles;
    int width = min(section, units - begin);
    unit = begin + at % width;
    tile = heavy_last ? tiles - 1 - at / width : at / width;
  }
};

}  // namespace attention
