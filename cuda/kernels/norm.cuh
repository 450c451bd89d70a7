// norm.cuh: the gradient that LayerNorm and RMSNorm share (RMSNorm is LayerNorm with mean 0 and no bias).
//
//   n = (x - mean)·rstd,  g = dy·w
//   dx = rstd·(g - Σg/D - n·Σ(g·n)/D) + addend,  dw = Σ_rows dy·n,  db = Σ_rows dy,  sum = Σ_rows dx, not yet rounded
//
// One pass over x, dy and addend: they stay in registers between the sums and dx. A block takes block_rows rows; each
// group of threads adds its share of dw, db and sum up in shared memory, where a thread touches no columns but its own,
// and the block writes the sum over its groups to partials (blocks, planes, D), float32, which columnsum_final adds up:
// planes is 1 + bias + summed.
// Rows so wide that shared memory cannot hold the sums keep them in partials itself (in_partials, blockDim.y = 1).
// While a group works on a row, its next one comes into the L2 cache: between the two sums of a row, and their barriers
// where a row takes a block, it has nothing else to load. (Rows in registers took 230 of them, one block an SM.)
// Bound: memory. x, dy and addend are read and dx is written once.
#pragma once
#include "row.cuh"

// kNormHeld spans of each of three rows stay in a thread's registers: 768 columns of bf16 for a warp, and no spills.
constexpr int kNormHeld = 3;

// add_columns adds v to the sums of D columns at sums. A VECTOR span of eight floats is stored as two halves, all first
// halves before all second ones, so that the 16-byte accesses of a warp are consecutive.
template <class T, bool VECTOR>
__device__ __forceinline__ void add_columns(float* sums, const Span<T, VECTOR>& span, const float (&v)[Pack<T>::size]) {
  constexpr int W = Pack<T>::size;
  if constexpr (VECTOR) {
#pragma unroll
    for (int j = 0; j < W; j += 4) {
      float* at = sums + (j / 4 * (span.cols / W) + span.first / W) * 4;
      Pack<float> p = Pack<float>::load(at);
#pragma unroll
      for (int e = 0; e < 4; e++) {
        p[e] += v[j + e];
      }
      p.store(at);
    }
  } else {
#pragma unroll
    for (int j = 0; j < W; j++) {
      if (span.has(j)) {
        sums[span.column(j)] += v[j];
      }
    }
  }
}

// stored_column returns the column whose sum add_columns keeps in element i.
template <class T, bool VECTOR>
__device__ __forceinline__ int stored_column(int i, int cols) {
  if constexpr (!VECTOR) return i;
  constexpr int W = Pack<T>::size;
  const int packs = cols / W;
  return i / 4 % packs * W + i / 4 / packs * 4 + i % 4;
}

// prefetch_row asks for a row's lines of 128 bytes in the L2 cache, and waits for nothing.
template <class T>
__device__ __forceinline__ void prefetch_row([[maybe_unused]] const T* row, [[maybe_unused]] int cols) {
#ifndef CUDA_SIM
  constexpr int line = 128 / sizeof(T);
  for (int i = threadIdx.x * line; i < cols; i += blockDim.x * line) {
    asm volatile("prefetch.global.L2 [%0];" ::"l"(row + i));
  }
#endif
}

template <class T>
struct NormBackward {
  const T* x;
  const float* w;
  const float* mean;
  const float* rstd;
  const T* dy;
  const T* addend;
  T* dx;
  float* partials;
  int rows, cols, block_rows, bias, summed, in_partials;

  // run is the kernel; CENTRED tells LayerNorm from RMSNorm.
  template <bool CENTRED>
  __device__ void run(float* shared) const {
    if (in_partials != 0) {
      const long long at = static_cast<long long>(blockIdx.x) * planes() * cols;
      rows_of_block<CENTRED, false>(partials + at);
    } else if (row_vectors<T>(cols, x, dy, addend, dx) && row_vectors<T>(cols, w)) {
      rows_of_block<CENTRED, true>(shared);
      write_partials<true>(shared);
    } else {
      rows_of_block<CENTRED, false>(shared);
      write_partials<false>(shared);
    }
  }

