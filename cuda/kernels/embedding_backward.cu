// embedding_backward.cu: dtable[v] = addend[v] + Σ dy[n] over ids[n] = v, in the order of n; dy (N, D) T, dtable and
// addend (V, D) float32, which may be one.
//
// Atomic additions of floats would make the sums depend on timing. Instead the positions are sorted by id, and then
// every row of the table is added up by itself:
//
//   count, scatter   one pass of a radix sort over 8 bits of the ids: stable, so the positions of an id stay in order.
//                    A pair holds the id in its upper and n in its lower 32 bits; ⌈bits(V)/8⌉ passes.
//   bounds           starts[v], the first pair of id v, by binary search
//   tiles            the sums of those tiles of kTile consecutive pairs that have one id, all tiles in parallel
//   rows             dtable[v]: the pairs before the first such tile, the tiles, the pairs behind them
//
// So the work of a frequent id is shared, and the order of its additions depends on ids only.
// Bound: memory, N·D·sizeof(T) bytes of dy and V·D·4 of dtable (8 with an addend); the sort moves 32·N bytes a pass.
#include "row.cuh"

namespace {

constexpr int kBits = 8;
constexpr int kDigits = 1 << kBits;         // of a pass; also the threads of a block of count and scatter
constexpr int kWarps = kDigits / WARP;
constexpr int kWarpPairs = 8 * WARP;        // that a warp of scatter takes
constexpr int kChunk = kWarps * kWarpPairs;  // that a block of count or scatter takes
constexpr int kTile = 64;

__device__ __forceinline__ int id_of(long long pair) { return static_cast<int>(pair >> 32); }
__device__ __forceinline__ int position_of(long long pair) { return static_cast<int>(pair); }

// pair_at reads pair i, at the first pass, where pairs is null, from the ids. An id outside the vocabulary counts as 0.
__device__ __forceinline__ long long pair_at(const int* ids, const long long* pairs, int i, int vocab) {
  if (pairs != nullptr) {
    return pairs[i];
  }
  const int id = ids[i];
  return (static_cast<long long>(id < 0 || id >= vocab ? 0 : id) << 32) | i;
}

__device__ __forceinline__ int digit_of(long long pair, int shift) { return id_of(pair) >> shift & (kDigits - 1); }

// equal_lanes returns the lanes of the warp that are active and hold the same digit.
__device__ __forceinline__ unsigned equal_lanes(int digit, bool active) {
  unsigned lanes = __ballot_sync(FULL_WARP, active);
#pragma unroll
  for (int bit = 0; bit < kBits; bit++) {
    const bool set = (digit >> bit & 1) != 0;
    const unsigned same = __ballot_sync(FULL_WARP, set);
    lanes &= set ? same : ~same;
  }
  return lanes;
}

// exclusive_scan returns the sum of v over the threads before this one, of a block of kDigits threads.
__device__ __forceinline__ int exclusive_scan(int v) {
  __shared__ int totals[kWarps];
  const int lane = threadIdx.x % WARP;
  const int warp = threadIdx.x / WARP;
  int sum = v;
#pragma unroll
  for (int step = 1; step < WARP; step *= 2) {
    const int below = __shfl_up_sync(FULL_WARP, sum, step);
    sum += lane >= step ? below : 0;
  }
  if (lane == WARP - 1) {
    totals[warp] = sum;
  }
  __syncthreads();
  for (int w = 0; w < warp; w++) {
    sum += totals[w];
  }
  return sum - v;
}

}  // namespace

// counts[block, digit] = how many of the block's pairs have the digit; reports the ids outside the vocabulary.
KERNEL(embedding_backward_count, 256)(const int* ids, const long long* pairs, int* counts, int* fault, int instr,
                                          int n, int vocab, int shift) {
  __shared__ int shared[kDigits];
  shared[threadIdx.x] = 0;
  __syncthreads();
  const int end = min(n, static_cast<int>(blockIdx.x + 1) * kChunk);
  for (int i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kDigits) {
    if (pairs == nullptr && (ids[i] < 0 || ids[i] >= vocab)) {
      report(fault, instr, i, ids[i]);
    }
    atomicAdd(&shared[digit_of(pair_at(ids, pairs, i, vocab), shift)], 1);
  }
  __syncthreads();
  counts[blockIdx.x * kDigits + threadIdx.x] = shared[threadIdx.x];
}
EXPORT(embedding_backward_count)

