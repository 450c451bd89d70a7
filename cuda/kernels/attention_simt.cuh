// Tiles in shared memory and the two products of attention without tensor cores, in float32 arithmetic: the path of
// float32 and of every head size up to 256.
//
// A block has 256 threads, 16 × 16, and works on tiles of 32 rows × 32 columns, in the type of the tensor that they are
// of: bf16 halves the memory and loses nothing. Rows in shared memory are padded to an odd number of words of four
// elements, so that 8 (float32) or 16 (bf16) neighbouring rows at one offset lie in different banks.
#pragma once
#include "attention.cuh"

namespace attention {

constexpr int kTile = 32, kThreads = 256;
constexpr int kScoreStride = kTile + 1;
constexpr int kChunks = 4;  // of 4 × 16 elements: head sizes up to 256

// Scores are what a view adds to scores, nothing, and which weights it drops, none; see Biased and Dropped.
struct Scores {
  __device__ float score(float s, int, int, int) const { return s; }
  __device__ float factor(int, int, int) const { return 1; }
  __device__ void begin(int) {}
  __device__ void gradient(const float*, int, int) const {}
};

// Everything is the view of attention that is not sparse; see Blocks.
struct Everything : Scores {
  __device__ bool some(int, int, int) const { return true; }
  __device__ bool whole(int, int, int) const { return true; }
};

// row_stride is the number of elements from row to row of a tile.
__device__ inline int row_stride(int hd) { return (cdiv(hd, 4) | 1) * 4; }

// four reads four elements of a tile.
__device__ inline float4 four(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ inline float4 four(const bf16* p) {
  uint2 u = *reinterpret_cast<const uint2*>(p);
  return make_float4(__uint_as_float(u.x << 16), __uint_as_float(u.x & 0xffff0000u), __uint_as_float(u.y << 16),
                     __uint_as_float(u.y & 0xffff0000u));
}

// load_rows fills a tile; rows from valid on and the padding become zeros.
template <class T>
__device__ inline void load_rows(T* tile, const T* source, int ld, int hd, int valid) {
  int stride = row_stride(hd);
  for (int r = threadIdx.x / 32; r < kTile; r += kThreads / 32) {
#pragma unroll 2
    for (int d = threadIdx.x % 32; d < stride; d += 32) {
      tile[r * stride + d] = r < valid && d < hd ? source[(size_t)r * ld + d] : from_float<T>(0);
    }
  }
}

// dot_rows: c[i][j] = Σ a[y + 16i]·b[x + 16j] over the head, x = thread mod 16, y = thread / 16.
template <class A, class B>
__device__ inline void dot_rows(float (&c)[2][2], const A* a, const B* b, int hd) {
  int stride = row_stride(hd), x = threadIdx.x % 16, y = threadIdx.x / 16;
  const A *a0 = a + y * stride, *a1 = a0 + 16 * stride;
  const B *b0 = b + x * stride, *b1 = b0 + 16 * stride;
  c[0][0] = c[0][1] = c[1][0] = c[1][1] = 0;
  auto dot = [](float sum, float4 u, float4 v) { return sum + u.x * v.x + u.y * v.y + u.z * v.z + u.w * v.w; };
#pragma unroll 2
  for (int d = 0; d < hd; d += 4) {
    float4 u0 = four(a0 + d), u1 = four(a1 + d), v0 = four(b0 + d), v1 = four(b1 + d);
    c[0][0] = dot(c[0][0], u0, v0);
    c[0][1] = dot(c[0][1], u0, v1);
    c[1][0] = dot(c[1][0], u1, v0);
    c[1][1] = dot(c[1][1], u1, v1);
  }
}

// Sums are a thread's part of 32 rows of a head: rows y and y + 16, elements 4x + 64j to 4x + 64j + 3.
struct Sums {
  float4 v[2][kChunks];

  __device__ void clear() {
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
      for (int j = 0; j < kChunks; j++) v[i][j] = make_float4(0, 0, 0, 0);
    }
  }

  // scale multiplies the two rows.
  __device__ void scale(float first, float second) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      float f = i == 0 ? first : second;
#pragma unroll
      for (int j = 0; j < kChunks; j++) {
        float4 u = v[i][j];
        v[i][j] = make_float4(u.x * f, u.y * f, u.z * f, u.w * f);
      }
    }
  }

  // add: += P·B for scores P (32 × 32) and a tile B.
  template <class B>
  __device__ void add(const float* p, const B* b, int hd) {
    int stride = row_stride(hd), x = threadIdx.x % 16, y = threadIdx.x / 16;
    auto add = [](float4& sum, float f, float4 u) {
      sum.x += f * u.x;
      sum.y += f * u.y;
      sum.z += f * u.z;
      sum.w += f * u.w;
    };
#pragma unroll 2
    for (int s = 0; s < kTile; s++) {
      float p0 = p[y * kScoreStride + s], p1 = p[(y + 16) * kScoreStride + s];
#pragma unroll
      for (int j = 0; j < kChunks; j++) {
        int d = 4 * x + 64 * j;
        if (d >= hd) continue;
        float4 u = four(b + s * stride + d);
        add(v[0][j], p0, u);
        add(v[1][j], p1, u);
      }
    }
  }

  // store writes the rows below valid.
  template <class T>
  __device__ void store(T* target, int ld, int hd, int valid) const {
    int x = threadIdx.x % 16, y = threadIdx.x / 16;
#pragma unroll
    for (int i = 0; i < 2; i++) {
#pragma unroll
      for (int j = 0; j < kChunks; j++) {
        if (y + 16 * i >= valid) continue;
        T* row = target + (size_t)(y + 16 * i) * ld;
        int d = 4 * x + 64 * j;
        if (d < hd) row[d] = from_float<T>(v[i][j].x);
        if (d + 1 < hd) row[d + 1] = from_float<T>(v[i][j].y);
        if (d + 2 < hd) row[d + 2] = from_float<T>(v[i][j].z);
        if (d + 3 < hd) row[d + 3] = from_float<T>(v[i][j].w);
      }
    }
  }
};

}  // namespace attention
