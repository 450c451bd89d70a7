// activation.cu: Activations, SwiGLU and their gradients, elementwise.
//
// Evaluated in float32: expf and erfcf are good to 2 ulp, the quotient of the sigmoid to 2 ulp. Bound by memory: 2
// elements moved for Activation, 3 for ActivationBackward and SwiGLU, 5 for SwiGLUBackward, the least there is.
#include "map.cuh"

namespace {

// The codes of ir.Act.
constexpr int kGELU = 1;
constexpr int kGELUTanh = 2;
constexpr int kSiLU = 3;
constexpr int kReLU2 = 4;
constexpr int kReLU = 5;

// σ(x) = 1/(1+e⁻ˣ); 0 where e⁻ˣ overflows.
__device__ __forceinline__ float sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + expf(-x));
}

// Φ(x), the standard normal distribution function: erfc keeps the digits of its left tail.
__device__ __forceinline__ float normal_cdf(float x) {
  return 0.5f * erfcf(-0.70710678f * x);
}

// 2u(x) = 2√(2/π)·(x + 0.044715 x³), so that (1 + tanh u)/2 = σ(2u), and its derivative.
constexpr float kTwiceRoot = 1.59576912f;
constexpr float kCubic = 0.044715f;

__device__ __forceinline__ float gelu_inner(float x) {
  return kTwiceRoot * (x + kCubic * x * x * x);
}

__device__ __forceinline__ float gelu_inner_slope(float x) {
  return kTwiceRoot * (1.0f + 3.0f * kCubic * x * x);
}

// An activation is a value and a slope: act(x) and act'(x).

struct Identity {
  __device__ static float value(float x) { return x; }
  __device__ static float slope(float) { return 1.0f; }
};

// x·Φ(x); Φ(x) + x·φ(x) (Hendrycks and Gimpel 2016).
struct GELU {
  __device__ static float value(float x) { return x * normal_cdf(x); }
  __device__ static float slope(float x) { return normal_cdf(x) + x * 0.39894228f * expf(-0.5f * x * x); }
};

// The tanh approximation of GELU, as x·σ(2u).
struct GELUTanh {
  __device__ static float value(float x) { return x * sigmoid(gelu_inner(x)); }
  __device__ static float slope(float x) {
    const float s = sigmoid(gelu_inner(x));
    return s + x * s * (1.0f - s) * gelu_inner_slope(x);
  }
};

// x·σ(x).
struct SiLU {
  __device__ static float value(float x) { return x * sigmoid(x); }
  __device__ static float slope(float x) {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
};

// max(x, 0); NaN stays NaN.
struct ReLU {
  __device__ static float value(float x) { return x <= 0.0f ? 0.0f : x; }
  __device__ static float slope(float x) { return x > 0.0f ? 1.0f : 0.0f; }
};

// max(x, 0)² (So et al. 2021).
struct ReLU2 {
  __device__ static float value(float x) {
    const float r = ReLU::value(x);
    return r * r;
  }
  __device__ static float slope(float x) { return 2.0f * ReLU::value(x); }
};

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
  switch (act) {
    case kGELU:
      return forward<GELU>(x, y, n);
    case kGELUTanh:
      return forward<GELUTanh>(x, y, n);
    case kSiLU:
      return forward<SiLU>(x, y, n);
    case kReLU2:
      return forward<ReLU2>(x, y, n);
    case kReLU:
      return forward<ReLU>(x, y, n);
  }
  forward<Identity>(x, y, n);
}

template <class T>
__device__ void activation_backward(const T* x, const T* dy, T* dx, long long n, int act) {
  switch (act) {
    case kGELU:
      return backward<GELU>(x, dy, dx, n);
    case kGELUTanh:
      return backward<GELUTanh>(x, dy, dx, n);
    case kSiLU:
      return backward<SiLU>(x, dy, dx, n);
    case kReLU2:
      return backward<ReLU2>(x, dy, dx, n);
    case kReLU:
      return backward<ReLU>(x, dy, dx, n);
  }
  backward<Identity>(x, dy, dx, n);
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
