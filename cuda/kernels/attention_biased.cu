// attention_biased: attention_general with a bias by distance, as ALiBi (Press et al. 2022) and T5 (Raffel et al. 2020)
// have it, for patterns of blocks too. The bias is read from the caches, 4 bytes a score. Bound and memory are those of
// attention_general.cu.
#include "attention_biased.cuh"
#include "attention_general.cuh"

#define MIN_BLOCKS 2
#include "min_blocks.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, position, y, lse, T, S, heads, kv_heads, hd, ldq, ldkv, units,      \
      section, lo, hi, scale * kLog2E,                                                                                \
      Biased(Blocks{pattern, block, local, stride, global}, bias, distances, behind, nullptr)

KERNEL(attention_biased_f32, 256)
(const float* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, float* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind) {
  general(ARGUMENTS);
}
EXPORT(attention_biased_f32)

KERNEL(attention_biased_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind) {
  general(ARGUMENTS);
}
EXPORT(attention_biased_bf16)

// Queries in bf16 over caches in float32.
KERNEL(attention_biased_cached_bf16, 256)
(const bf16* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind) {
  general(ARGUMENTS);
}
EXPORT(attention_biased_cached_bf16)
