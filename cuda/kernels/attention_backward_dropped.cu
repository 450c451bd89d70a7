// attention_backward_dropped: attention_backward_biased, whose bias may be absent here, with dropped weights; see
// attention_dropped.cu. Of weights P and factors F, 0 or 1/(1-p): dv = (P ∘ F)ᵀ·dy and dS = P ∘ (F ∘ dy·vᵀ - δ).
#include "attention_backward_general.cuh"
#include "attention_dropped.cuh"
#define MIN_BLOCKS 2
#include "min_blocks.cuh"

using namespace attention;

#define SHAPE(parts)                                                                                     \
  T, S, heads, kv_heads, hd, ldq, ldkv, units, section, lo, hi, scale,                                   \
      Dropped(Biased(Blocks{pattern, block, local, stride, global}, bias, distances, behind, parts),     \
              Drops(rng, threshold, factor, site))

KERNEL(attention_backward_dropped_keys_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dk, float* dv, int T, int S, int heads,
 int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block,
 int local, int stride, int global, const float* bias, int distances, int behind, const int* rng, int threshold,
 float factor, int site) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE(nullptr));
}
EXPORT(attention_backward_dropped_keys_f32)

KERNEL(attention_backward_dropped_queries_f32, 256)
(const float* q, const float* k, const float* v, const float* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* dq, int T, int S, int heads, int kv_heads,
 int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local,
 int stride, int global, const float* bias, int distances, int behind, const int* rng, int threshold, float factor,
 int site, float* parts) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE(parts));
}
EXPORT(attention_backward_dropped_queries_f32)

KERNEL(attention_backward_dropped_keys_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dk, bf16* dv, int T, int S, int heads,
 int kv_heads, int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block,
 int local, int stride, int global, const float* bias, int distances, int behind, const int* rng, int threshold,
 float factor, int site) {
  general_keys(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dk, dv, SHAPE(nullptr));
}
EXPORT(attention_backward_dropped_keys_bf16)

KERNEL(attention_backward_dropped_queries_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, bf16* dq, int T, int S, int heads, int kv_heads,
 int hd, int ldq, int ldkv, int units, int section, int lo, int hi, float scale, int pattern, int block, int local,
 int stride, int global, const float* bias, int distances, int behind, const int* rng, int threshold, float factor,
 int site, float* parts) {
  general_queries(q, k, v, dy, stats, qsegments, ksegments, qbounds, kbounds, dq, SHAPE(parts));
}
EXPORT(attention_backward_dropped_queries_bf16)
