// attention_sparse_flash: attention.cu for patterns of blocks (Child et al. 2019), bf16: a tile of 64 queries lies in one
// block of the pattern, as a tile of keys does, so that it sees a tile of keys whole, as far as the pattern goes, or
// skips it unread. The bits are those of attention.cu where the pattern leaves nothing out. Bound: as there, by the tiles
// that are seen.
//
//   head size   warps × rows   keys a tile   shared memory
//   32 … 128    4 × 16         64            16 … 64 KB
//   256         4 × 16         32            80 KB
#include "attention_flash.cuh"
#include "attention_sparse.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, y, lse, T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi,  \
      scale * kLog2E, TilesOf<false>{{pattern, block, local, stride, global}, S - T}

KERNEL(attention_sparse_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, int pattern, int block, int local, int stride, int global) {
  flash<32, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_sparse_d32_bf16)

KERNEL(attention_sparse_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, int pattern, int block, int local, int stride, int global) {
  flash<64, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_sparse_d64_bf16)

KERNEL(attention_sparse_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, int pattern, int block, int local, int stride, int global) {
  flash<96, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_sparse_d96_bf16)

KERNEL(attention_sparse_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, int pattern, int block, int local, int stride, int global) {
  flash<128, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_sparse_d128_bf16)

KERNEL(attention_sparse_d256_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, int pattern, int block, int local, int stride, int global) {
  flash<256, 1, 4, 32>(ARGUMENTS);
}
EXPORT(attention_sparse_d256_bf16)
