// muon.cu: the elementwise parts of Muon (Jordan et al. 2024); the products of its Newton-Schulz iteration are
// cuBLASLt's.
//
//   m ← beta1·m + clip·g;  u = clip·g + beta1·m under nesterov, else m;  X = u/(‖u‖ + 1e-7)
//   repeated: A = XXᵀ (XᵀX when X is tall), P = bA + cA² + aI, X ← PX (XP when tall)
//   p ← (1 - lr·decay)·p - lr·rate·X,   rate = √max(1, rows/cols)
//
// X, A and P are float32 or bf16, the operands of the products; A² is float32. muon_momentum sums the squares of u,
// which is not stored, in chunks of 16384 elements; each block of muon_normalize adds the partial sums up in the same
// order and makes u again from m and g. All are bound by memory: momentum 12 bytes an element, normalize 4 (8 under
// nesterov) and X, combine A, A² and P, apply 8 and X. A NaN in clip leaves m and p as they are; the products then run
// on numbers that nobody reads.
#include "common.cuh"

namespace {

constexpr float kA = 3.4445f;
constexpr float kB = -4.7750f;
constexpr float kC = 2.0315f;
constexpr float kEps = 1e-7f;

constexpr int kLR = 0;  // index into hyper (package ir)

constexpr long long kChunk = 16384;

// factor returns what the gradients are multiplied by; NaN says to skip the step.
__device__ __forceinline__ float factor(const float* clip) {
  return clip == nullptr ? 1.0f : *clip;
}

// direction is u of one element, m being updated already.
__device__ __forceinline__ float direction(float g, float m, float clip, float beta1, int nesterov) {
  return nesterov ? clip * g + beta1 * m : m;
}

// x = u/(‖u‖ + kEps), ‖u‖² = Σ partial; a block a chunk.
template <class T>
__device__ void muon_normalize(const float* g, const float* m, T* x, const float* partial, int parts, const float* clip,
                               long long n, float beta1, int nesterov) {
  float squares = 0.0f;
  for (int i = threadIdx.x; i < parts; i += 256) {
    squares += partial[i];
  }
  const float scale = factor(clip);
  const float inverse = 1.0f / (sqrtf(block_sum(squares)) + kEps);
  constexpr int width = Pack<T>::size;
  const long long begin = blockIdx.x * kChunk;
  const long long end = min(n, begin + kChunk);
  for (long long i = begin + threadIdx.x * width; i + width <= end; i += 256 * width) {
    float u[width];
#pragma unroll
    for (int e = 0; e < width; e += Pack<float>::size) {
      Pack<float>::load(m + i + e).to_floats(u + e);
    }
    if (nesterov) {
      float v[width];
#pragma unroll
      for (int e = 0; e < width; e += Pack<float>::size) {
        Pack<float>::load(g + i + e).to_floats(v + e);
      }
#pragma unroll
      for (int e = 0; e < width; e++) {
        u[e] = direction(v[e], u[e], scale, beta1, nesterov);
      }
    }
#pragma unroll
    for (int e = 0; e < width; e++) {
      u[e] *= inverse;
    }
    Pack<T>::from_floats(u).store(x + i);
  }
  const long long i = end / width * width + threadIdx.x;
  if (i < end) {
    x[i] = from_float<T>(direction(nesterov ? g[i] : 0.0f, m[i], scale, beta1, nesterov) * inverse);
  }
}

// poly = kB·a + kC·square + kA·I, (side, side), side < 65536; poly may be square. Elements of the diagonal are side+1
// apart.
template <class T>
__device__ void muon_combine(const T* a, const float* square, T* poly, int side) {
  constexpr int width = Pack<T>::size;
  const unsigned n = (unsigned)side * side;
  const unsigned end = n / width * width;
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned threads = gridDim.x * blockDim.x;
#pragma unroll 1
  for (unsigned at = thread * width; at < end; at += threads * width) {
    float x[width];
    float y[width];
    Pack<T>::load(a + at).to_floats(x);
#pragma unroll
    for (int e = 0; e < width; e += Pack<float>::size) {
      Pack<float>::load(square + at + e).to_floats(y + e);
    }
    int behind = (int)(at % (side + 1u));  // how far behind the last element of the diagonal
#pragma unroll
    for (int e = 0; e < width; e++) {
      y[e] = kB * x[e] + kC * y[e] + (behind == 0 ? kA : 0.0f);
      behind = behind == side ? 0 : behind + 1;
    }
    Pack<T>::from_floats(y).store(poly + at);
  }
  const unsigned at = end + thread;
  if (at < n) {
    const float diagonal = at % (side + 1u) == 0 ? kA : 0.0f;
    poly[at] = from_float<T>(kB * to_float(a[at]) + kC * square[at] + diagonal);
  }
}

// p = (1 - lr·decay)·p - lr·rate·x
template <class T>
__device__ void muon_apply(float* p, const T* x, const float* hyper, const float* clip, long long n, float lr_scale,
                           float decay, float rate) {
  if (isnan(factor(clip))) {
    return;
  }
  const float lr = hyper[kLR] * lr_scale;
  const float keep = fmaf(-lr, decay, 1.0f);
  const float step = -lr * rate;
  constexpr int width = Pack<T>::size;
  const long long end = n / width * width;
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long at = thread * width; at < end; at += threads * width) {
    float v[width];
    Pack<T>::load(x + at).to_floats(v);
#pragma unroll
    for (int e = 0; e < width; e += Pack<float>::size) {
      float w[Pack<float>::size];
      Pack<float>::load(p + at + e).to_floats(w);
#pragma unroll
      for (int k = 0; k < Pack<float>::size; k++) {
        w[k] = keep * w[k] + step * v[e + k];
      }
      Pack<float>::from_floats(w).store(p + at + e);
    }
  }
  const long long at = end + thread;
  if (at < n) {
    p[at] = keep * p[at] + step * to_float(x[at]);
  }
}

}  // namespace

