// normal.cu: y from N(0, 1), by Box and Muller (1958) from Philox.
//
//   words (a, b) of a pair of elements give √(-2·ln u)·(cos 2πv, sin 2πv),  u = ((a >> 9) + ½)·2⁻²³,  v = (b >> 8)·2⁻²⁴
//
// Elements are counted as dropout.cu does. A thread makes the four numbers of a block. Both u and v are float32 without
// rounding, so that every back end draws the same numbers but for the rounding of ln, cos and sin. Bound by arithmetic.
#include "philox.cuh"

constexpr float kTurn = 6.28318531f;  // 2π

KERNEL(normal, 256)(const int* rng, float* y, long long n, int width, int site) {
  const Philox philox = {{(unsigned)rng[0], (unsigned)rng[1]}, (unsigned)site};
  const unsigned long long row = (unsigned)rng[2] | (unsigned long long)(unsigned)rng[3] << 32;
  const unsigned long long first = row * (unsigned long long)width;
  const long long blocks = (long long)((first + n - 1) / 4 - first / 4) + 1;
  const long long threads = (long long)gridDim.x * blockDim.x;
  unsigned words[4];
#pragma unroll 1
  for (long long b = (long long)blockIdx.x * blockDim.x + threadIdx.x; b < blocks; b += threads) {
    philox.block(first / 4 + b, words);
    const long long at = b * 4 - (long long)(first % 4);
#pragma unroll
    for (int e = 0; e < 4; e += 2) {
      const float u = ((float)(words[e] >> 9) + 0.5f) * 0x1p-23f;
      const float v = (float)(words[e + 1] >> 8) * 0x1p-24f;
      const float radius = sqrtf(-2.0f * logf(u));
      if (at + e >= 0 && at + e < n) {
        y[at + e] = radius * cosf(kTurn * v);
      }
      if (at + e + 1 >= 0 && at + e + 1 < n) {
        y[at + e + 1] = radius * sinf(kTurn * v);
      }
    }
  }
}
EXPORT(normal)