// sorted = pairs in the order of their digits, equal ones in the order in which they were.
KERNEL(embedding_backward_scatter, 256)(const int* ids, const long long* pairs, const int* counts,
                                            long long* sorted, int n, int vocab, int shift) {
  __shared__ int next[kWarps][kDigits];  // where the warp's next pair of a digit goes
  const int lane = threadIdx.x % WARP;
  const int warp = threadIdx.x / WARP;
  const int digit = threadIdx.x;
  const int blocks = gridDim.x;
  const int own_block = blockIdx.x;
  int before = 0;  // pairs of this thread's digit in earlier blocks
  int total = 0;
  for (int block = 0; block < blocks; block++) {
    const int count = counts[block * kDigits + digit];
    before += block < own_block ? count : 0;
    total += count;
  }
#pragma unroll
  for (int w = 0; w < kWarps; w++) {
    next[w][digit] = 0;
  }
  int slot = exclusive_scan(total) + before;
  const int first = own_block * kChunk + warp * kWarpPairs;
  for (int i = first + lane; i < min(n, first + kWarpPairs); i += WARP) {
    atomicAdd(&next[warp][digit_of(pair_at(ids, pairs, i, vocab), shift)], 1);
  }
  __syncthreads();
#pragma unroll
  for (int w = 0; w < kWarps; w++) {
    const int count = next[w][digit];
    next[w][digit] = slot;
    slot += count;
  }
  __syncthreads();
  for (int i = first + lane; i - lane < min(n, first + kWarpPairs); i += WARP) {
    const bool active = i < n;
    const long long pair = active ? pair_at(ids, pairs, i, vocab) : 0;
    const int own = digit_of(pair, shift);
    const unsigned equal = equal_lanes(own, active);
    const int rank = __popc(equal & ((1u << lane) - 1));
    const int at = next[warp][own];
    __syncwarp();
    if (active) {
      sorted[at + rank] = pair;
      if (rank == 0) {
        next[warp][own] = at + __popc(equal);
      }
    }
    __syncwarp();
  }
}
EXPORT(embedding_backward_scatter)

// starts[v] = the number of sorted pairs with an id below v, v = 0 … V.
KERNEL(embedding_backward_bounds, 256)(const long long* sorted, int* starts, int n, int vocab) {
  const int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v > vocab) {
    return;
  }
  int low = 0;
  int high = n;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (id_of(sorted[middle]) < v) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  starts[v] = low;
}
EXPORT(embedding_backward_bounds)

