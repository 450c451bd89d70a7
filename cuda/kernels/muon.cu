// muon.cu: the elementwise parts of Muon (Jordan et al. 2024) over many matrices in one launch each; the products of its
// Newton-Schulz iteration are cuBLASLt's, in batches.
//
//   m ← beta1·m + clip·g;  u = clip·g + beta1·m under nesterov, else m;  X = u/(‖u‖ + 1e-7)
//   repeated: A = XXᵀ (XᵀX when X is tall), P = bA + cA² + aI, X ← PX (XP when tall)
//   p ← (1 - lr·decay)·p - lr·rate·X,   rate = √max(1, rows/cols)
//
// X, A and P are float32 or bf16, the operands of the products; A² is float32. A block works on a chunk of 16384
// elements of one matrix (segments.cuh). muon_momentum leaves the sum of the squares of u, which is not stored, of each
// chunk; each block of muon_normalize adds those of its matrix up in the same order and makes u again from m and g. All
// are bound by memory: momentum 12 bytes an element, normalize 4 (8 under nesterov) and X, combine A, A² and P, apply 8
// and X, and 2 with the copy of p in bf16 (copy.cuh). A NaN in clip leaves m and p as they are; the products then run on numbers that nobody reads.
#include "copy.cuh"
#include "segments.cuh"

// MuonSegment is a matrix of n elements.
struct MuonSegment {
  long long first;
  long long n;
  float* p;
  const float* g;
  float* m;
  void* x;             // X before the iteration
  const void* result;  // … and behind it
  const float* hyper;
  const float* clip;  // nullptr: 1
  bf16* copy;         // of p; nullptr: none
  float beta1;
  float decay;
  float lr_scale;
  float rate;
  int nesterov;
};

