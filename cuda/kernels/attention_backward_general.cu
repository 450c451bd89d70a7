// attention_backward_general: the gradients of attention in float32 arithmetic for any head size up to 256, elements
// float32 or bf16: the two passes of attention_backward.cu with the tiles of attention_simt.cuh.
//
// Shared memory: two tiles of rows, two of columns, P and dS: 4 · 32 · row_stride(hd) elements and 8.5 KB, 142 KB at
// head size 256 in float32, 75 KB in bf16. Bound: shared memory, as in attention_general.cu.
#include "attention_backward_general.cuh"

using namespace attention;

#define SHAPE T, S, heads, kv_heads, hd, ldq, ldkv, units, section, lo, hi, scale, Everything{}

KERNEL(attention_backward_general_keys_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dk, float* dv, int T, int S, int heads,
 int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE);
}
EXPORT(attention_backward_general_keys_f32)

KERNEL(attention_backward_general_keys_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE);
}
EXPORT(attention_backward_general_keys_bf16)

KERNEL(attention_backward_general_queries_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dq, int T, int S, int heads, int kv_heads,
 int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE);
}
EXPORT(attention_backward_general_queries_f32)

KERNEL(attention_backward_general_queries_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE);
}
EXPORT(attention_backward_general_queries_bf16)
