// attention_dropped_flash: attention.cu with dropped weights (attention_drops.cuh), bf16. A warp draws the words of its
// scores behind the softmax, 32 blocks of Philox for 16 × 8 of them, and clears what is dropped of the rounded
// probabilities; 1/(1-p) is multiplied in at the end. Which weights are dropped does not depend on tiles.
//
//   head size   warps × rows   keys a tile   shared memory
//   32 … 128    4 × 16         64            16 … 64 KB
//   256         4 × 16         32            80 KB
//
// Bound: the words. Of 16 × 8 scores they take some 100 instructions a lane, their products D / 4 mma forward.
#include "attention_flash.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, y, lse, T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi,  \
      scale * kLog2E, Dropping(Drops(rng, threshold, factor, site))

KERNEL(attention_dropped_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const int* rng, int threshold, float factor, int site) {
  flash<32, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_dropped_d32_bf16)

KERNEL(attention_dropped_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const int* rng, int threshold, float factor, int site) {
  flash<64, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_dropped_d64_bf16)

KERNEL(attention_dropped_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const int* rng, int threshold, float factor, int site) {
  flash<96, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_dropped_d96_bf16)

KERNEL(attention_dropped_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const int* rng, int threshold, float factor, int site) {
  flash<128, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_dropped_d128_bf16)

KERNEL(attention_dropped_d256_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const int* rng, int threshold, float factor, int site) {
  flash<256, 1, 4, 32>(ARGUMENTS);
}
EXPORT(attention_dropped_d256_bf16)