// m = beta1·m + clip·g, partial = Σ u²; a block a chunk.
KERNEL(muon_momentum, 256)
(const float* g, float* m, float* partial, const float* clip, long long n, float beta1, int nesterov) {
  const float scale = factor(clip);
  if (isnan(scale)) {
    return;
  }
  constexpr int width = Pack<float>::size;
  const long long begin = blockIdx.x * kChunk;
  const long long end = min(n, begin + kChunk);
  float sum = 0.0f;
  for (long long i = begin + threadIdx.x * width; i + width <= end; i += 256 * width) {
    float x[width];
    float y[width];
    Pack<float>::load(g + i).to_floats(x);
    Pack<float>::load(m + i).to_floats(y);
#pragma unroll
    for (int e = 0; e < width; e++) {
      y[e] = beta1 * y[e] + scale * x[e];
      const float u = direction(x[e], y[e], scale, beta1, nesterov);
      sum += u * u;
    }
    Pack<float>::from_floats(y).store(m + i);
  }
  const long long i = end / width * width + threadIdx.x;
  if (i < end) {
    m[i] = beta1 * m[i] + scale * g[i];
    const float u = direction(g[i], m[i], scale, beta1, nesterov);
    sum += u * u;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;
  }
}
EXPORT(muon_momentum)

KERNEL(muon_normalize_f32, 256)
(const float* g, const float* m, float* x, const float* partial, int parts, const float* clip, long long n,
 float beta1, int nesterov) {
  muon_normalize(g, m, x, partial, parts, clip, n, beta1, nesterov);
}
EXPORT(muon_normalize_f32)

KERNEL(muon_normalize_bf16, 256)
(const float* g, const float* m, bf16* x, const float* partial, int parts, const float* clip, long long n, float beta1,
 int nesterov) {
  muon_normalize(g, m, x, partial, parts, clip, n, beta1, nesterov);
}
EXPORT(muon_normalize_bf16)

KERNEL(muon_combine_f32, 256)(const float* a, const float* square, float* poly, int side) {
  muon_combine(a, square, poly, side);
}
EXPORT(muon_combine_f32)

KERNEL(muon_combine_bf16, 256)(const bf16* a, const float* square, bf16* poly, int side) {
  muon_combine(a, square, poly, side);
}
EXPORT(muon_combine_bf16)

KERNEL(muon_apply_f32, 256)
(float* p, const float* x, const float* hyper, const float* clip, long long n, float lr_scale, float decay,
 float rate) {
  muon_apply(p, x, hyper, clip, n, lr_scale, decay, rate);
}
EXPORT(muon_apply_f32)

KERNEL(muon_apply_bf16, 256)
(float* p, const bf16* x, const float* hyper, const float* clip, long long n, float lr_scale, float decay,
 float rate) {
  muon_apply(p, x, hyper, clip, n, lr_scale, decay, rate);
}
EXPORT(muon_apply_bf16)
