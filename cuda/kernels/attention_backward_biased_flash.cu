// attention_backward_biased_flash: attention_backward.cu with a bias by distance, bf16, with tiles of 64 keys; see
// attention_biased_flash.cu. The gradient of the bias is what dS adds up to along the diagonals of each pair of tiles,
// from shared memory, where it is rounded for dq; a block has a row of all distances for each head and its tile of keys,
// and attention_backward_biased_sum adds these up.
#include "attention_gradient.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                   \
  Side<bf16>{k, v, ldkv, ldkv, kv_heads, {ksegments, kbounds, S}},                                                  \
      Side<bf16>{q, dy, ldq, 0, heads, {qsegments, qbounds, T}}, stats, DqSums{sums, flags, flags + 1},               \
      Gradients{dq, dk, dv, query_sums, key_sums}, units, section, Band{lo, hi, S}.transposed(T), scale,            \
      Biasing{{}, bias, distances, behind, S - T, 1 / scale, parts}

// Declared for 256 threads: for 128 ptxas keeps to 96 registers on sm_90a, and spills.
KERNEL(attention_backward_biased_d32_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind, float* parts) {
  flash_gradient<32, 1, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_biased_d32_bf16)

KERNEL(attention_backward_biased_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind, float* parts) {
  flash_gradient<64, 1, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_biased_d64_bf16)

KERNEL(attention_backward_biased_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind, float* parts) {
  flash_gradient<96, 1, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_biased_d96_bf16)

KERNEL(attention_backward_biased_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind, float* parts) {
  flash_gradient<128, 1, 4, 1, 32>(ARGUMENTS);
}
EXPORT(attention_backward_biased_d128_bf16)

KERNEL(attention_backward_biased_d256_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale, const float* bias, int distances, int behind, float* parts) {
  flash_gradient<256, 1, 8, 2, 32>(ARGUMENTS);
}
EXPORT(attention_backward_biased_d256_bf16)
