// relative_attention_backward.cu: gradients of RelativeAttention.
//
//   p = exp(score - lse),  ds = p·(dy·v - Σ dy·y)·scale
//   dq = ds·k,  dqr = ds·r,  dk = dsᵀ·q,  dv = pᵀ·dy,  dr[x] = Σ over batches and queries of ds·qr, at key s = x - T+1 + t
//
// "dots" has Σ dy·y of each query and head, then "queries", "keys" and "distances" each own tiles of what they write and
// compute the scores again, so that every sum has one order. What a block does not own passes through one buffer in
// turn. Grids: (tiles, heads, batches), of distances (tiles, heads). Bound: shared memory, as forward.
#include "relative.cuh"

using namespace relative;

namespace {

// dots: dot[(b·H + h)·T + t] = Σ dy·y of a head. A warp a row.
template <class T>
__device__ void dots(const T* y, const T* dy, float* dot, int t, int heads, int hd, int rows) {
  const int row = blockIdx.x * kWarps + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) {
    return;
  }
  const int batch = row / (heads * t), head = row / t % heads, query = row % t;
  const long long at = ((long long)(batch * t + query) * heads + head) * hd;
  float sum = 0;
  for (int d = lane; d < hd; d += 32) {
    sum += to_float(y[at + d]) * to_float(dy[at + d]);
  }
  sum = warp_sum(sum);
  if (lane == 0) {
    dot[row] = sum;
  }
}

// probability of a scaled score in units of log 2.
__device__ __forceinline__ float probability(float score, float lse) { return exp2f(score - lse * kLog2E); }

// queries: dq and dqr of a tile of queries, by tiles of 32 keys; a lane a key.
template <int Q, class T>
__device__ void queries(const T* q, const T* k, const T* v, const T* qr, const T* r, const int* reach, const float* lse, const T* dy,
                        const float* dots, T* dq, T* dqr, Shape z) {
  constexpr int C = 8 / Q, N = kWarps * Q;
  const int tile = blockIdx.x * N, head = blockIdx.y, batch = blockIdx.z, stride = z.hd + 1;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n = min(N, z.t - tile), last = (batch + 1) * z.t;
  DYNAMIC_SHARED(float, near);            // (N, stride): q
  float* far = near + N * stride;         // (N, stride): qr
  float* grad = far + N * stride;         // (N, stride): dy
  float* keys = grad + N * stride;        // (32, stride): values, then keys
  float* rows = keys + kLanes * stride;   // (N + 31, stride): r
  load(near, q, batch * z.t + tile, n, last, head, z);
  load(far, qr, batch * z.t + tile, n, last, head, z);
  load(grad, dy, batch * z.t + tile, n, last, head, z);

  float sum[Q][C] = {}, sumr[Q][C] = {};
  const int shift = z.s - z.t, end = min(z.s, tile + N + shift);
  const int begin = z.window > 0 ? max(0, tile + shift - z.window + 1) / kLanes * kLanes : 0;
  for (int key0 = begin; key0 < end; key0 += kLanes) {
    __syncthreads();
    load(keys, v, batch * z.s + key0, kLanes, (batch + 1) * z.s, head, z);
    load(rows, r, key0 + z.t - tile - N, N + kLanes - 1, z.s, head, z);
    __syncthreads();
    float dp[Q];
#pragma unroll
    for (int i = 0; i < Q; i++) {
      dp[i] = warp * Q + i < n ? dot(grad + (warp * Q + i) * stride, keys + lane * stride, z.hd) : 0.f;
    }
    __syncthreads();
    load(keys, k, batch * z.s + key0, kLanes, (batch + 1) * z.s, head, z);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Q; i++) {
      const int own = warp * Q + i, query = tile + own;
      float ds = 0;
      if (z.sees(query, key0 + lane, reach_of(reach, batch, z, query))) {
        const float score = dot(near + own * stride, keys + lane * stride, z.hd) + dot(far + own * stride, rows + (lane + N - 1 - own) * stride, z.hd);
        const int at = (batch * z.heads + head) * z.t + query;
        ds = probability(score * z.scale * kLog2E, lse[at]) * (dp[i] - dots[at]) * z.scale;
      }
      add<C>(sum[i], ds, keys, stride, z.hd);
      add<C>(sumr[i], ds, rows + (N - 1 - own) * stride, stride, z.hd);
    }
  }