 private:
  __device__ __forceinline__ int planes() const { return 1 + bias + summed; }

  // rows_of_block writes the block's rows of dx and leaves the sums of each group in sums (groups, planes, D).
  template <bool CENTRED, bool VECTOR>
  __device__ __forceinline__ void rows_of_block(float* sums) const {
    const int size = planes() * cols;
    const int groups = blockDim.y;
    const int threads = blockDim.x * groups;
    for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < groups * size; i += threads) {
      sums[i] = 0;
    }
    __syncthreads();
    const int first = blockIdx.x * block_rows;
    const int end = min(first + block_rows, rows);
    for (int row = first + threadIdx.y; row < end; row += groups) {
      if (row + groups < end) {
        prefetch(row + groups);
      }
      one_row<CENTRED, VECTOR>(row, sums + threadIdx.y * size);
    }
  }

  // prefetch asks for what one_row reads of a row.
  __device__ __forceinline__ void prefetch(int row) const {
    const long long at = static_cast<long long>(row) * cols;
    prefetch_row(x + at, cols);
    prefetch_row(dy + at, cols);
    if (addend != nullptr) {
      prefetch_row(addend + at, cols);
    }
  }

  template <bool CENTRED, bool VECTOR>
  __device__ __forceinline__ void one_row(int row, float* sums) const {
    constexpr int W = Pack<T>::size;
    constexpr int K = VECTOR ? kNormHeld : 1;
    const long long at = static_cast<long long>(row) * cols;
    Held<T, VECTOR, K> row_x(x + at, cols);
    Held<T, VECTOR, K> row_dy(dy + at, cols);
    const Held<T, VECTOR, K> row_addend(addend == nullptr ? nullptr : addend + at, cols);
    const float mu = CENTRED ? mean[row] : 0.f;
    const float rs = rstd[row];
    float sum_g = 0;
    float sum_gn = 0;
    sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
      float n[W], d[W], scale[W];
      row_x.get(k, span, n);
      row_dy.get(k, span, d);
      span.load(w, scale);
      if (bias != 0) {
        add_columns<T, VECTOR>(sums + cols, span, d);
      }
#pragma unroll
      for (int j = 0; j < W; j++) {
        n[j] = (n[j] - mu) * rs;
        sum_g += d[j] * scale[j];
        sum_gn += d[j] * scale[j] * n[j];
        d[j] *= n[j];
      }
      add_columns<T, VECTOR>(sums, span, d);
    });
    row_x.forget();
    row_dy.forget();
    const float mean_g = CENTRED ? group_sum(sum_g) / cols : 0.f;
    const float mean_gn = group_sum(sum_gn) / cols;
    sweep<T, VECTOR, K>(cols, [&](int k, const Span<T, VECTOR>& span) {
      float n[W], d[W], scale[W], out[W];
      row_x.get(k, span, n);
      row_dy.get(k, span, d);
      row_addend.get(k, span, out);
      span.load(w, scale);
#pragma unroll
      for (int j = 0; j < W; j++) {
        out[j] += rs * (d[j] * scale[j] - mean_g - (n[j] - mu) * rs * mean_gn);
      }
      span.store(dx + at, out);
      if (summed != 0) {
        add_columns<T, VECTOR>(sums + (1 + bias) * cols, span, out);
      }
    });
  }

  // write_partials adds up the groups' sums, in order.
  template <bool VECTOR>
  __device__ __forceinline__ void write_partials(const float* sums) const {
    __syncthreads();
    const int groups = blockDim.y;
    const int threads = blockDim.x * groups;
    for (int plane = 0; plane < planes(); plane++) {
      float* out = partials + (static_cast<long long>(blockIdx.x) * planes() + plane) * cols;
      for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < cols; i += threads) {
        float sum = 0;
        for (int group = 0; group < groups; group++) {
          sum += sums[(group * planes() + plane) * cols + i];
        }
        out[stored_column<T, VECTOR>(i, cols)] = sum;
      }
    }
  }
};
