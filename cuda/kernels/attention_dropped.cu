// attention_dropped: attention_biased, whose bias may be absent here, with dropped weights: float32, odd heads, and what
// else the kernels of attention_dropped_flash.cu do not take. A weight costs a block of Philox, some 80 instructions.
#include "attention_dropped.cuh"
#include "attention_general.cuh"
#define MIN_BLOCKS 2
#include "min_blocks.cuh"

using namespace attention;

KERNEL(attention_dropped_f32, 256)
(const float* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, float* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind, const int* rng, int threshold, float factor, int site) {
  general(q, k, v, qsegments, ksegments, qbounds, kbounds, position, y, lse, T, S, heads, kv_heads, hd, ldq, ldkv, units,
          section, lo, hi, scale * kLog2E,
          Dropped(Biased(Blocks{pattern, block, local, stride, global}, bias, distances, behind, nullptr),
                  Drops(rng, threshold, factor, site)));
}
EXPORT(attention_dropped_f32)

KERNEL(attention_dropped_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind, const int* rng, int threshold, float factor, int site) {
  general(q, k, v, qsegments, ksegments, qbounds, kbounds, position, y, lse, T, S, heads, kv_heads, hd, ldq, ldkv, units,
          section, lo, hi, scale * kLog2E,
          Dropped(Biased(Blocks{pattern, block, local, stride, global}, bias, distances, behind, nullptr),
                  Drops(rng, threshold, factor, site)));
}
EXPORT(attention_dropped_bf16)
