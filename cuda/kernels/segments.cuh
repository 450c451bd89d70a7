// segments.cuh: one launch over many tensors.
//
// A table in device memory holds one segment a tensor. Each is cut into chunks of a fixed number of elements, a block
// each; member first is the number of the segment's first chunk in the grid.
#pragma once
#include "common.cuh"

// segment_of returns the segment of chunk blockIdx.x, the last one that begins at or before it, by binary search.
template <class S>
__device__ __forceinline__ const S& segment_of(const S* table, int count) {
  int low = 0;
  int high = count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (table[middle].first <= (long long)blockIdx.x) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return table[low];
}
