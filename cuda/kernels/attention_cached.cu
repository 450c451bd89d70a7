// attention_cached: one new token of each sequence attends to all keys and values so far, which lie in float32 caches
// (B, capacity, G·hd). (Several new tokens run attention_general over the caches.)
//
// "append" writes the new rows at position[b]. "token": a block does 256 keys of one key head for up to eight of the
// query heads that share it, so that every key and value is read once: scores by groups of eight lanes a key, softmax
// by a warp a head, then sums of the values by columns, combined over groups of keys in a fixed order. "combine" joins
// the blocks of a head in the order of the keys. The blocks depend on the capacity alone, those beyond the position or
// before the window end at once.
//
// Bound: memory, 2·G·hd·4 bytes a key and sequence. 48 KB of shared memory at most.
#include "attention.cuh"

using namespace attention;

constexpr int kThreads = 256, kKeys = 256, kHeads = 8;

// valid says whether the new tokens at a position fit; those that do not are reported by append.
__device__ inline bool valid(int position, int tokens, int capacity) {
  return position >= 0 && position + tokens <= capacity;
}

// k, v(B·T, width) → rows position[b] + t of the caches. A thread an element.
template <class T>
__device__ void append(const T* k, const T* v, float* kcache, float* vcache, const int* position, int* fault, int check,
                       int tokens, int capacity, int width, long long elements) {
  long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  int row = at / width, sequence = row / tokens, start = position[sequence];
  if (!valid(start, tokens, capacity)) {
    report(fault, check, sequence, start);
    return;
  }
  size_t to = ((size_t)sequence * capacity + start + row % tokens) * width + at % width;
  kcache[to] = to_float(k[at]);
  vcache[to] = to_float(v[at]);
}

KERNEL(attention_cached_append_f32, 256)
(const float* k, const float* v, float* kcache, float* vcache, const int* position, int* fault, int check, int tokens,
 int capacity, int width, long long elements) {
  append(k, v, kcache, vcache, position, fault, check, tokens, capacity, width, elements);
}
EXPORT(attention_cached_append_f32)

KERNEL(attention_cached_append_bf16, 256)
(const bf16* k, const bf16* v, float* kcache, float* vcache, const int* position, int* fault, int check, int tokens,
 int capacity, int width, long long elements) {
  append(k, v, kcache, vcache, position, fault, check, tokens, capacity, width, elements);
}
EXPORT(attention_cached_append_bf16)

// load4 returns elements d to d + 3 of a row, zeros beyond the head.
__device__ inline float4 load4(const float* row, int d, int hd, bool vectors) {
  if (vectors) return *reinterpret_cast<const float4*>(row + d);
  return make_float4(row[d], d + 1 < hd ? row[d + 1] : 0, d + 2 < hd ? row[d + 2] : 0, d + 3 < hd ? row[d + 3] : 0);
}

// Partial says what combine must know of a block's scores, in units of log 2.
struct alignas(8) Partial {
  float top, sum;  // Σ 2^(score - top)
};