namespace {

template <class T, bool VECTOR>
__device__ __forceinline__ void add_rows(const long long* sorted, int begin, int end, const T* dy,
                                         const Span<T, VECTOR>& span, float (&sums)[Pack<T>::size]) {
#pragma unroll 4
  for (int i = begin; i < end; i++) {
    float v[Pack<T>::size];
    span.load(dy + static_cast<long long>(position_of(sorted[i])) * span.cols, v);
#pragma unroll
    for (int j = 0; j < Pack<T>::size; j++) {
      sums[j] += v[j];
    }
  }
}

template <class T, bool VECTOR>
__device__ __forceinline__ void tile_sum(const long long* sorted, const T* dy, float* tiles, int tile, int cols) {
  const Span<T, VECTOR> span(blockIdx.y * WARP * Pack<T>::size, cols);
  if (span.empty() || id_of(sorted[tile * kTile]) != id_of(sorted[(tile + 1) * kTile - 1])) {
    return;
  }
  float sums[Pack<T>::size] = {};
  add_rows<T, VECTOR>(sorted, tile * kTile, (tile + 1) * kTile, dy, span, sums);
  span.store(tiles + static_cast<long long>(tile) * cols, sums);
}

template <class T, bool VECTOR>
__device__ __forceinline__ void table_row(const long long* sorted, const int* starts, const T* dy, const float* tiles,
                                          const float* addend, float* dtable, int id, int cols) {
  constexpr int W = Pack<T>::size;
  const Span<T, VECTOR> span(blockIdx.y * WARP * W, cols);
  if (span.empty()) {
    return;
  }
  const int begin = starts[id];
  const int end = starts[id + 1];
  const int whole = cdiv(begin, kTile);  // the tiles of the id: whole … past-1
  const int past = max(end / kTile, whole);
  float sums[W] = {};
  if (addend != nullptr) {
    span.load(addend + static_cast<long long>(id) * cols, sums);
  }
  if (whole == past) {
    add_rows<T, VECTOR>(sorted, begin, end, dy, span, sums);
  } else {
    add_rows<T, VECTOR>(sorted, begin, whole * kTile, dy, span, sums);
#pragma unroll 4
    for (int tile = whole; tile < past; tile++) {
      float v[W];
      span.load(tiles + static_cast<long long>(tile) * cols, v);
#pragma unroll
      for (int j = 0; j < W; j++) {
        sums[j] += v[j];
      }
    }
    add_rows<T, VECTOR>(sorted, past * kTile, end, dy, span, sums);
  }
  span.store(dtable + static_cast<long long>(id) * cols, sums);
}

template <class T>
__device__ __forceinline__ void tiles_of(const long long* sorted, const T* dy, float* tiles, int count, int cols) {
  const int tile = blockIdx.x * blockDim.y + threadIdx.y;
  if (tile >= count) {
    return;
  }
  if (row_vectors<T>(cols, dy)) {
    tile_sum<T, true>(sorted, dy, tiles, tile, cols);
  } else {
    tile_sum<T, false>(sorted, dy, tiles, tile, cols);
  }
}

template <class T>
__device__ __forceinline__ void rows_of(const long long* sorted, const int* starts, const T* dy, const float* tiles,
                                        const float* addend, float* dtable, int vocab, int cols) {
  const int id = blockIdx.x * blockDim.y + threadIdx.y;
  if (id >= vocab) {
    return;
  }
  if (row_vectors<T>(cols, dy) && row_vectors<T>(cols, addend, dtable)) {
    table_row<T, true>(sorted, starts, dy, tiles, addend, dtable, id, cols);
  } else {
    table_row<T, false>(sorted, starts, dy, tiles, addend, dtable, id, cols);
  }
}

}  // namespace

// tiles (N/kTile, D) float32; a row whose tile has several ids is not written. gridDim.y covers the columns.
KERNEL(embedding_backward_tiles_f32, 256)(const long long* sorted, const float* dy, float* tiles, int count, int cols) {
  tiles_of<float>(sorted, dy, tiles, count, cols);
}
EXPORT(embedding_backward_tiles_f32)

KERNEL(embedding_backward_tiles_bf16, 256)(const long long* sorted, const bf16* dy, float* tiles, int count, int cols) {
  tiles_of<bf16>(sorted, dy, tiles, count, cols);
}
EXPORT(embedding_backward_tiles_bf16)

KERNEL(embedding_backward_rows_f32, 256)(const long long* sorted, const int* starts, const float* dy,
                                         const float* tiles, const float* addend, float* dtable, int vocab, int cols) {
  rows_of<float>(sorted, starts, dy, tiles, addend, dtable, vocab, cols);
}
EXPORT(embedding_backward_rows_f32)

KERNEL(embedding_backward_rows_bf16, 256)(const long long* sorted, const int* starts, const bf16* dy,
                                          const float* tiles, const float* addend, float* dtable, int vocab, int cols) {
  rows_of<bf16>(sorted, starts, dy, tiles, addend, dtable, vocab, cols);
}
EXPORT(embedding_backward_rows_bf16)
