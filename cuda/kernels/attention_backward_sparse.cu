// attention_backward_sparse: attention_backward_general for patterns of blocks; see attention_sparse.cu.
#include "attention_backward_general.cuh"
#include "attention_sparse.cuh"

using namespace attention;

#define SHAPE                                                                              \
  T, S, heads, kv_heads, hd, ldq, ldkv, units, section, lo, hi, scale,                     \
      Blocks { pattern, block, local, stride, global }

KERNEL(attention_backward_sparse_keys_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dk, float* dv, int T, int S, int heads,
 int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern,
 int block, int local, int stride, int global) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE);
}
EXPORT(attention_backward_sparse_keys_f32)

KERNEL(attention_backward_sparse_keys_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern,
 int block, int local, int stride, int global) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE);
}
EXPORT(attention_backward_sparse_keys_bf16)

KERNEL(attention_backward_sparse_queries_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dq, int T, int S, int heads, int kv_heads,
 int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern,
 int block, int local, int stride, int global) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE);
}
EXPORT(attention_backward_sparse_queries_f32)

KERNEL(attention_backward_sparse_queries_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern,
 int block, int local, int stride, int global) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE);
}
EXPORT(attention_backward_sparse_queries_bf16)
