// attention_backward: the gradients of attention, bf16, head sizes 32, 64, 96, 128 and 256, in one pass.
//
//   P = exp(scale · q·kᵀ - lse),  δ = Σ dy·y,  dS = P ∘ (dy·vᵀ - δ)
//   dv = Pᵀ·dy,  dk = scale · dSᵀ·q,  dq = scale · dS·k                              (FlashAttention-2, Dao 2023)
//
// A block owns a tile of keys and walks over the queries of all heads of its group: five products a pair of tiles.
// Transposed, rows are keys: S = k·qᵀ and dP = v·dyᵀ stay in registers, where P and dS are the first operands of dv and
// dk, two sums of the block. dS goes through shared memory too, since dq = dS·k adds up over the keys of all warps.
//
// dq is a sum over blocks, in the order of their tickets: a block adds its product to float32 sums in device memory when
// the block before it has, and hands on. The first one stores, the last one rounds and writes dq. A ticket is taken when
// a block begins, and blocks wait for lower ones only, so there is no deadlock however few blocks run at a time.
// Tickets go from the last tile of keys down and queries upwards: under a causal mask every block is a step behind the
// one before it from the start, and no one waits (the shortest first; flash-attention 3 measures 474 against 361
// TFLOP/s). The products of a tile of queries come in descending order of 16 keys whatever the tile, so the bits of all
// three results do not depend on its size.
//
//   head size   keys a block   warps × rows   queries a tile   shared memory   blocks an SM of sm_90
//   32, 64      128            4 × 32         64               49, 81 KB       2 (registers)
//   64          64             4 × 16         64               57 KB           3
//   96          64             4 × 16         64               81 KB           2
//   128         128            8 × 16         64               145 KB          1
//               64             4 × 16         32               69 KB           2 (registers)
//   256         64             8 × 16         32               137 KB          1
//
// Shared memory holds the keys and values of the tile, pairs of tiles (q, dy) twice, the next copied while this one is
// used, and dS. At head size 256 two warps share 16 keys: each has half of the queries for S and dP and half of the
// head for dk and dv, so that P goes through shared memory as well.
//
// Sums of the gradients' rows, which are gradients of biases, leave the registers with the gradients: of 64 keys and of
// 32 queries (16 at head size 96) a block writes what they add up to, whatever its tile, and columnsum_final adds up
// the rest: a sixteenth of the bytes that reading the gradients again would take.
//
// Bound: 10·T·S·D FLOP a head, half of it under a causal mask; compute-bound as the forward pass. The sums of dq cost
// 8 bytes of the L2 cache an element, head and tile of keys: 64 KB beside 10.5 MFLOP at head size 128. They are asked
// for before the product of dk, and handed on behind the barrier of the next pair.
#include "attention_gradient.cuh"

using namespace attention;

// stats: Stats(B, H, ⌈T / 64⌉) of y, dy(B·T, H·hd) and lse(B, H, T), and zeros in flags. Eight lanes a query and head;
// 16-byte loads where rows allow them. There are no more flags than lanes.
template <class T>
__device__ void query_stats(const T* y, const T* dy, const float* lse, Stats* stats, int* flags, int count, int tokens,
                            int heads, int hd, int rows) {
  int thread = blockIdx.x * blockDim.x + threadIdx.x, at = thread / 8, lane = threadIdx.x & 7;
  if (thread < count) flags[thread] = 0;
  int groups = cdiv(tokens, kBoundsTokens), padded = groups * kBoundsTokens;
  int head = at % heads, token = at / heads % padded, sequence = at / heads / padded;
  bool valid = at < rows && token < tokens;  // lanes beyond take part in the shuffles
  size_t row = valid ? (((size_t)sequence * tokens + token) * heads + head) * hd : 0;
  float sum = 0;
  if (hd % Pack<T>::size == 0 && aligned16(y) && aligned16(dy)) {
    for (int d = lane * Pack<T>::size; d < hd; d += 8 * Pack<T>::size) {
      Pack<T> a = Pack<T>::load(y + row + d), b = Pack<T>::load(dy + row + d);
#pragma unroll
      for (int i = 0; i < Pack<T>::size; i++) sum += to_float(a[i]) * to_float(b[i]);
    }
  } else {
    for (int d = lane; d < hd; d += 8) sum += to_float(y[row + d]) * to_float(dy[row + d]);
  }
  for (int step = 4; step > 0; step >>= 1) sum += __shfl_xor_sync(FULL_WARP, sum, step);
  if (at >= rows || lane != 0) return;
  size_t of_head = (size_t)sequence * heads + head;
  Stats& group = stats[of_head * groups + token / kBoundsTokens];
  group.lse[token % kBoundsTokens] = valid ? lse[of_head * tokens + token] * kLog2E : INFINITY;
  group.delta[token % kBoundsTokens] = valid ? sum : 0;
}

KERNEL(attention_backward_stats_f32, 256)
(const float* y, const float* dy, const float* lse, Stats* stats, int* flags, int count, int tokens, int heads, int hd,
 int rows) {
  query_stats(y, dy, lse, stats, flags, count, tokens, heads, hd, rows);
}
EXPORT(attention_backward_stats_f32)

KERNEL(attention_backward_stats_bf16, 256)
(const bf16* y, const bf16* dy, const float* lse, Stats* stats, int* flags, int count, int tokens, int heads, int hd,
 int rows) {
  query_stats(y, dy, lse, stats, flags, count, tokens, heads, hd, rows);
}
EXPORT(attention_backward_stats_bf16)

// q, k, v have the row strides ldq and ldkv, their gradients the same; dy is (B·T, H·D). sums are the values of DqSums,
// flags its tickets and flags, all 0; query_sums and key_sums as in Gradients; units = B · key heads.
#define ARGUMENTS                                                                                                   \
  Side<bf16>{k, v, ldkv, ldkv, kv_heads, {ksegments, kbounds, S}},                                                  \
      Side<bf16>{q, dy, ldq, 0, heads, {qsegments, qbounds, T}}, stats, DqSums{sums, flags, flags + 1},         \
      Gradients{dq, dk, dv, query_sums, key_sums}, units, section, Band{lo, hi, S}.transposed(T), scale

KERNEL(attention_backward_d32_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<32, 2, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_d32_bf16)

KERNEL(attention_backward_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<64, 2, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_d64_bf16)

KERNEL(attention_backward_keys64_d64_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<64, 1, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_keys64_d64_bf16)

KERNEL(attention_backward_d96_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<96, 1, 4, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_d96_bf16)

KERNEL(attention_backward_d128_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<128, 1, 8, 1, 64>(ARGUMENTS);
}
EXPORT(attention_backward_d128_bf16)

KERNEL(attention_backward_keys64_d128_bf16, 128)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<128, 1, 4, 1, 32>(ARGUMENTS);
}
EXPORT(attention_backward_keys64_d128_bf16)

KERNEL(attention_backward_d256_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const Stats* stats, const int* qsegments,
 const int* ksegments, const Bounds* qbounds, const Bounds* kbounds, float* sums, int* flags, bf16* dq, bf16* dk,
 bf16* dv, float* query_sums, float* key_sums, int T, int S, int heads, int kv_heads, int ldq, int ldkv, int units,
 int section, int lo, int hi, float scale) {
  flash_gradient<256, 1, 8, 2, 32>(ARGUMENTS);
}
EXPORT(attention_backward_d256_bf16)