#pragma unroll
  for (int i = 0; i < Q; i++) {
    if (const int query = tile + warp * Q + i; query < z.t) {
      store<C>(dq, batch * z.t + query, head, sum[i], 1.f, z);
      store<C>(dqr, batch * z.t + query, head, sumr[i], 1.f, z);
    }
  }
}

// keys: dk and dv of a tile of keys, by tiles of 32 queries; a lane a query.
template <int Q, class T>
__device__ void keys(const T* q, const T* k, const T* v, const T* qr, const T* r, const int* reach, const float* lse, const T* dy,
                     const float* dots, T* dk, T* dv, Shape z) {
  constexpr int C = 8 / Q, N = kWarps * Q;
  const int tile = blockIdx.x * N, head = blockIdx.y, batch = blockIdx.z, stride = z.hd + 1;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n = min(N, z.s - tile), last = (batch + 1) * z.t;
  DYNAMIC_SHARED(float, own_k);                // (N, stride)
  float* own_v = own_k + N * stride;           // (N, stride)
  float* side = own_v + N * stride;            // (32, stride): qr, q, dy and q again
  float* rows = side + kLanes * stride;        // (N + 31, stride): r
  load(own_k, k, batch * z.s + tile, n, (batch + 1) * z.s, head, z);
  load(own_v, v, batch * z.s + tile, n, (batch + 1) * z.s, head, z);

  float sumk[Q][C] = {}, sumv[Q][C] = {};
  const int shift = z.s - z.t, begin = max(0, tile - shift) / kLanes * kLanes;
  const int end = z.window > 0 ? min(z.t, tile + N - shift + z.window) : z.t;
  for (int query0 = begin; query0 < end; query0 += kLanes) {
    const int from = batch * z.t + query0, query = query0 + lane, at = (batch * z.heads + head) * z.t + query;
    const int limit = reach_of(reach, batch, z, query);
    float p[Q], ds[Q];
    __syncthreads();
    load(side, qr, from, kLanes, last, head, z);
    load(rows, r, tile + z.t - query0 - kLanes, N + kLanes - 1, z.s, head, z);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Q; i++) {  // row of r: key + T-1 - query
      p[i] = dot(side + lane * stride, rows + (warp * Q + i + kLanes - 1 - lane) * stride, z.hd);
    }
    __syncthreads();
    load(side, q, from, kLanes, last, head, z);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Q; i++) {
      const bool seen = warp * Q + i < n && z.sees(query, tile + warp * Q + i, limit);
      p[i] = seen ? probability((p[i] + dot(side + lane * stride, own_k + (warp * Q + i) * stride, z.hd)) * z.scale * kLog2E, lse[at]) : 0.f;
    }
    __syncthreads();
    load(side, dy, from, kLanes, last, head, z);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Q; i++) {
      ds[i] = 0;
      if (p[i] != 0) {
        ds[i] = p[i] * (dot(side + lane * stride, own_v + (warp * Q + i) * stride, z.hd) - dots[at]) * z.scale;
      }
      add<C>(sumv[i], p[i], side, stride, z.hd);
    }
    __syncthreads();
    load(side, q, from, kLanes, last, head, z);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Q; i++) {
      add<C>(sumk[i], ds[i], side, stride, z.hd);
    }
  }
#pragma unroll
  for (int i = 0; i < Q; i++) {
    if (const int key = tile + warp * Q + i; key < z.s) {
      store<C>(dk, batch * z.s + key, head, sumk[i], 1.f, z);
      store<C>(dv, batch * z.s + key, head, sumv[i], 1.f, z);
    }
  }
}

