// attention_segments: the smallest and the largest segment of every 64 tokens, from which the attention kernels see
// which tiles a document mask leaves. One warp a group; 4 bytes a token read, once a launch of attention.
#include "attention.cuh"

using namespace attention;

// segments(B, tokens) → bounds(B, ⌈tokens / 64⌉). Grid: one block of 256 threads for 8 groups.
KERNEL(attention_segments, 256)(const int* segments, Bounds* bounds, int sequences, int tokens) {
  int groups = cdiv(tokens, kBoundsTokens), at = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x & 31;
  if (at >= sequences * groups) return;
  int begin = at % groups * kBoundsTokens;
  const int* ids = segments + (size_t)(at / groups) * tokens;
  int first = min(begin + lane, tokens - 1), second = min(begin + 32 + lane, tokens - 1);
  int smallest = min(ids[first], ids[second]), largest = max(ids[first], ids[second]);
#pragma unroll
  for (int step = 16; step > 0; step >>= 1) {
    smallest = min(smallest, __shfl_xor_sync(FULL_WARP, smallest, step));
    largest = max(largest, __shfl_xor_sync(FULL_WARP, largest, step));
  }
  if (lane == 0) bounds[at] = {smallest, largest};
}
EXPORT(attention_segments)
