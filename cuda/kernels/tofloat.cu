// tofloat.cu: ToFloat, integers of 32, 8, 4 or 1 bit to float32 or bf16.
//
//   y[i] = scale·x[i] + shift, each rounded to float32
//
// A thread of the grid decodes eight elements at a time, a whole number of bytes of every type: 32, 8, 4 or 1 of them,
// with one or two loads, and stores packs of 16 bytes; the n mod 8 last ones take a thread each. Of the smaller types
// the first element lies in the lowest bits.
// Bound by memory: what x has and 4 or 2 bytes an element of y, the least there is.
#include "common.cuh"

namespace {

// A type of x: eight elements of it, element e of those, and element i of memory.
struct I32 {
  struct alignas(16) Eight {
    int v[8];
  };
  static __device__ __forceinline__ float get(const Eight& x, int e) { return static_cast<float>(x.v[e]); }
  static __device__ __forceinline__ float at(const void* x, long long i) {
    return static_cast<float>(static_cast<const int*>(x)[i]);
  }
};

// Unsigned integers of so many bits.
template <int bits, class Bits>
struct Unsigned {
  using Eight = Bits;
  static constexpr unsigned mask = (1u << bits) - 1;
  static __device__ __forceinline__ float get(Eight x, int e) {
    return static_cast<float>(static_cast<unsigned>(x >> (bits * e)) & mask);
  }
  static __device__ __forceinline__ float at(const void* x, long long i) {
    const unsigned byte = static_cast<const unsigned char*>(x)[i * bits / 8];
    return static_cast<float>(byte >> (i * bits % 8) & mask);
  }
};
using U8 = Unsigned<8, unsigned long long>;
using U4 = Unsigned<4, unsigned>;
using U1 = Unsigned<1, unsigned char>;

__device__ __forceinline__ float affine(float x, float scale, float shift) {
  return __fadd_rn(__fmul_rn(scale, x), shift);
}

template <class X, class T>
__device__ __forceinline__ void decode(const void* x, T* y, long long n, float scale, float shift) {
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
#pragma unroll 1
  for (long long p = thread; p < n / 8; p += (long long)gridDim.x * blockDim.x) {
    const typename X::Eight eight = static_cast<const typename X::Eight*>(x)[p];
    float f[8];
#pragma unroll
    for (int e = 0; e < 8; e++) {
      f[e] = affine(X::get(eight, e), scale, shift);
    }
#pragma unroll
    for (int e = 0; e < 8; e += Pack<T>::size) {
      Pack<T>::from_floats(f + e).store(y + 8 * p + e);
    }
  }
  if (const long long i = n / 8 * 8 + thread; i < n) {
    y[i] = from_float<T>(affine(X::at(x, i), scale, shift));
  }
}

}  // namespace

KERNEL(to_float_i32_f32, 256)(const void* x, float* y, long long n, float scale, float shift) {
  decode<I32>(x, y, n, scale, shift);
}
EXPORT(to_float_i32_f32)

KERNEL(to_float_i32_bf16, 256)(const void* x, bf16* y, long long n, float scale, float shift) {
  decode<I32>(x, y, n, scale, shift);
}
EXPORT(to_float_i32_bf16)

KERNEL(to_float_u8_f32, 256)(const void* x, float* y, long long n, float scale, float shift) {
  decode<U8>(x, y, n, scale, shift);
}
EXPORT(to_float_u8_f32)

KERNEL(to_float_u8_bf16, 256)(const void* x, bf16* y, long long n, float scale, float shift) {
  decode<U8>(x, y, n, scale, shift);
}
EXPORT(to_float_u8_bf16)

KERNEL(to_float_u4_f32, 256)(const void* x, float* y, long long n, float scale, float shift) {
  decode<U4>(x, y, n, scale, shift);
}
EXPORT(to_float_u4_f32)

KERNEL(to_float_u4_bf16, 256)(const void* x, bf16* y, long long n, float scale, float shift) {
  decode<U4>(x, y, n, scale, shift);
}
EXPORT(to_float_u4_bf16)

KERNEL(to_float_u1_f32, 256)(const void* x, float* y, long long n, float scale, float shift) {
  decode<U1>(x, y, n, scale, shift);
}
EXPORT(to_float_u1_f32)

KERNEL(to_float_u1_bf16, 256)(const void* x, bf16* y, long long n, float scale, float shift) {
  decode<U1>(x, y, n, scale, shift);
}
EXPORT(to_float_u1_bf16)