// distances: dr of a tile of distances, by batches and tiles of 32 queries; a lane a query.
template <int Q, class T>
__device__ void distances(const T* q, const T* k, const T* v, const T* qr, const T* r, const int* reach, const float* lse, const T* dy,
                          const float* dots, T* dr, int batches, Shape z) {
  constexpr int C = 8 / Q, N = kWarps * Q;
  const int tile = blockIdx.x * N, head = blockIdx.y, stride = z.hd + 1;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n = min(N, z.s - tile);
  DYNAMIC_SHARED(float, own);                  // (N, stride): r
  float* side = own + N * stride;              // (32, stride): qr, q, dy and qr again
  float* band = side + kLanes * stride;        // (N + 31, stride): the keys, then values, of the tile's pairs
  load(own, r, tile, n, z.s, head, z);

  float sum[Q][C] = {};
  for (int batch = 0; batch < batches; batch++) {
    const int last = (batch + 1) * z.t;
    for (int query0 = 0; query0 < z.t; query0 += kLanes) {
      const int from = batch * z.t + query0, query = query0 + lane, at = (batch * z.heads + head) * z.t + query;
      const int key0 = tile - z.t + 1 + query0;  // of the first distance and query; the key of another is as far behind
      if (key0 >= z.s || key0 + N + kLanes - 1 <= 0) {
        continue;
      }
      const int limit = reach_of(reach, batch, z, query);
      float p[Q], ds[Q];
      __syncthreads();
      load(side, qr, from, kLanes, last, head, z);
      __syncthreads();
#pragma unroll
      for (int i = 0; i < Q; i++) {
        p[i] = warp * Q + i < n ? dot(side + lane * stride, own + (warp * Q + i) * stride, z.hd) : 0.f;
      }
      __syncthreads();
      load(side, q, from, kLanes, last, head, z);
      // Keys before the sequence would be those of the batch before: they stay what they are, and nothing sees them.
      load(band, k, batch * z.s + key0, N + kLanes - 1, (batch + 1) * z.s, head, z);
      __syncthreads();
#pragma unroll
      for (int i = 0; i < Q; i++) {
        const int key = key0 + warp * Q + i + lane;
        const bool seen = warp * Q + i < n && z.sees(query, key, limit);
        p[i] = seen ? probability((p[i] + dot(side + lane * stride, band + (warp * Q + i + lane) * stride, z.hd)) * z.scale * kLog2E, lse[at]) : 0.f;
      }
      __syncthreads();
      load(side, dy, from, kLanes, last, head, z);
      load(band, v, batch * z.s + key0, N + kLanes - 1, (batch + 1) * z.s, head, z);
      __syncthreads();
#pragma unroll
      for (int i = 0; i < Q; i++) {
        ds[i] = 0;
        if (p[i] != 0) {
          ds[i] = p[i] * (dot(side + lane * stride, band + (warp * Q + i + lane) * stride, z.hd) - dots[at]) * z.scale;
        }
      }
      __syncthreads();
      load(side, qr, from, kLanes, last, head, z);
      __syncthreads();
#pragma unroll
      for (int i = 0; i < Q; i++) {
        add<C>(sum[i], ds[i], side, stride, z.hd);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < Q; i++) {
    if (const int row = tile + warp * Q + i; row < z.s) {
      store<C>(dr, row, head, sum[i], 1.f, z);
    }
  }
}

}  // namespace

KERNEL(relative_attention_backward_dots_f32, 256)
(const float* y, const float* dy, float* dot, int t, int heads, int hd, int rows) {
  dots(y, dy, dot, t, heads, hd, rows);
}
EXPORT(relative_attention_backward_dots_f32)

KERNEL(relative_attention_backward_queries_q4_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dq, float* dqr, int t, int s, int heads, int hd, int window, float scale) {
  queries<4>(q, k, v, qr, r, reach, lse, dy, dot, dq, dqr, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_queries_q4_f32)

KERNEL(relative_attention_backward_keys_q4_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dk, float* dv, int t, int s, int heads, int hd, int window, float scale) {
  keys<4>(q, k, v, qr, r, reach, lse, dy, dot, dk, dv, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_keys_q4_f32)

KERNEL(relative_attention_backward_distances_q4_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dr, int batches, int t, int s, int heads, int hd, int window, float scale) {
  distances<4>(q, k, v, qr, r, reach, lse, dy, dot, dr, batches, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_distances_q4_f32)

KERNEL(relative_attention_backward_queries_q2_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dq, float* dqr, int t, int s, int heads, int hd, int window, float scale) {
  queries<2>(q, k, v, qr, r, reach, lse, dy, dot, dq, dqr, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_queries_q2_f32)

KERNEL(relative_attention_backward_keys_q2_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dk, float* dv, int t, int s, int heads, int hd, int window, float scale) {
  keys<2>(q, k, v, qr, r, reach, lse, dy, dot, dk, dv, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_keys_q2_f32)

KERNEL(relative_attention_backward_distances_q2_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dr, int batches, int t, int s, int heads, int hd, int window, float scale) {
  distances<2>(q, k, v, qr, r, reach, lse, dy, dot, dr, batches, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_distances_q2_f32)

KERNEL(relative_attention_backward_queries_q1_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dq, float* dqr, int t, int s, int heads, int hd, int window, float scale) {
  queries<1>(q, k, v, qr, r, reach, lse, dy, dot, dq, dqr, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_queries_q1_f32)

KERNEL(relative_attention_backward_keys_q1_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dk, float* dv, int t, int s, int heads, int hd, int window, float scale) {
  keys<1>(q, k, v, qr, r, reach, lse, dy, dot, dk, dv, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_keys_q1_f32)

KERNEL(relative_attention_backward_distances_q1_f32, 256)
(const float* q, const float* k, const float* v, const float* qr, const float* r, const int* reach, const float* lse, const float* dy, const float* dot,
 float* dr, int batches, int t, int s, int heads, int hd, int window, float scale) {
  distances<1>(q, k, v, qr, r, reach, lse, dy, dot, dr, batches, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_distances_q1_f32)

KERNEL(relative_attention_backward_dots_bf16, 256)
(const bf16* y, const bf16* dy, float* dot, int t, int heads, int hd, int rows) {
  dots(y, dy, dot, t, heads, hd, rows);
}
EXPORT(relative_attention_backward_dots_bf16)

KERNEL(relative_attention_backward_queries_q4_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dq, bf16* dqr, int t, int s, int heads, int hd, int window, float scale) {
  queries<4>(q, k, v, qr, r, reach, lse, dy, dot, dq, dqr, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_queries_q4_bf16)

KERNEL(relative_attention_backward_keys_q4_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dk, bf16* dv, int t, int s, int heads, int hd, int window, float scale) {
  keys<4>(q, k, v, qr, r, reach, lse, dy, dot, dk, dv, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_keys_q4_bf16)

KERNEL(relative_attention_backward_distances_q4_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dr, int batches, int t, int s, int heads, int hd, int window, float scale) {
  distances<4>(q, k, v, qr, r, reach, lse, dy, dot, dr, batches, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_distances_q4_bf16)

KERNEL(relative_attention_backward_queries_q2_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dq, bf16* dqr, int t, int s, int heads, int hd, int window, float scale) {
  queries<2>(q, k, v, qr, r, reach, lse, dy, dot, dq, dqr, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_queries_q2_bf16)

KERNEL(relative_attention_backward_keys_q2_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dk, bf16* dv, int t, int s, int heads, int hd, int window, float scale) {
  keys<2>(q, k, v, qr, r, reach, lse, dy, dot, dk, dv, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_keys_q2_bf16)

KERNEL(relative_attention_backward_distances_q2_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dr, int batches, int t, int s, int heads, int hd, int window, float scale) {
  distances<2>(q, k, v, qr, r, reach, lse, dy, dot, dr, batches, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_distances_q2_bf16)

KERNEL(relative_attention_backward_queries_q1_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dq, bf16* dqr, int t, int s, int heads, int hd, int window, float scale) {
  queries<1>(q, k, v, qr, r, reach, lse, dy, dot, dq, dqr, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_queries_q1_bf16)

KERNEL(relative_attention_backward_keys_q1_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dk, bf16* dv, int t, int s, int heads, int hd, int window, float scale) {
  keys<1>(q, k, v, qr, r, reach, lse, dy, dot, dk, dv, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_keys_q1_bf16)

KERNEL(relative_attention_backward_distances_q1_bf16, 256)
(const bf16* q, const bf16* k, const bf16* v, const bf16* qr, const bf16* r, const int* reach, const float* lse, const bf16* dy, const float* dot,
 bf16* dr, int batches, int t, int s, int heads, int hd, int window, float scale) {
  distances<1>(q, k, v, qr, r, reach, lse, dy, dot, dr, batches, Shape{t, s, heads, hd, window, scale});
}
EXPORT(relative_attention_backward_distances_q1_bf16)
