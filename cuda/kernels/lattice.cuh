// lattice.cuh: regular grids of offsets into a tensor.
#pragma once
#include "common.cuh"

// divide returns i/d and leaves i mod d; 0 < d.
__device__ __forceinline__ unsigned divide(unsigned i, unsigned d, unsigned* rest) {
  const unsigned quotient = i / d;
  *rest = i - quotient * d;
  return quotient;
}

// The same for 0 ≤ i of any size; most tensors need the short division only.
__device__ __forceinline__ long long divide(long long i, long long d, long long* rest) {
  if (((i | d) >> 32) == 0) {
    unsigned short_rest;
    const unsigned quotient = divide((unsigned)i, (unsigned)d, &short_rest);
    *rest = short_rest;
    return quotient;
  }
  const long long quotient = i / d;
  *rest = i - quotient * d;
  return quotient;
}

// A lattice has rank axes of (size, stride), the slowest first. Position i, row-major over the sizes, is at offset(i).
struct Lattice {
  const long long* axes;
  int rank;

  __device__ __forceinline__ long long offset(unsigned i) const {
    long long at = 0;
    for (int a = rank - 1; a > 0; a--) {
      unsigned index;
      i = divide(i, (unsigned)axes[2 * a], &index);
      at += index * axes[2 * a + 1];
    }
    return rank > 0 ? at + i * axes[1] : at;
  }
};
