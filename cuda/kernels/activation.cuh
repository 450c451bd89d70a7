// activation.cuh: activations as a value and a slope.
//
// Evaluated in float32: expf and erfcf are good to 2 ulp, the quotient of the sigmoid to 2 ulp.
#pragma once
#include "common.cuh"

// The codes of ir.Act.
constexpr int kGELU = 1;
constexpr int kGELUTanh = 2;
constexpr int kSiLU = 3;
constexpr int kReLU2 = 4;
constexpr int kReLU = 5;
constexpr int kTanh = 6;
constexpr int kLeakyReLU = 7;

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

// tanh(x); tanhf is good to 2 ulp.
struct Tanh {
  __device__ static float value(float x) { return tanhf(x); }
  __device__ static float slope(float x) {
    const float t = tanhf(x);
    return 1.0f - t * t;
  }
};

// x, or x/5 below 0 (Radford et al. 2015).
struct LeakyReLU {
  __device__ static float value(float x) { return x > 0.0f ? x : 0.2f * x; }
  __device__ static float slope(float x) { return x > 0.0f ? 1.0f : 0.2f; }
};

// with_activation calls f with the activation of a code.
template <class F>
__device__ __forceinline__ void with_activation(int act, F f) {
  switch (act) {
    case kGELU:
      return f(GELU{});
    case kGELUTanh:
      return f(GELUTanh{});
    case kSiLU:
      return f(SiLU{});
    case kReLU2:
      return f(ReLU2{});
    case kReLU:
      return f(ReLU{});
    case kTanh:
      return f(Tanh{});
    case kLeakyReLU:
      return f(LeakyReLU{});
  }
  f(Identity{});
}
