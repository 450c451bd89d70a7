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

// opaque returns x without the compiler's knowing, so that what is derived from it is computed again at every use of a
// loop instead of held in registers, of which the accumulators need all.
__device__ inline int opaque(int x) {
#ifdef __CUDA_ARCH__
  asm volatile("" : "+r"(x));
#endif
  return x;
}

// Segments of all tokens; without a document mask ids is null.
struct Segments {
  const int* ids;        // (B, tokens)
  const Bounds* bounds;  // (B, tokens / kBoundsTokens rounded up)
  int tokens;

  __device__ int id(int sequence, int token) const { return ids[sequence * tokens + token]; }
  __device__ Bounds bounds_of(int sequence, int token) const {
    return bounds[sequence * cdiv(tokens, kBoundsTokens) + token / kBoundsTokens];
  }
  // Those of a tile of some multiple of kBoundsTokens.
  __device__ Bounds bounds_of_tile(int sequence, int token, int rows) const {
    Bounds all = bounds_of(sequence, token);
    for (int i = kBoundsTokens; i < rows && token + i < tokens; i += kBoundsTokens) {
      Bounds b = bounds_of(sequence, token + i);
      all = {min(all.min, b.min), max(all.max, b.max)};
    }
    return all;
  }
};

// Side is the rows or the columns of a pass of the backward kernels: two tensors with the strides of their tokens. A
// head of theirs stands the head size behind the one before.
template <class T>
struct Side {
  const T *first, *second;
  int ld0, ld1, heads;
  Segments segments;
};

// Place is what a block works on. The kernels on tensor cores keep it in shared memory, where it needs no registers.
struct Place {
  int unit, sequence, row_head;  // unit = sequence·heads of rows + row_head
  int col_head, col_end;         // the heads of the columns
  int row;                       // the first of the tile
  Bounds bounds;                 // of the segments of the tile's rows
};

// place returns the place of block number index. Rows have row_heads heads of units in all, columns col_heads. Blocks
// start in the order of their number: the tiles of one section of units, from the last one down if last_first, so that
// what a section reads again and again stays in the L2 cache.
__device__ __forceinline__ Place place(Segments rows, int tile_rows, int row_heads, int col_heads, int units,
                                       int section, bool last_first, int index = blockIdx.x) {
  int tiles = cdiv(rows.tokens, tile_rows), begin = index / (section * tiles) * section;
  int at = index - begin * tiles, width = min(section, units - begin), tile = at / width;
  Place p;
  p.unit = begin + at % width;
  p.sequence = p.unit / row_heads;
  p.row_head = p.unit % row_heads;
  p.col_head = row_heads < col_heads ? p.row_head * (col_heads / row_heads) : p.row_head / (row_heads / col_heads);
  p.col_end = p.col_head + max(1, col_heads / row_heads);
  p.row = (last_first ? tiles - 1 - tile : tile) * tile_rows;
  p.bounds = rows.ids ? rows.bounds_of_tile(p.sequence, p.row, tile_rows) : Bounds{0, 0};
  return p;
}

// All is the view of kernels whose tiles of rows see all tiles of columns, as far as band and segments go. A view with
// kAll false tells by sees which do, by the first row and the first column.
struct All {
  static constexpr bool kAll = true;

  __device__ bool sees(int, int) const { return true; }
};

// Walk goes over the tiles of COLS columns that one of the ROWS rows of a place may see. All lanes of a warp take
// part.
template <int ROWS, int COLS, class View = All>
struct Walk {
  Band band;
  Segments rows, columns;
  const Place& place;
  View view{};

  __device__ int last_row() const { return min(place.row + ROWS, rows.tokens) - 1; }
  __device__ int end() const { return cdiv(band.end(last_row()), COLS); }
  __device__ int first() const { return next(band.begin(place.row) / COLS); }

  // next returns the first visible tile from tile on, end() or more when there is none.
  __device__ int next(int tile) const {
    if (View::kAll && !columns.ids) return tile;
    int end = this->end();
    for (; tile < end; tile += 32) {
      int mine = tile + (threadIdx.x & 31);
      bool meets = mine < end && view.sees(place.row, mine * COLS) &&
                   (!columns.ids || place.bounds.meets(columns.bounds_of(place.sequence, mine * COLS)));
      unsigned visible = __ballot_sync(FULL_WARP, meets);
      if (visible) return tile + __ffs(visible) - 1;
    }
    return end;
  }

  // some says that one of a warp's rows, n from row on of the tile, is in the band of the tile of columns.
  __device__ bool some(int row, int n, int tile) const {
    int begin = tile * COLS;
    row += place.row;
    return begin < band.end(row + n - 1) && band.begin(row) < begin + COLS;
  }

  // whole says that all rows see all columns of the tile.
  __device__ bool whole(int tile) const {
    int begin = tile * COLS;
    return band.begin(last_row()) <= begin && begin + COLS <= band.end(place.row) &&
           (!columns.ids || place.bounds.same(columns.bounds_of(place.sequence, begin)));
  }
};

// Row is a row of a tile that not all see whole.
struct Row {
  int at, segment;

  __device__ Row() {}
  __device__ Row(Segments segments, int sequence, int row) : at(row), segment(0) {
    if (!segments.ids) return;
    segment = row < segments.tokens ? segments.id(sequence, row) : -1;
    if (segment < 0) at = -(1 << 30);  // padding: no column is in the band of this row
  }
};

// Column is a column of such a tile.
struct Column {
  int at, segment;
  bool exists;

  __device__ Column(Band band, Segments segments, int sequence, int column)
      : at(column), segment(0), exists(column < band.columns) {
    if (segments.ids && exists) segment = segments.id(sequence, column);
  }

  __device__ bool seen_by(Row row, Band band) const {
    unsigned distance = (unsigned)at - (unsigned)row.at - (unsigned)band.lo;  // wraps: an unlimited band is 2^31 wide
    return distance < (unsigned)band.hi - (unsigned)band.lo && segment == row.segment && exists;
  }
};

// Stats are what the backward pass must know of kBoundsTokens queries of a head: the log-sum-exp in units of log 2,
// and Σ dy·y. Queries beyond the last have (+∞, 0), which makes their probabilities 0.
struct alignas(16) Stats {
  float lse[kBoundsTokens], delta[kBoundsTokens];
};

}  // namespace attention
