// activation.cu: Activations, SwiGLU and their gradients, elementwise.
//
// Evaluated in float32. Bound by memory: 2 elements moved for Activation, 3 for ActivationBackward and SwiGLU, 5 for
// SwiGLUBackward, the least there is.
#include "activation.cuh"
#include "map.cuh"

namespace {

// y = A(x)
template <class A, class T>
__device__ void forward(const T* x, T* y, long long n) {
  map<T, 1, 1>({x}, {y}, n, [](const float (&v)[1], float (&z)[1]) { z[0] = A::value(v[0]); });
}

// dx = dy·A'(x)
template <class A, class T>
__device__ void backward(const T* x, const T* dy, T* dx, long long n) {
  map<T, 2, 1>({x, dy}, {dx}, n, [](const float (&v)[2], float (&z)[1]) { z[0] = v[1] * A::slope(v[0]); });
}

template <class T>
__device__ void activation(const T* x, T* y, long long n, int act) {
  with_activation(act, [&](auto a) { forward<decltype(a)>(x, y, n); });
}

template <class T>
__device__ void activation_backward(const T* x, const T* dy, T* dx, long long n, int act) {
  with_activation(act, [&](auto a) { backward<decltype(a)>(x, dy, dx, n); });
}

// y = SiLU(gate)·up (Shazeer 2020)
template <class T>
__device__ void swiglu(const T* gate, const T* up, T* y, long long n) {
  map<T, 2, 1>({gate, up}, {y}, n, [](const float (&x)[2], float (&z)[1]) { z[0] = SiLU::value(x[0]) * x[1]; });
}

// dgate = dy·up·SiLU'(gate), dup = dy·SiLU(gate)
template <class T>
__device__ void swiglu_backward(const T* gate, const T* up, const T* dy, T* dgate, T* dup, long long n) {
  map<T, 3, 2>({gate, up, dy}, {dgate, dup}, n, [](const float (&x)[3], float (&z)[2]) {
    const float s = sigmoid(x[0]);
    z[0] = x[2] * x[1] * s * (1.0f + x[0] * (1.0f - s));
    z[1] = x[2] * x[0] * s;
  });
}

}  // namespace

KERNEL(activation_f32, 256)(const float* x, float* y, long long n, int act) {
  activation<float>(x, y, n, act);
}
EXPORT(activation_f32)

KERNEL(activation_bf16, 256)(const bf16* x, bf16* y, long long n, int act) {
  activation<bf16>(x, y, n, act);
}
EXPORT(activation_bf16)

KERNEL(activation_backward_f32, 256)(const float* x, const float* dy, float* dx, long long n, int act) {
  activation_backward<float>(x, dy, dx, n, act);
}
EXPORT(activation_backward_f32)

KERNEL(activation_backward_bf16, 256)(const bf16* x, const bf16* dy, bf16* dx, long long n, int act) {
  activation_backward<bf16>(x, dy, dx, n, act);
}
EXPORT(activation_backward_bf16)

KERNEL(swiglu_f32, 256)(const float* gate, const float* up, float* y, long long n) {
  swiglu<float>(gate, up, y, n);
}
EXPORT(swiglu_f32)

KERNEL(swiglu_bf16, 256)(const bf16* gate, const bf16* up, bf16* y, long long n) {
  swiglu<bf16>(gate, up, y, n);
}
EXPORT(swiglu_bf16)

KERNEL(swiglu_backward_f32, 256)
(const float* gate, const float* up, const float* dy, float* dgate, float* dup, long long n) {
  swiglu_backward<float>(gate, up, dy, dgate, dup, n);
}
EXPORT(swiglu_backward_f32)

KERNEL(swiglu_backward_bf16, 256)
(const bf16* gate, const bf16* up, const bf16* dy, bf16* dgate, bf16* dup, long long n) {
  swiglu_backward<bf16>(gate, up, dy, dgate, dup, n);
}
EXPORT(swiglu_backward_bf16)
