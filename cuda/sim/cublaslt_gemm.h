// The product behind the simulated cuBLASLt.
#pragma once

#include <cstdint>

namespace gemm {

enum class Type { f32, bf16 };

inline int size(Type t) { return t == Type::f32 ? 4 : 2; }

// A column-major matrix, or a batch of them: element (i, j) of batch b lies at data + b·stride + j·ld + i.
struct Matrix {
  void* data = nullptr;
  Type type = Type::f32;
  int64_t rows = 0, cols = 0, ld = 0, stride = 0;  // elements
};

// What happens to x = alpha · op(A) · op(B) + beta · C before it is stored in D.
struct Epilogue {
  bool bias = false;           // x += bias[i]
  bool gelu = false;           // x = gelu(x), the tanh approximation
  bool store_aux = false;      // aux[i, j] = x, before the activation
  bool dgelu = false;          // x *= gelu'(aux[i, j])
  bool bias_gradient = false;  // bias[i] = Σ_j D[i, j]
  bool row_sums = false;       // bias[i] = Σ_k op(A)[i, k]
  bool column_sums = false;    // bias[j] = Σ_k op(B)[k, j]
};

struct Product {
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool trans_a = false, trans_b = false;
  bool tf32 = false;  // round float32 operands to 10 bits of mantissa
  float alpha = 1, beta = 0;
  Matrix a, b, c, d, aux;
  Epilogue epilogue;
  void* bias = nullptr;  // of D's type
  int64_t bias_stride = 0;
  bool backward = false;  // sums begin with the last k
};

// Computes D with float32 accumulation, in an order that depends on the shape and on backward alone. D may be C.
void run(const Product& p);

}  // namespace gemm
