// attention_biased_flash: attention.cu with a bias by distance (attention_biased.cu), bf16. A lane reads that of each of
// its scores from the caches: the scores of 16 × 8 lie on 23 diagonals, so that a warp reads one or two lines.
//
//   head size   warps × rows   keys a tile   shared memory
//   32 … 128    4 × 16         64            16 … 64 KB
//   256         4 × 16         32            80 KB
//
// Bound: as attention.cu; a read of the first-level cache a score and warp beside 2 · D / 16 mma of 32 scores each.
#include "attention_flash.cuh"
#define MIN_BLOCKS 3
#include "min_blocks.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, y, lse, T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi,  \
      scale * kLog2E, Biasing{{}, bias, distances, behind, S - T, 1 / scale, nullptr}

KERNEL(attention_biased_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind) {
  flash<32, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_biased_d32_bf16)

KERNEL(attention_biased_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind) {
  flash<64, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_biased_d64_bf16)

KERNEL(attention_biased_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind) {
  flash<96, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_biased_d96_bf16)

KERNEL(attention_biased_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind) {
  flash<128, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_biased_d128_bf16)

#undef MIN_BLOCKS
#define MIN_BLOCKS 2
KERNEL(attention_biased_d256_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind) {
  flash<256, 1, 4, 32>(ARGUMENTS);
}
EXPORT(attention_biased_d256_bf16)