// token: grid (blocks of keys, B·G·⌈share / 8⌉). With one block of keys y is final; with more stats(B·H, blocks) and
// partial(B·H, blocks, hd) are for combine.
template <class T>
__device__ void token(const T* q, const float* kcache, const float* vcache, const int* position, T* y, Partial* stats,
                      float* partial, int heads, int kv_heads, int hd, int capacity, int window, float scale) {
  int share = heads / kv_heads, parts = cdiv(share, kHeads), part = blockIdx.y % parts;
  int sequence = blockIdx.y / parts / kv_heads, kv_head = blockIdx.y / parts % kv_heads;
  int head0 = kv_head * share + part * kHeads, n = min(kHeads, share - part * kHeads), start = position[sequence];
  if (!valid(start, 1, capacity)) return;
  int block = blockIdx.x, first = max(block * kKeys, window > 0 ? start + 1 - window : 0);
  int keys = min((block + 1) * kKeys, start + 1) - first;
  if (keys <= 0) return;

  int width = kv_heads * hd, padded = cdiv(hd, 4) * 4, columns = padded / 4;
  DYNAMIC_SHARED(float, queries);               // (8, padded)
  float* scores = queries + kHeads * padded;    // (8, 256)
  float* sums = scores + kHeads * kKeys;        // (groups of keys, 8, padded)
  const float* k = kcache + ((size_t)sequence * capacity + first) * width + kv_head * hd;
  const float* v = vcache + ((size_t)sequence * capacity + first) * width + kv_head * hd;
  bool vectors = hd % 4 == 0 && aligned16(kcache) && aligned16(vcache);
  for (int i = threadIdx.x; i < n * padded; i += kThreads) {
    int d = i % padded;
    float e = d < hd ? to_float(q[((size_t)sequence * heads + head0 + i / padded) * hd + d]) : 0;
    queries[i] = e * scale * kLog2E;
  }
  __syncthreads();

  for (int key0 = threadIdx.x / 32 * 4; key0 < keys; key0 += 32) {
    int key = key0 + threadIdx.x / 8 % 4, lane = threadIdx.x % 8;
    float dot[kHeads] = {};
    for (int d = 4 * lane; d < hd && key < keys; d += 32) {
      float4 u = load4(k + (size_t)key * width, d, hd, vectors);
#pragma unroll
      for (int h = 0; h < kHeads; h++) {
        if (h >= n) break;
        float4 e = *reinterpret_cast<const float4*>(queries + h * padded + d);
        dot[h] += u.x * e.x + u.y * e.y + u.z * e.z + u.w * e.w;
      }
    }
#pragma unroll
    for (int h = 0; h < kHeads; h++) {
      if (h >= n) break;
      for (int step = 4; step > 0; step >>= 1) dot[h] += __shfl_xor_sync(FULL_WARP, dot[h], step);
      if (lane == 0 && key < keys) scores[h * kKeys + key] = dot[h];
    }
  }
  __syncthreads();

  int own = threadIdx.x / 32;  // the head of this warp
  if (own < n) {
    float* mine = scores + own * kKeys;
    float top = -INFINITY, sum = 0;
    for (int i = threadIdx.x % 32; i < keys; i += 32) top = fmaxf(top, mine[i]);
    top = warp_max(top);
    for (int i = threadIdx.x % 32; i < keys; i += 32) sum += mine[i] = fast_exp2(mine[i] - top);
    sum = warp_sum(sum);
    if (stats) {
      if (threadIdx.x % 32 == 0) {
        stats[((size_t)sequence * heads + head0 + own) * gridDim.x + block] = {top, sum};
      }
    } else {
      for (int i = threadIdx.x % 32; i < keys; i += 32) mine[i] /= sum;
    }
  }
  __syncthreads();

  int groups = kThreads / columns, group = threadIdx.x / columns, d = threadIdx.x % columns * 4;
  if (group < groups) {
    float4 sum[kHeads];
#pragma unroll
    for (int h = 0; h < kHeads; h++) sum[h] = make_float4(0, 0, 0, 0);
    for (int key = group; key < keys; key += groups) {
      float4 u = load4(v + (size_t)key * width, d, hd, vectors);
#pragma unroll
      for (int h = 0; h < kHeads; h++) {
        if (h >= n) break;
        float p = scores[h * kKeys + key];
        sum[h] = make_float4(sum[h].x + p * u.x, sum[h].y + p * u.y, sum[h].z + p * u.z, sum[h].w + p * u.w);
      }
    }
#pragma unroll
    for (int h = 0; h < kHeads; h++) {
      if (h < n) *reinterpret_cast<float4*>(sums + (group * kHeads + h) * padded + d) = sum[h];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n * hd; i += kThreads) {
    int h = i / hd, e = i % hd;
    float sum = 0;
    for (int g = 0; g < groups; g++) sum += sums[(g * kHeads + h) * padded + e];
    size_t row = (size_t)sequence * heads + head0 + h;
    if (stats) {
      partial[(row * gridDim.x + block) * hd + e] = sum;
    } else {
      y[row * hd + e] = from_float<T>(sum);
    }
  }
}

KERNEL(attention_cached_token_f32, 256)
(const float* q, const float* kcache, const float* vcache, const int* position, float* y, Partial* stats,
 float* partial, int heads, int kv_heads, int hd, int capacity, int window, float scale) {
  token(q, kcache, vcache, position, y, stats, partial, heads, kv_heads, hd, capacity, window, scale);
}
EXPORT(attention_cached_token_f32)

KERNEL(attention_cached_token_bf16, 256)
(const bf16* q, const float* kcache, const float* vcache, const int* position, bf16* y, Partial* stats,
 float* partial, int heads, int kv_heads, int hd, int capacity, int window, float scale) {
  token(q, kcache, vcache, position, y, stats, partial, heads, kv_heads, hd, capacity, window, scale);
}
EXPORT(attention_cached_token_bf16)

// combine: y = Σ 2^(top - largest top)·partial / Σ 2^(top - largest top)·sum over the blocks of keys of a row. Grid:
// B·H blocks.
template <class T>
__device__ void combine(const Partial* stats, const float* partial, const int* position, T* y, int heads, int hd,
                        int capacity, int window, int blocks) {
  int row = blockIdx.x, start = position[row / heads];
  if (!valid(start, 1, capacity)) return;
  int begin = window > 0 ? max(0, start + 1 - window) / kKeys : 0, end = start / kKeys + 1;
  stats += (size_t)row * blocks;
  partial += (size_t)row * blocks * hd;
  float top = -INFINITY, sum = 0;
  for (int i = begin; i < end; i++) top = fmaxf(top, stats[i].top);
  for (int i = begin; i < end; i++) sum += fast_exp2(stats[i].top - top) * stats[i].sum;
  for (int d = threadIdx.x; d < hd; d += blockDim.x) {
    float e = 0;
    for (int i = begin; i < end; i++) e += fast_exp2(stats[i].top - top) * partial[(size_t)i * hd + d];
    y[(size_t)row * hd + d] = from_float<T>(e / sum);
  }
}

KERNEL(attention_cached_combine_f32, 128)
(const Partial* stats, const float* partial, const int* position, float* y, int heads, int hd, int capacity, int window,
 int blocks) {
  combine(stats, partial, position, y, heads, hd, capacity, window, blocks);
}
EXPORT(attention_cached_combine_f32)

KERNEL(attention_cached_combine_bf16, 128)
(const Partial* stats, const float* partial, const int* position, bf16* y, int heads, int hd, int capacity, int window,
 int blocks) {
  combine(stats, partial, position, y, heads, hd, capacity, window, blocks);
}
EXPORT(attention_cached_combine_bf16)
