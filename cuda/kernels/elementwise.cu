// elementwise.cu: Add, Mul, Scale and ScaleBy: one pass over memory.
//
// Arithmetic in float32, one rounding to the element type. Bound by memory: 3 elements moved for Add and Mul, 2 for
// Scale and ScaleBy, which is the least there is.
#include "map.cuh"

namespace {

// y = a + b
template <class T>
__device__ void add(const T* a, const T* b, T* y, long long n) {
  map<T, 2, 1>({a, b}, {y}, n, [](const float (&x)[2], float (&z)[1]) { z[0] = x[0] + x[1]; });
}

// y = a∘b
template <class T>
__device__ void mul(const T* a, const T* b, T* y, long long n) {
  map<T, 2, 1>({a, b}, {y}, n, [](const float (&x)[2], float (&z)[1]) { z[0] = x[0] * x[1]; });
}

// y = alpha·x
template <class T>
__device__ void scale(const T* x, T* y, long long n, float alpha) {
  map<T, 1, 1>({x}, {y}, n, [alpha](const float (&v)[1], float (&z)[1]) { z[0] = alpha * v[0]; });
}

}  // namespace

KERNEL(add_f32, 256)(const float* a, const float* b, float* y, long long n) {
  add<float>(a, b, y, n);
}
EXPORT(add_f32)

KERNEL(add_bf16, 256)(const bf16* a, const bf16* b, bf16* y, long long n) {
  add<bf16>(a, b, y, n);
}
EXPORT(add_bf16)

KERNEL(mul_f32, 256)(const float* a, const float* b, float* y, long long n) {
  mul<float>(a, b, y, n);
}
EXPORT(mul_f32)

KERNEL(mul_bf16, 256)(const bf16* a, const bf16* b, bf16* y, long long n) {
  mul<bf16>(a, b, y, n);
}
EXPORT(mul_bf16)

KERNEL(scale_f32, 256)(const float* x, float* y, long long n, float alpha) {
  scale<float>(x, y, n, alpha);
}
EXPORT(scale_f32)

KERNEL(scale_bf16, 256)(const bf16* x, bf16* y, long long n, float alpha) {
  scale<bf16>(x, y, n, alpha);
}
EXPORT(scale_bf16)

// y = s[0]·x
KERNEL(scale_by_f32, 256)(const float* x, const float* s, float* y, long long n) {
  scale<float>(x, y, n, s[0]);
}
EXPORT(scale_by_f32)

KERNEL(scale_by_bf16, 256)(const bf16* x, const float* s, bf16* y, long long n) {
  scale<bf16>(x, y, n, s[0]);
}
EXPORT(scale_by_bf16)
