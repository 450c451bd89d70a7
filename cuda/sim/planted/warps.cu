// warps.cu: masks of warp operations that are wrong, each beside the correct kernel.
#include "common.cuh"

// y[i] = the sum of x over the warp's lanes below n, in every such lane.
template <class Mask>
__device__ void sum_lanes(const float* x, float* y, int n, Mask mask) {
  const int lane = threadIdx.x;
  if (lane >= n) {
    return;
  }
  float v = 0;
  for (int i = 0; i < n; i++) {
    v += __shfl_sync(mask(lane), x[lane], i);
  }
  y[lane] = v;
}

KERNEL(sum_lanes_correct, 32)(const float* x, float* y, int n) {
  sum_lanes(x, y, n, [n](int) { return (1u << n) - 1; });
}
EXPORT(sum_lanes_correct)
// The mask names lanes that have left.
KERNEL(sum_lanes_exited, 32)(const float* x, float* y, int n) {
  sum_lanes(x, y, n, [](int) { return FULL_WARP; });
}
EXPORT(sum_lanes_exited)
// The last lane is not in the mask with which it calls.
KERNEL(sum_lanes_outside, 32)(const float* x, float* y, int n) {
  sum_lanes(x, y, n, [n](int) { return (1u << (n - 1)) - 1; });
}
EXPORT(sum_lanes_outside)
// The lanes do not agree on the mask.
KERNEL(sum_lanes_disagree, 32)(const float* x, float* y, int n) {
  sum_lanes(x, y, n, [n](int lane) { return lane % 2 == 0 ? (1u << n) - 1 : 0x3u << (lane - 1); });
}
EXPORT(sum_lanes_disagree)
