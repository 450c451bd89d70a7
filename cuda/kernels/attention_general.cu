// attention_general: attention (see attention.cu) in float32 arithmetic for any head size up to 256, elements float32
// or bf16. It serves parity runs and odd head sizes, and attention over float32 caches.
//
// A block owns 32 queries of one head and walks over tiles of 32 keys as the tensor-core kernel does; the scores of a
// tile pass through shared memory, never through global memory. Shared memory: three tiles of 32 rows and the scores,
// 3 · 32 · row_stride(hd) elements and 4.2 KB: 104 KB at head size 256 in float32, 54 KB in bf16, 87 KB for bf16 over
// caches in float32. Bound: shared memory, 4 loads of 4 elements for 16 multiplications in q·kᵀ.
#include "attention_general.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, position, y, lse, T, S, heads, kv_heads, hd, ldq, ldkv, units,      \
      section, lo, hi, scale * kLog2E, Everything{}

KERNEL(attention_general_f32, 256)
(const float* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, float* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general(ARGUMENTS);
}
EXPORT(attention_general_f32)

KERNEL(attention_general_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general(ARGUMENTS);
}
EXPORT(attention_general_bf16)

// Queries in bf16 over caches in float32.
KERNEL(attention_general_cached_bf16, 256)
(const bf16* q, const float* k, const float* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, const int* position, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general(ARGUMENTS);
}
EXPORT(attention_general_cached_bf16)
