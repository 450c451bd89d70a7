// row.cuh: rows of a matrix, each shared out to a group of threads.
//
// A group is the threads of equal threadIdx.y: one warp (blockDim.x = 32, several rows a block) or a whole block
// (blockDim.y = 1). It takes a row span by span; a span is what the thread accesses at a time, 16 bytes of T:
//
//   VECTOR    columns first, first+1, …             one 16-byte access; rows must be 16-byte aligned
//   scalar    columns first, first+blockDim.x, …    coalesced single accesses, for the other widths
//
// Both give a thread the same number of elements, so that a kernel is written once for both.
#pragma once
#include "common.cuh"

// row_vectors tells whether rows of cols elements of T at these addresses can be accessed by VECTOR spans.
template <class T, class... P>
__device__ __forceinline__ bool row_vectors(int cols, const P*... rows) {
  return cols % Pack<T>::size == 0 && (aligned16(rows) && ...);
}

template <class T, bool VECTOR>
struct Span {
  static constexpr int W = Pack<T>::size;
  int first;
  int cols;

  // The thread's span of the blockDim.x·W columns from base.
  __device__ __forceinline__ Span(int base, int cols)
      : first(base + static_cast<int>(VECTOR ? threadIdx.x * W : threadIdx.x)), cols(cols) {}

  __device__ __forceinline__ bool empty() const { return first >= cols; }
  __device__ __forceinline__ int column(int j) const { return VECTOR ? first + j : first + j * int(blockDim.x); }
  __device__ __forceinline__ bool has(int j) const { return VECTOR || column(j) < cols; }

  // load reads the span of a row; columns behind the last are 0.
  template <class U>
  __device__ __forceinline__ void load(const U* row, float (&v)[W]) const {
    if constexpr (VECTOR) {
#pragma unroll
      for (int j = 0; j < W; j += Pack<U>::size) {
        Pack<U>::load(row + first + j).to_floats(v + j);
      }
    } else {
#pragma unroll
      for (int j = 0; j < W; j++) {
        v[j] = has(j) ? to_float(row[column(j)]) : 0.f;
      }
    }
  }

  template <class U>
  __device__ __forceinline__ void store(U* row, const float (&v)[W]) const {
    if constexpr (VECTOR) {
#pragma unroll
      for (int j = 0; j < W; j += Pack<U>::size) {
        Pack<U>::from_floats(v + j).store(row + first + j);
      }
    } else {
#pragma unroll
      for (int j = 0; j < W; j++) {
        if (has(j)) {
          row[column(j)] = from_float<U>(v[j]);
        }
      }
    }
  }
};

// sweep calls f(k, span) for each span of the thread, k = 0 … K-1 for the first K and -1 for the rest. k is a
// constant in f, so that what a Held row keeps stays in registers.
template <class T, bool VECTOR, int K, class F>
__device__ __forceinline__ void sweep(int cols, F f) {
  const int step = blockDim.x * Span<T, VECTOR>::W;
#pragma unroll
  for (int k = 0; k < K; k++) {
    const Span<T, VECTOR> span(k * step, cols);
    if (!span.empty()) {
      f(k, span);
    }
  }
#pragma unroll 1
  for (Span<T, VECTOR> span(K * step, cols); !span.empty(); span.first += step) {
    f(-1, span);
  }
}

// each_span calls f(span) for each span of the thread among columns begin … end-1, four at a time without a branch
// between them, so that their loads are in flight together. VECTOR wants begin to be a whole number of spans.
template <class T, bool VECTOR, class F>
__device__ __forceinline__ void each_span(int begin, int end, F f) {
  constexpr int together = 4;
  const int step = blockDim.x * Span<T, VECTOR>::W;
  Span<T, VECTOR> span(begin, end);
  while (span.first + (together - 1) * step < end) {
#pragma unroll
    for (int i = 0; i < together; i++) {
      f(span);
      span.first += step;
    }
  }
  for (; !span.empty(); span.first += step) {
    f(span);
  }
}

// Held is a row whose first K spans a thread keeps in registers, in the type of memory; the spans behind them, of
// very wide rows, are read anew at each sweep. A null row reads as zeros.
template <class T, bool VECTOR, int K>
class Held {
  static constexpr int W = Pack<T>::size;
  const T* row;
  Pack<T> held[K];

 public:
  __device__ __forceinline__ Held(const T* row, int cols) : row(row) {
    const int step = blockDim.x * W;
#pragma unroll
    for (int k = 0; k < K; k++) {
      const Span<T, VECTOR> span(k * step, cols);
      held[k] = Pack<T>::zero();
      if (row == nullptr || span.empty()) {
        continue;
      }
      if constexpr (VECTOR) {
        held[k] = Pack<T>::load(row + span.first);
      } else {
#pragma unroll
        for (int j = 0; j < W; j++) {
          if (span.has(j)) {
            held[k][j] = row[span.column(j)];
          }
        }
      }
    }
  }

  // forget makes the next sweep convert the elements anew. Without it the compiler also keeps the floats of the last
  // sweep, twice the registers of bf16.
  __device__ __forceinline__ void forget() {
#ifndef CUDA_SIM
#pragma unroll
    for (int k = 0; k < K; k++) {
      unsigned* words = reinterpret_cast<unsigned*>(&held[k]);
      asm volatile("" : "+r"(words[0]), "+r"(words[1]), "+r"(words[2]), "+r"(words[3]));
    }
#endif
  }

  // get returns the elements of span k of a sweep.
  __device__ __forceinline__ void get(int k, const Span<T, VECTOR>& span, float (&v)[W]) const {
    if (k >= 0) {
      held[k].to_floats(v);
    } else if (row != nullptr) {
      span.load(row, v);
    } else {
#pragma unroll
      for (int j = 0; j < W; j++) {
        v[j] = 0.f;
      }
    }
  }
};

// group_sum and group_max reduce over the group of the thread, in a fixed order; all of its threads call them and get
// the result. What a thread read before, another may overwrite after.
__device__ __forceinline__ float group_sum(float v) {
  if (blockDim.x > WARP) {
    return block_sum(v);
  }
  __syncwarp();
  return warp_sum(v);
}

__device__ __forceinline__ float group_max(float v) {
  if (blockDim.x > WARP) {
    return block_max(v);
  }
  __syncwarp();
  return warp_max(v);
}
