// optimizer.cu: AdamW, SGD, Lion and EMA over many parameters in one launch each.
//
// A block updates a chunk of 4096 elements of one segment (segments.cuh), in packs of 4 float32 a thread. The constants
// of the step come from device memory: hyper, clip. A NaN in clip leaves everything as it is. All tensors are float32
// but for the parameter's copy in bf16, which products read: the updates round p to it as cast.cu does, to nearest even.
// Bound by memory: AdamW moves 28 bytes an element (p, m, v read and written, g read), SGD with momentum and Lion 20,
// SGD without 12, EMA 12, and 2 more with a copy: each tensor once, the least there is.
#include "copy.cuh"
#include "segments.cuh"

struct OptimizerSegment {
  long long first;
  long long n;
  float* p;
  const float* g;  // of EMA: the parameter that p follows
  float* m;        // nullptr: SGD without momentum
  float* v;
  const float* hyper;
  const float* clip;  // nullptr: 1
  bf16* copy;         // of p; nullptr: none
  float beta1;
  float beta2;
  float eps;
  float decay;
  float lr_scale;
  int nesterov;
};

namespace {

// Indices into hyper (package ir).
constexpr int kLR = 0;
constexpr int kBC1 = 1;
constexpr int kBC2 = 2;
constexpr int kFirst = 4;

constexpr long long kChunk = 4096;
constexpr int kLanes = 4;

// update runs f(float (&state)[N], float g) for each element of the block's chunk; state holds the elements of the N
// tensors, which are written back. The first is p, which is also rounded to its copy.
template <int N, class F>
__device__ __forceinline__ void update(const OptimizerSegment& s, float* const (&state)[N], F f) {
  const long long begin = (blockIdx.x - s.first) * kChunk;
  const long long end = min(s.n, begin + kChunk);
  for (long long i = begin + threadIdx.x * kLanes; i + kLanes <= end; i += 256 * kLanes) {
    float g[kLanes];
    float v[N][kLanes];
    Pack<float>::load(in_global(s.g) + i).to_floats(g);
#pragma unroll
    for (int k = 0; k < N; k++) {
      Pack<float>::load(in_global(state[k]) + i).to_floats(v[k]);
    }
#pragma unroll
    for (int e = 0; e < kLanes; e++) {
      float element[N];
#pragma unroll
      for (int k = 0; k < N; k++) {
        element[k] = v[k][e];
      }
      f(element, g[e]);
#pragma unroll
      for (int k = 0; k < N; k++) {
        v[k][e] = element[k];
      }
    }
#pragma unroll
    for (int k = 0; k < N; k++) {
      Pack<float>::from_floats(v[k]).store(in_global(state[k]) + i);
    }
    round_to(s.copy, i, v[0]);
  }
  const long long i = end / kLanes * kLanes + threadIdx.x;
  if (i < end) {
    float element[N];
#pragma unroll
    for (int k = 0; k < N; k++) {
      element[k] = state[k][i];
    }
    f(element, s.g[i]);
#pragma unroll
    for (int k = 0; k < N; k++) {
      state[k][i] = element[k];
    }
    round_to(s.copy, i, element[0]);
  }
}

// factor returns what the gradients of the segment are multiplied by; NaN says to skip the step.
__device__ __forceinline__ float factor(const OptimizerSegment& s) {
  return s.clip == nullptr ? 1.0f : *s.clip;
}

}  // namespace

// g ← clip·g;  m ← m + (1-beta1)·(g-m);  v ← beta2·v + (1-beta2)·g²
// p ← (1-lr·decay)·p - lr/bc1·m/(√v/√bc2 + eps)   (Loshchilov and Hutter 2019)
KERNEL(adamw, 256)(const OptimizerSegment* table, int count) {
  const OptimizerSegment s = segment_of(table, count);
  const float clip = factor(s);
  if (isnan(clip)) {
    return;
  }
  const float lr = s.hyper[kLR] * s.lr_scale;
  const float keep = fmaf(-lr, s.decay, 1.0f);
  const float step = -lr / s.hyper[kBC1];
  const float root = 1.0f / sqrtf(s.hyper[kBC2]);
  const float beta2 = s.beta2, eps = s.eps;
  const float rest1 = 1.0f - s.beta1, rest2 = 1.0f - beta2;
  update<3>(s, {s.p, s.m, s.v}, [=](float (&x)[3], float g) {
    g *= clip;
    x[1] += rest1 * (g - x[1]);
    x[2] = beta2 * x[2] + rest2 * g * g;
    x[0] = x[0] * keep + step * (x[1] / (sqrtf(x[2]) * root + eps));
  });
}
EXPORT(adamw)

// g ← clip·g + decay·p;  m ← beta1·m + g, g at the first step;  p ← p - lr·(m, or g + beta1·m under nesterov, or g
// without m)
KERNEL(sgd, 256)(const OptimizerSegment* table, int count) {
  const OptimizerSegment s = segment_of(table, count);
  const float clip = factor(s);
  if (isnan(clip)) {
    return;
  }
  const float lr = s.hyper[kLR] * s.lr_scale;
  const float decay = s.decay, beta1 = s.beta1;
  if (s.m == nullptr) {
    update<1>(s, {s.p}, [=](float(&x)[1], float g) { x[0] -= lr * (clip * g + decay * x[0]); });
    return;
  }
  const bool first = s.hyper[kFirst] == 1.0f;
  const bool nesterov = s.nesterov != 0;
  update<2>(s, {s.p, s.m}, [=](float(&x)[2], float g) {
    g = clip * g + decay * x[0];
    x[1] = first ? g : beta1 * x[1] + g;
    x[0] -= lr * (nesterov ? g + beta1 * x[1] : x[1]);
  });
}
EXPORT(sgd)

// g ← clip·g;  p ← (1-lr·decay)·p - lr·sign(beta1·m + (1-beta1)·g);  m ← beta2·m + (1-beta2)·g   (Chen et al. 2023)
KERNEL(lion, 256)(const OptimizerSegment* table, int count) {
  const OptimizerSegment s = segment_of(table, count);
  const float clip = factor(s);
  if (isnan(clip)) {
    return;
  }
  const float lr = s.hyper[kLR] * s.lr_scale;
  const float keep = fmaf(-lr, s.decay, 1.0f);
  const float beta1 = s.beta1, beta2 = s.beta2;
  update<2>(s, {s.p, s.m}, [=](float(&x)[2], float g) {
    g *= clip;
    const float u = beta1 * x[1] + (1.0f - beta1) * g;
    const float step = u < 0.0f ? -lr : u == 0.0f ? 0.0f : lr;
    x[0] = x[0] * keep - step;
    x[1] = beta2 * x[1] + (1.0f - beta2) * g;
  });
}
EXPORT(lion)

// p ← beta1·p + (1-beta1)·g, p an average of the parameter g
KERNEL(ema, 256)(const OptimizerSegment* table, int count) {
  const OptimizerSegment s = segment_of(table, count);
  if (isnan(factor(s))) {
    return;
  }
  const float beta1 = s.beta1;
  update<1>(s, {s.p}, [=](float(&x)[1], float g) { x[0] = beta1 * x[0] + (1.0f - beta1) * g; });
}
EXPORT(ema)
