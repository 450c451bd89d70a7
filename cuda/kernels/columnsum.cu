// columnsum.cu: y[d] = addend[d] + Σ_n x[n, d], the gradient of a bias; x (N, D) is T, addend and y are float32.
//
// Two steps with a fixed order of additions. columnsum_partial: a block of 32×8 threads takes block_rows rows of a tile
// of 32 spans (row.cuh); its thread rows go through every eighth row and are added up in shared memory, which gives
// partials (blocks, D). columnsum_final: 32 threads a row, up to 32 rows, add up the partials of 32 columns. Its further
// planes serve the norms, whose partials hold those of dw, db and sum side by side, and attention.
// Bound: memory, N·D·sizeof(T) bytes read; the partials stay in the second-level cache.
#include "row.cuh"

namespace {

constexpr int kThreadRows = 8;

template <class T, bool VECTOR>
__device__ __forceinline__ void partial_sums(const T* x, float* partials, int rows, int cols, int block_rows) {
  constexpr int W = Pack<T>::size;
  __shared__ float shared[kThreadRows][W][WARP];
  const int tile = blockIdx.x * WARP * W;
  const Span<T, VECTOR> span(tile, cols);
  const int first = blockIdx.y * block_rows;
  const int end = min(first + block_rows, rows);
  float sums[W] = {};
  if (!span.empty()) {
#pragma unroll 4
    for (int row = first + threadIdx.y; row < end; row += kThreadRows) {
      float v[W];
      span.load(x + static_cast<long long>(row) * cols, v);
#pragma unroll
      for (int j = 0; j < W; j++) {
        sums[j] += v[j];
      }
    }
  }
#pragma unroll
  for (int j = 0; j < W; j++) {
    shared[threadIdx.y][j][threadIdx.x] = sums[j];
  }
  __syncthreads();
  float* out = partials + static_cast<long long>(blockIdx.y) * cols;
  for (int j = threadIdx.y; j < W; j += kThreadRows) {
    float sum = 0;
#pragma unroll
    for (int r = 0; r < kThreadRows; r++) {
      sum += shared[r][j][threadIdx.x];
    }
    if (span.column(j) < cols) {
      out[span.column(j)] = sum;
    }
  }
}

template <class T>
__device__ __forceinline__ void columnsum_partial(const T* x, float* partials, int rows, int cols, int block_rows) {
  if (row_vectors<T>(cols, x)) {
    partial_sums<T, true>(x, partials, rows, cols, block_rows);
  } else {
    partial_sums<T, false>(x, partials, rows, cols, block_rows);
  }
}

}  // namespace

KERNEL(columnsum_partial_f32, 256)(const float* x, float* partials, int rows, int cols, int block_rows) {
  columnsum_partial<float>(x, partials, rows, cols, block_rows);
}
EXPORT(columnsum_partial_f32)

KERNEL(columnsum_partial_bf16, 256)(const bf16* x, float* partials, int rows, int cols, int block_rows) {
  columnsum_partial<bf16>(x, partials, rows, cols, block_rows);
}
EXPORT(columnsum_partial_bf16)

// partials (parts, gridDim.y, D); plane 0 goes to y, on top of addend where it is present, plane 1 to y1 and plane 2 to y2.
KERNEL(columnsum_final, 1024)(const float* partials, const float* addend, float* y, float* y1, float* y2, int parts,
                              int cols) {
  __shared__ float shared[WARP][WARP];
  const int column = blockIdx.x * WARP + threadIdx.x;
  const int thread_rows = blockDim.y;
  float sum = 0;
  if (column < cols) {
    const long long stride = static_cast<long long>(gridDim.y) * cols;
    const float* at = partials + static_cast<long long>(blockIdx.y) * cols + column;
#pragma unroll 8
    for (int part = threadIdx.y; part < parts; part += thread_rows) {
      sum += at[part * stride];
    }
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= cols) {
    return;
  }
#pragma unroll 8
  for (int row = 1; row < thread_rows; row++) {
    sum += shared[row][threadIdx.x];
  }
  if (blockIdx.y == 0) {
    y[column] = sum + (addend == nullptr ? 0.f : addend[column]);
  } else {
    (blockIdx.y == 1 ? y1 : y2)[column] = sum;
  }
}
EXPORT(columnsum_final)
