// map.cuh: maps of elements.
//
//   y[0][i], … = f(x[0][i], …)   for i < n, in float32
//
// A thread of the grid takes packs of 16 bytes (4 float32 or 8 bf16) of every operand, then of the n mod size elements
// that are left one. Operands that are not 16-byte aligned go element by element. All that a thread reads of a pack is
// read before it is written, by that thread alone, so every output may be an input.
#pragma once
#include "common.cuh"

// all_aligned tells whether all pointers allow 16-byte access.
template <class T, int N>
__device__ __forceinline__ bool all_aligned(T* const (&pointers)[N]) {
  bool all = true;
#pragma unroll
  for (int k = 0; k < N; k++) {
    all = all && aligned16(pointers[k]);
  }
  return all;
}

template <class T, int I, int O, class F>
__device__ __forceinline__ void map_pack(const T* const (&x)[I], T* const (&y)[O], long long at, F f) {
  constexpr int width = Pack<T>::size;
  float in[I][width];
  float out[O][width];
#pragma unroll
  for (int k = 0; k < I; k++) {
    Pack<T>::load(x[k] + at).to_floats(in[k]);
  }
#pragma unroll
  for (int e = 0; e < width; e++) {
    float a[I];
    float b[O];
#pragma unroll
    for (int k = 0; k < I; k++) {
      a[k] = in[k][e];
    }
    f(a, b);
#pragma unroll
    for (int k = 0; k < O; k++) {
      out[k][e] = b[k];
    }
  }
#pragma unroll
  for (int k = 0; k < O; k++) {
    Pack<T>::from_floats(out[k]).store(y[k] + at);
  }
}

template <class T, int I, int O, class F>
__device__ __forceinline__ void map_element(const T* const (&x)[I], T* const (&y)[O], long long at, F f) {
  float a[I];
  float b[O];
#pragma unroll
  for (int k = 0; k < I; k++) {
    a[k] = to_float(x[k][at]);
  }
  f(a, b);
#pragma unroll
  for (int k = 0; k < O; k++) {
    y[k][at] = from_float<T>(b[k]);
  }
}

// map runs f(const float (&x)[I], float (&y)[O]) for each of n elements, over a grid of any size.
template <class T, int I, int O, class F>
__device__ __forceinline__ void map(const T* const (&x)[I], T* const (&y)[O], long long n, F f) {
  constexpr int width = Pack<T>::size;
  const long long packs = all_aligned(x) && all_aligned(y) ? n / width : 0;
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long p = thread; p < packs; p += threads) {
    map_pack(x, y, p * width, f);
  }
#pragma unroll 1
  for (long long at = packs * width + thread; at < n; at += threads) {
    map_element(x, y, at, f);
  }
}
