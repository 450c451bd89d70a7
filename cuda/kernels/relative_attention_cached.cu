// relative_attention_cached.cu: RelativeAttentionCached, new tokens attend to the last keys and values of their sequence,
// which lie in float32 caches (B, capacity, H·hd), by content and distance. (attention_cached_append writes the new rows.)
//
//   scores of the distances 0 to window-1: scale·(q·k + qr·r)
//
// A block does a head of a token: a warp a distance at a time for the scores, which shared memory holds, then a group of
// threads, one a column, each share of the values, added up in the order of the groups. Grid (tokens, heads, batches).
// Bound: memory, 2·hd·4 bytes a key and head.
#include "relative.cuh"

using namespace relative;

namespace {

template <class T>
__device__ void cached(const T* q, const T* qr, const T* r, const float* kcache, const float* vcache, const int* position, T* y, int tokens,
                       int capacity, int heads, int hd, int window, float scale) {
  const int token = blockIdx.x, head = blockIdx.y, batch = blockIdx.z, width = heads * hd;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, start = position[batch];
  if (start < 0 || start + tokens > capacity) {
    return;  // append reports it
  }
  const int seen = start + token + 1, keys = min(seen, window);
  DYNAMIC_SHARED(float, scores);        // (window), by distance
  float* sums = scores + window;        // (groups, hd)
  const long long own = (long long)(batch * tokens + token) * width + head * hd;
  float top = -FLT_MAX;
  for (int d = warp; d < keys; d += kWarps) {
    const T* row = r + (long long)(window - 1 - d) * width + head * hd;
    const float* key = kcache + ((long long)batch * capacity + seen - 1 - d) * width + head * hd;
    float sum = 0;
    for (int i = lane; i < hd; i += 32) {
      sum += to_float(qr[own + i]) * to_float(row[i]) + to_float(q[own + i]) * key[i];
    }
    sum = warp_sum(sum) * scale * kLog2E;
    top = fmaxf(top, sum);
    if (lane == 0) {
      scores[d] = sum;
    }
  }
  top = block_max(top);
  float sum = 0;
  for (int d = threadIdx.x; d < keys; d += kThreads) {
    scores[d] = exp2f(scores[d] - top);
    sum += scores[d];
  }
  const float inverse = 1 / block_sum(sum);
  const int groups = kThreads / hd, group = threadIdx.x / hd, column = threadIdx.x % hd;
  if (group < groups) {
    float part = 0;
    for (int d = group; d < keys; d += groups) {
      part += scores[d] * vcache[((long long)batch * capacity + seen - 1 - d) * width + head * hd + column];
    }
    sums[group * hd + column] = part;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < hd; i += kThreads) {
    float all = 0;
    for (int g = 0; g < groups; g++) {
      all += sums[g * hd + i];
    }
    y[own + i] = from_float<T>(all * inverse);
  }
}

}  // namespace

KERNEL(relative_attention_cached_f32, 256)
(const float* q, const float* qr, const float* r, const float* kcache, const float* vcache, const int* position, float* y,
 int tokens, int capacity, int heads, int hd, int window, float scale) {
  cached(q, qr, r, kcache, vcache, position, y, tokens, capacity, heads, hd, window, scale);
}
EXPORT(relative_attention_cached_f32)

KERNEL(relative_attention_cached_bf16, 256)
(const bf16* q, const bf16* qr, const bf16* r, const float* kcache, const float* vcache, const int* position, bf16* y,
 int tokens, int capacity, int heads, int hd, int window, float scale) {
  cached(q, qr, r, kcache, vcache, position, y, tokens, capacity, heads, hd, window, scale);
}
EXPORT(relative_attention_cached_bf16)
