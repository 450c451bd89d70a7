// attention: y = softmax(scale · q·kᵀ + mask) · v and its log-sum-exp, bf16, head sizes 32, 64, 96, 128 and 256.
//
// FlashAttention-2 (Dao 2023): a block of warps owns a tile of queries of one head, a warp 16 or 32 of them; it walks
// over tiles of keys with a running maximum and sum of each row in registers and never stores a score. Tiles that no row
// of the block sees, by the band or by segments, are skipped, and only tiles that some row does not see whole are
// masked. The bits of a row depend on the tiles of keys, not on those of queries.
//
// q(B·T, ≥ H·D), k, v(B·S, ≥ G·D) with row strides ldq and ldkv, y(B·T, H·D), lse(B, H, T) natural. Rows that see no
// key give zeros and -inf. Accumulation in float32; scale > 0 times log₂e is multiplied in at the exponential, which
// is one ex2. units = B·H; section, lo and hi: see place and Band.
//
// Shared memory: the queries and a ring of three tiles, alternately keys and values, which cp.async fills two products
// ahead. A warp's ldmatrix of keys or values feeds four mma where it has 32 rows, so that shared memory (48 + 32 ldmatrix
// of 4 cycles per warp and tile at D = 128) stays below the tensor cores' time (256 mma); with 16 rows it feeds two, and
// more warps hide what one waits for. Which is faster, a timing tells (kernels of one head size give the same bits):
//
//   head size   kernel     warps × rows   keys a tile   shared memory   blocks an SM of sm_90
//   64          (first)    4 × 32         64            40 KB           3 (registers)
//               rows64     4 × 16         64            32 KB           4
//               rows256    8 × 32         64            56 KB           1
//   128         (first)    4 × 32         64            80 KB           2 (registers)
//               rows64     4 × 16         64            64 KB           3
//               warps8     8 × 16         64            80 KB           1 (registers)
//   256         (only)     4 × 16         32            80 KB           2
//
// Bound: 4·T·S·D FLOP a head, half of it under a causal mask, for 2·(T + S)·D·2 bytes: compute-bound from some 300
// tokens on. A block reads keys and values of its head once, the blocks of a head share them in L2.
#include "attention_flash.cuh"

using namespace attention;

#define ARGUMENTS                                                                                                     \
  q, k, v, qsegments, ksegments, qbounds, kbounds, y, lse, T, S, heads, kv_heads, ldq, ldkv, units, section, lo, hi,  \
      scale * kLog2E

KERNEL(attention_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<32, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d32_bf16)

KERNEL(attention_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<64, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d64_bf16)

KERNEL(attention_rows64_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<64, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_rows64_d64_bf16)

KERNEL(attention_rows256_d64_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<64, 2, 8, 64>(ARGUMENTS);
}
EXPORT(attention_rows256_d64_bf16)

KERNEL(attention_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<96, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d96_bf16)

KERNEL(attention_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<128, 2, 4, 64>(ARGUMENTS);
}
EXPORT(attention_d128_bf16)

KERNEL(attention_rows64_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<128, 1, 4, 64>(ARGUMENTS);
}
EXPORT(attention_rows64_d128_bf16)

KERNEL(attention_warps8_d128_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<128, 1, 8, 64>(ARGUMENTS);
}
EXPORT(attention_warps8_d128_bf16)

KERNEL(attention_d256_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const int* qsegments, const int* ksegments, const Bounds* qbounds,
 const Bounds* kbounds, bf16* y, float* lse, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash<256, 1, 4, 32>(ARGUMENTS);
}
EXPORT(attention_d256_bf16)
