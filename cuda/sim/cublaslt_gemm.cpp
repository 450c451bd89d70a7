// D = epilogue(alpha · op(A) · op(B) + beta · C), column-major, for the simulated cuBLASLt.
//
// Layout: D is cut into blocks of MC × NC, one task each. A task walks k in steps of KC: it packs MC × KC of A into
// panels of MR rows and KC × NC of B into panels of NR columns, both as float32, and multiplies them into a block of
// float32 sums; the epilogue runs on the finished block. The inner loop holds MR × NR sums in registers (16 × 6: six
// AVX-512 or twelve AVX2 registers); the machine's best of three compilations of it is used.
//
// An element's sum runs over k in order, or in the other direction, in one register, without fused multiply-add; column sums over blocks are added
// in block order. So neither the number of threads nor the instruction set changes a bit of the result.
#include "cublaslt_gemm.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

namespace gemm {
namespace {

constexpr int64_t MR = 16, NR = 6, MC = 128, NC = 96, KC = 256;

using Vector = float __attribute__((vector_size(4 * MR), aligned(4)));

float from_bf16(uint16_t h) {
  uint32_t bits = uint32_t(h) << 16;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

// Rounds to the nearest bfloat16, ties to even; a NaN stays one.
uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Rounds to TF32: 10 bits of mantissa, to nearest, ties away from zero (cvt.rna.tf32.f32).
float to_tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7f800000) == 0x7f800000) return x;
  bits = (bits + 0x1000) & ~uint32_t(0x1fff);
  memcpy(&x, &bits, 4);
  return x;
}

float load(const Matrix& m, int64_t i) {
  if (m.type == Type::f32) return static_cast<const float*>(m.data)[i];
  return from_bf16(static_cast<const uint16_t*>(m.data)[i]);
}

void store(void* data, Type type, int64_t i, float x) {
  if (type == Type::f32) {
    static_cast<float*>(data)[i] = x;
  } else {
    static_cast<uint16_t*>(data)[i] = to_bf16(x);
  }
}

// u of gelu(x) = 0.5 · x · (1 + tanh(u)), u = sqrt(2/π) · (x + 0.044715 · x³).
constexpr float gelu_scale = 0.7978845608028654f, gelu_cubic = 0.044715f;

float gelu(float x) { return 0.5f * x * (1 + std::tanh(gelu_scale * (x + gelu_cubic * x * x * x))); }

