// attention_backward_biased: attention_backward_general with a bias by distance; see attention_biased.cu. The pass over
// tiles of queries sums up the gradient of the bias by tiles, and "sum" adds the tiles of a head in their order.
#include "attention_backward_general.cuh"
#include "attention_biased.cuh"

using namespace attention;

#define SHAPE(parts)                                                                       \
  T, S, heads, kv_heads, hd, ldq, ldkv, units, section, lo, hi, scale,                     \
      Biased(Blocks{pattern, block, local, stride, global}, bias, distances, behind, parts)

KERNEL(attention_backward_biased_keys_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dk, float* dv, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE(nullptr));
}
EXPORT(attention_backward_biased_keys_f32)

KERNEL(attention_backward_biased_queries_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dq, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind,
 float* parts) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE(parts));
}
EXPORT(attention_backward_biased_queries_f32)

KERNEL(attention_backward_biased_keys_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE(nullptr));
}
EXPORT(attention_backward_biased_keys_bf16)

KERNEL(attention_backward_biased_queries_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads, int hd,
 int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local, int stride,
 int global, const float* bias, int distances, int behind,
 float* parts) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE(parts));
}
EXPORT(attention_backward_biased_queries_bf16)

// sum: parts(B, heads, tiles, distances) → dbias(heads, distances). A thread an element.
KERNEL(attention_backward_biased_sum, 256)
(const float* parts, float* dbias, int sequences, int heads, int tiles, int distances) {
  int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= heads * distances) return;
  int head = at / distances, column = at % distances;
  float sum = 0;
  for (int b = 0; b < sequences; b++) {
    const float* rows = parts + (size_t)(b * heads + head) * tiles * distances + column;
    for (int i = 0; i < tiles; i++) sum += rows[(size_t)i * distances];
  }
  dbias[at] = sum;
}
EXPORT(attention_backward_biased_sum)
