// attention_sparse: attention_general for patterns of blocks (Child et al. 2019): a tile of keys that no query of the
// block sees costs a comparison. Bound and memory are those of attention_general.cu.
#include "attention_general.cuh"
#include "attention_sparse.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, position, y, lse, T, S, heads, kv_heads, hd, ldq, ldkv, units,      \
      section, lo, hi, scale * kLog2E, Blocks{pattern, block, local, stride, global}

KERNEL(attention_sparse_f32, 256)
(const float* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, float* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global) {
  general(ARGUMENTS);
}
EXPORT(attention_sparse_f32)

KERNEL(attention_sparse_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global) {
  general(ARGUMENTS);
}
EXPORT(attention_sparse_bf16)

// Queries in bf16 over caches in float32.
KERNEL(attention_sparse_cached_bf16, 256)
(const bf16* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global) {
  general(ARGUMENTS);
}
EXPORT(attention_sparse_cached_bf16)