float gelu_derivative(float x) {
  float t = std::tanh(gelu_scale * (x + gelu_cubic * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * gelu_scale * (1 + 3 * gelu_cubic * x * x);
}

// Copies a rows × cols part of a matrix, whose element (i, j) is at(i·across + j·along), into panels of `width` rows:
// panel p holds (p·width + r, j) at p·width·cols + j·width + r, and zeros beyond the last row.
template <class Load>
void pack_panels(float* out, Load at, int64_t rows, int64_t cols, int64_t across, int64_t along, int64_t width) {
  for (int64_t first = 0; first < rows; first += width) {
    int64_t live = std::min(width, rows - first);
    for (int64_t j = 0; j < cols; j++) {
      int64_t base = first * across + j * along;
      for (int64_t r = 0; r < live; r++) out[r] = at(base + r * across);
      for (int64_t r = live; r < width; r++) out[r] = 0;
      out += width;
    }
  }
}

void pack(float* out, const Matrix& m, int64_t offset, bool tf32, int64_t rows, int64_t cols, int64_t across,
          int64_t along, int64_t width) {
  if (m.type == Type::bf16) {
    const uint16_t* data = static_cast<const uint16_t*>(m.data) + offset;
    pack_panels(out, [=](int64_t i) { return from_bf16(data[i]); }, rows, cols, across, along, width);
    return;
  }
  const float* data = static_cast<const float*>(m.data) + offset;
  if (tf32) {
    pack_panels(out, [=](int64_t i) { return to_tf32(data[i]); }, rows, cols, across, along, width);
  } else {
    pack_panels(out, [=](int64_t i) { return data[i]; }, rows, cols, across, along, width);
  }
}

// sums[MR × NR, leading dimension MC] += a · b for one panel of A and one of B, k deep.
__attribute__((always_inline)) inline void tile_body(int64_t k, const float* a, const float* b, float* sums) {
  Vector s[NR];
#pragma GCC unroll 6
  for (int j = 0; j < NR; j++) s[j] = *reinterpret_cast<const Vector*>(sums + j * MC);
  for (int64_t l = 0; l < k; l++) {
    Vector column = *reinterpret_cast<const Vector*>(a + l * MR);
#pragma GCC unroll 6
    for (int j = 0; j < NR; j++) s[j] += column * b[l * NR + j];
  }
#pragma GCC unroll 6
  for (int j = 0; j < NR; j++) *reinterpret_cast<Vector*>(sums + j * MC) = s[j];
}

using Tile = void (*)(int64_t k, const float* a, const float* b, float* sums);

void tile_generic(int64_t k, const float* a, const float* b, float* sums) { tile_body(k, a, b, sums); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void tile_avx2(int64_t k, const float* a, const float* b, float* sums) {
  tile_body(k, a, b, sums);
}

__attribute__((target("avx512f"))) void tile_avx512(int64_t k, const float* a, const float* b, float* sums) {
  tile_body(k, a, b, sums);
}

Tile best_tile() {
  if (__builtin_cpu_supports("avx512f")) return tile_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return tile_avx2;
  return tile_generic;
}
#else
Tile best_tile() { return tile_generic; }
#endif

// One task: the block of D whose first element is (i0, j0) of one batch.
struct Block {
  const Product& p;
  int64_t batch, i0, j0;
  int64_t rows = std::min(MC, p.m - i0), cols = std::min(NC, p.n - j0);

  void multiply(Tile tile, float* sums, float* a_panels, float* b_panels) const {
    std::fill_n(sums, MC * NC, 0.0f);
    int64_t a_across = p.trans_a ? p.a.ld : 1, a_along = p.trans_a ? 1 : p.a.ld;
    int64_t b_across = p.trans_b ? 1 : p.b.ld, b_along = p.trans_b ? p.b.ld : 1;
    for (int64_t done = 0; done < p.k; done += KC) {
      int64_t depth = std::min(KC, p.k - done), k0 = done;
      if (p.backward) k0 = p.k - 1 - done;
      int64_t a_first = batch * p.a.stride + i0 * a_across + k0 * a_along;
      int64_t b_first = batch * p.b.stride + j0 * b_across + k0 * b_along;
      int64_t way = p.backward ? -1 : 1;
      pack(a_panels, p.a, a_first, p.tf32, rows, depth, a_across, way * a_along, MR);
      pack(b_panels, p.b, b_first, p.tf32, cols, depth, b_across, way * b_along, NR);
      for (int64_t j = 0; j < cols; j += NR) {
        for (int64_t i = 0; i < rows; i += MR) {
          tile(depth, a_panels + i * depth, b_panels + j * depth, sums + j * MC + i);
        }
      }
    }
  }

  // Applies the epilogue and stores; adds the stored rows up into partial (rows elements) for a bias gradient.
  void finish(const float* sums, float* partial) const {
    const Epilogue& e = p.epilogue;
    Matrix bias{p.bias, p.d.type};
    for (int64_t j = 0; j < cols; j++) {
      for (int64_t i = 0; i < rows; i++) {
        float x = p.alpha * sums[j * MC + i];
        if (p.beta != 0) x += p.beta * load(p.c, batch * p.c.stride + (j0 + j) * p.c.ld + i0 + i);
        int64_t aux = batch * p.aux.stride + (j0 + j) * p.aux.ld + i0 + i;
        if (e.bias) x += load(bias, batch * p.bias_stride + i0 + i);
        if (e.store_aux) store(p.aux.data, p.aux.type, aux, x);
        if (e.gelu) x = gelu(x);
        if (e.dgelu) x *= gelu_derivative(load(p.aux, aux));
        if (e.bias_gradient) partial[i] += x;
        store(p.d.data, p.d.type, batch * p.d.stride + (j0 + j) * p.d.ld + i0 + i, x);
      }
    }
  }
};

// Runs task(0) … task(count - 1) on the machine's cores; small work stays on the calling thread.
template <class Task>
void parallel(int64_t count, bool small, Task task) {
  int64_t threads = small ? 1 : std::min<int64_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  std::atomic<int64_t> next{0};
  auto work = [&] {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i);
  };
  std::vector<std::thread> helpers;
  for (int64_t t = 1; t < threads; t++) helpers.emplace_back(work);
  work();
  for (std::thread& h : helpers) h.join();
}

// bias[i] = Σ_l of the count × depth matrix whose element (i, l) of a batch is data[i·across + l·along].
void sums_over_k(const Product& p, const Matrix& m, int64_t count, int64_t across, int64_t along) {
  for (int64_t b = 0; b < p.batch; b++) {
    for (int64_t i = 0; i < count; i++) {
      float sum = 0;
      for (int64_t l = 0; l < p.k; l++) sum += load(m, b * m.stride + i * across + l * along);
      store(p.bias, p.d.type, b * p.bias_stride + i, sum);
    }
  }
}

}  // namespace

void run(const Product& p) {
  const Tile tile = best_tile();
  int64_t down = (p.m + MC - 1) / MC, across = (p.n + NC - 1) / NC, blocks = down * across;
  // partials[batch][block column][row]: the bias gradient's sums over one block each.
  std::vector<float> partials(p.epilogue.bias_gradient ? p.batch * across * p.m : 0);
  bool small = p.m * p.n * p.k * p.batch < 1 << 21;
  parallel(p.batch * blocks, small, [&](int64_t task) {
    thread_local std::vector<float> sums(MC * (NC + NR)), a_panels((MC + MR) * KC), b_panels((NC + NR) * KC);
    int64_t batch = task / blocks, column = task % blocks / down;
    Block block{p, batch, task % down * MC, column * NC};
    block.multiply(tile, sums.data(), a_panels.data(), b_panels.data());
    float* partial = partials.empty() ? nullptr : &partials[(batch * across + column) * p.m + block.i0];
    block.finish(sums.data(), partial);
  });
  if (p.epilogue.bias_gradient) {
    for (int64_t b = 0; b < p.batch; b++) {
      for (int64_t i = 0; i < p.m; i++) {
        float sum = 0;
        for (int64_t c = 0; c < across; c++) sum += partials[(b * across + c) * p.m + i];
        store(p.bias, p.d.type, b * p.bias_stride + i, sum);
      }
    }
  }
  if (p.epilogue.row_sums) sums_over_k(p, p.a, p.m, p.trans_a ? p.a.ld : 1, p.trans_a ? 1 : p.a.ld);
  if (p.epilogue.column_sums) sums_over_k(p, p.b, p.n, p.trans_b ? 1 : p.b.ld, p.trans_b ? p.b.ld : 1);
}

}  // namespace gemm