namespace {

constexpr float kA = 3.4445f;
constexpr float kB = -4.7750f;
constexpr float kC = 2.0315f;
constexpr float kEps = 1e-7f;

constexpr int kLR = 0;  // index into hyper (package ir)

constexpr long long kChunk = 16384;

// factor returns what the gradients of the matrix are multiplied by; NaN says to skip the step.
__device__ __forceinline__ float factor(const MuonSegment& s) {
  return s.clip == nullptr ? 1.0f : *s.clip;
}

// direction is u of one element, m being updated already.
__device__ __forceinline__ float direction(float g, float m, float clip, float beta1, int nesterov) {
  return nesterov ? clip * g + beta1 * m : m;
}

// x = u/(‖u‖ + kEps), ‖u‖² = Σ partial over the chunks of the matrix.
template <class T>
__device__ void muon_normalize(const MuonSegment* table, int count, const float* partial) {
  const MuonSegment s = segment_of(table, count);
  const int parts = (int)((s.n + kChunk - 1) / kChunk);
  float squares = 0.0f;
  for (int i = threadIdx.x; i < parts; i += 256) {
    squares += partial[s.first + i];
  }
  const float scale = factor(s);
  const float inverse = 1.0f / (sqrtf(block_sum(squares)) + kEps);
  T* x = static_cast<T*>(s.x);
  constexpr int width = Pack<T>::size;
  const long long begin = (blockIdx.x - s.first) * kChunk;
  const long long end = min(s.n, begin + kChunk);
  for (long long i = begin + threadIdx.x * width; i + width <= end; i += 256 * width) {
    float u[width];
#pragma unroll
    for (int e = 0; e < width; e += Pack<float>::size) {
      Pack<float>::load(s.m + i + e).to_floats(u + e);
    }
    if (s.nesterov) {
      float v[width];
#pragma unroll
      for (int e = 0; e < width; e += Pack<float>::size) {
        Pack<float>::load(s.g + i + e).to_floats(v + e);
      }
#pragma unroll
      for (int e = 0; e < width; e++) {
        u[e] = direction(v[e], u[e], scale, s.beta1, s.nesterov);
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
    x[i] = from_float<T>(direction(s.nesterov ? s.g[i] : 0.0f, s.m[i], scale, s.beta1, s.nesterov) * inverse);
  }
}

// poly = kB·a + kC·square + kA·I of the matrix blockIdx.y of a batch, (side, side), side < 65536; poly may be square.
// Elements of the diagonal are side+1 apart.
template <class T>
__device__ void muon_combine(const T* a, const float* square, T* poly, int side) {
  constexpr int width = Pack<T>::size;
  const unsigned n = (unsigned)side * side;
  const size_t matrix = (size_t)blockIdx.y * n;
  a += matrix;
  square += matrix;
  poly += matrix;
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
__device__ void muon_apply(const MuonSegment* table, int count) {
  const MuonSegment s = segment_of(table, count);
  if (isnan(factor(s))) {
    return;
  }
  const float lr = s.hyper[kLR] * s.lr_scale;
  const float keep = fmaf(-lr, s.decay, 1.0f);
  const float step = -lr * s.rate;
  const T* x = in_global(static_cast<const T*>(s.result));
  float* p = in_global(s.p);
  constexpr int width = Pack<T>::size;
  const long long begin = (blockIdx.x - s.first) * kChunk;
  const long long end = min(s.n, begin + kChunk);
  for (long long i = begin + threadIdx.x * width; i + width <= end; i += 256 * width) {
    float v[width];
    Pack<T>::load(x + i).to_floats(v);
#pragma unroll
    for (int e = 0; e < width; e += Pack<float>::size) {
      float w[Pack<float>::size];
      Pack<float>::load(p + i + e).to_floats(w);
#pragma unroll
      for (int k = 0; k < Pack<float>::size; k++) {
        w[k] = keep * w[k] + step * v[e + k];
      }
      Pack<float>::from_floats(w).store(p + i + e);
      round_to(s.copy, i + e, w);
    }
  }
  const long long i = end / width * width + threadIdx.x;
  if (i < end) {
    p[i] = keep * p[i] + step * to_float(x[i]);
    round_to(s.copy, i, p[i]);
  }
}

}  // namespace

// m = beta1·m + clip·g, partial[chunk] = Σ u²
KERNEL(muon_momentum, 256)(const MuonSegment* table, int count, float* partial) {
  const MuonSegment s = segment_of(table, count);
  const float scale = factor(s);
  if (isnan(scale)) {
    return;
  }
  constexpr int width = Pack<float>::size;
  const long long begin = (blockIdx.x - s.first) * kChunk;
  const long long end = min(s.n, begin + kChunk);
  float sum = 0.0f;
  for (long long i = begin + threadIdx.x * width; i + width <= end; i += 256 * width) {
    float x[width];
    float y[width];
    Pack<float>::load(s.g + i).to_floats(x);
    Pack<float>::load(s.m + i).to_floats(y);
#pragma unroll
    for (int e = 0; e < width; e++) {
      y[e] = s.beta1 * y[e] + scale * x[e];
      const float u = direction(x[e], y[e], scale, s.beta1, s.nesterov);
      sum += u * u;
    }
    Pack<float>::from_floats(y).store(s.m + i);
  }
  const long long i = end / width * width + threadIdx.x;
  if (i < end) {
    const float m = s.beta1 * s.m[i] + scale * s.g[i];
    s.m[i] = m;
    const float u = direction(s.g[i], m, scale, s.beta1, s.nesterov);
    sum += u * u;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;
  }
}
EXPORT(muon_momentum)

KERNEL(muon_normalize_f32, 256)(const MuonSegment* table, int count, const float* partial) {
  muon_normalize<float>(table, count, partial);
}
EXPORT(muon_normalize_f32)

KERNEL(muon_normalize_bf16, 256)(const MuonSegment* table, int count, const float* partial) {
  muon_normalize<bf16>(table, count, partial);
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

KERNEL(muon_apply_f32, 256)(const MuonSegment* table, int count) {
  muon_apply<float>(table, count);
}
EXPORT(muon_apply_f32)

KERNEL(muon_apply_bf16, 256)(const MuonSegment* table, int count) {
  muon_apply<bf16>(table, count);
}
EXPORT(muon_apply_bf16)
