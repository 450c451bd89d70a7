// relative_attention.cu: RelativeAttention, attention whose scores depend on content and distance.
//
//   y[t] = Σ_s p(t, s)·v[s],  p = softmax over s of score(t, s);  lse[t] = ln Σ_s exp score(t, s)
//
// A block does a tile of 8·Q queries of one head by tiles of 32 keys, with a running maximum and sum (Dao 2023): a lane
// computes the score of a key, both terms in float32, and sums Q rows of C columns of values. Grid (tiles of queries,
// heads, batches). Bound: shared memory, two reads a multiplication; tensor cores are not used.
#include "relative.cuh"

using namespace relative;

namespace {

template <int Q, class T>
__device__ void forward(const T* q, const T* k, const T* v, const T* qr, const T* r, const int* reach, T* y, float* lse, Shape z) {
  constexpr int C = 8 / Q, N = kWarps * Q;
  const int tile = blockIdx.x * N, head = blockIdx.y, batch = blockIdx.z, stride = z.hd + 1;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  DYNAMIC_SHARED(float, queries);             // (N, stride)
  float* far = queries + N * stride;          // (N, stride): qr
  float* keys = far + N * stride;             // (32, stride): keys, then values
  float* rows = keys + kLanes * stride;       // (N + 31, stride): r
  load(queries, q, batch * z.t + tile, min(N, z.t - tile), batch * z.t + z.t, head, z);
  load(far, qr, batch * z.t + tile, min(N, z.t - tile), batch * z.t + z.t, head, z);

  float out[Q][C] = {}, top[Q], sum[Q];
  int limit[Q];
#pragma unroll
  for (int i = 0; i < Q; i++) {
    top[i] = -FLT_MAX;
    sum[i] = 0;
    limit[i] = reach_of(reach, batch, z, tile + warp * Q + i);
  }
  const int shift = z.s - z.t, end = min(z.s, tile + N + shift);
  const int begin = z.window > 0 ? max(0, tile + shift - z.window + 1) / kLanes * kLanes : 0;
  for (int key0 = begin; key0 < end; key0 += kLanes) {
    __syncthreads();
    load(keys, k, batch * z.s + key0, min(kLanes, z.s - key0), batch * z.s + z.s, head, z);
    load(rows, r, key0 + z.t - tile - N, N + kLanes - 1, z.s, head, z);
    __syncthreads();
    float p[Q];
#pragma unroll
    for (int i = 0; i < Q; i++) {
      const int own = warp * Q + i;
      const bool seen = z.sees(tile + own, key0 + lane, limit[i]);
      float score = -FLT_MAX;
      if (seen) {
        score = dot(queries + own * stride, keys + lane * stride, z.hd) + dot(far + own * stride, rows + (lane + N - 1 - own) * stride, z.hd);
        score *= z.scale * kLog2E;
      }
      const float most = fmaxf(top[i], warp_max(score));
      p[i] = seen ? exp2f(score - most) : 0.f;
      const float old = exp2f(top[i] - most);
      sum[i] = sum[i] * old + warp_sum(p[i]);
      top[i] = most;
#pragma unroll
      for (int c = 0; c < C; c++) {
        out[i][c] *= old;
      }
    }
    __syncthreads();
    load(keys, v, batch * z.s + key0, kLanes, batch * z.s + z.s, head, z);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Q; i++) {
      add<C>(out[i], p[i], keys, stride, z.hd);
    }
  }
#pragma unroll
  for (int i = 0; i < Q; i++) {
    const int query = tile + warp * Q + i;
    if (query < z.t) {
      store<C>(y, batch * z.t + query, head, out[i], sum[i] > 0 ? 1 / sum[i] : 0.f, z);
      if (lane == 0) {
        lse[(batch * z.heads + head) * z.t + query] = sum[i] > 0 ? (top[i] + log2f(sum[i])) * kLn2 : -INFINITY;
      }
    }
  }
}

}  // namespace

KERNEL(relative_attention_q4_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, float* y, float* lse,
 int t, int s, int heads, int hd, int window, float scale) {
  forward<4>(q, k, v, qr, r, reach, y, lse, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_q4_f32)

KERNEL(relative_attention_q2_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, float* y, float* lse,
 int t, int s, int heads, int hd, int window, float scale) {
  forward<2>(q, k, v, qr, r, reach, y, lse, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_q2_f32)

KERNEL(relative_attention_q1_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, float* y, float* lse,
 int t, int s, int heads, int hd, int window, float scale) {
  forward<1>(q, k, v, qr, r, reach, y, lse, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_q1_f32)

KERNEL(relative_attention_q4_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, bf16* y, float* lse,
 int t, int s, int heads, int hd, int window, float scale) {
  forward<4>(q, k, v, qr, r, reach, y, lse, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_q4_bf16)

KERNEL(relative_attention_q2_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, bf16* y, float* lse,
 int t, int s, int heads, int hd, int window, float scale) {
  forward<2>(q, k, v, qr, r, reach, y, lse, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_q2_bf16)

KERNEL(relative_attention_q1_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, bf16* y, float* lse,
 int t, int s, int heads, int hd, int window, float scale) {
  forward<1>(q, k, v, qr, r, reach, y, lse, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_q1_bf16)
