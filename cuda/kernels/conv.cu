// conv.cu: Conv, ConvInput and ConvWeights, each a product of matrices that are nowhere as a whole.
//
//   Conv         y[p, k]  = Σ_t see(x, p, t)·w[k, t]      p a pixel of y, t = (u, v, c) a tap of the kernel and a channel
//   ConvInput    dx[p, c] = Σ_t seen(dy, p, t)·w[t, c]    p a pixel of x, t = (u, v, k)
//   ConvWeights  dw[k, t] = Σ_p dy[p, k]·see(x, p, t)
//
// A block of 16×16 threads makes a tile of 64×64 results of a group of channels (blockIdx.z), each thread 4×4 of them,
// from strips of 16 terms that go through shared memory as float32. Sums are float32, in the order of terms. Operands are
// T. Bound: arithmetic, on the cores that add and multiply float32; the indices of a strip are divisions.
#include "lattice.cuh"

namespace {

constexpr int kTile = 64;
constexpr int kStrip = 16;
constexpr int kEach = 4;  // results of a thread in rows, and in columns
constexpr int kThreads = 256;

// Geometry of a group: C and K channels of x and y each, groups of them.
struct Geometry {
  int batch, height, width, out_height, out_width;
  int in, out, groups, rows, columns, stride_y, stride_x, top, left;

  // see returns what pixel p of y sees of x through tap t.
  template <class T>
  __device__ __forceinline__ float see(const T* x, int group, unsigned p, unsigned t) const {
    unsigned i, j, c, v;
    const unsigned tap = divide(t, (unsigned)in, &c);
    const unsigned u = divide(tap, (unsigned)columns, &v);
    const unsigned b = divide(divide(p, (unsigned)out_width, &j), (unsigned)out_height, &i);
    const int y = (int)i * stride_y + (int)u - top, column = (int)j * stride_x + (int)v - left;
    if (y < 0 || y >= height || column < 0 || column >= width) {
      return 0.f;
    }
    return to_float(x[(((long long)b * height + y) * width + column) * in * groups + group * in + c]);
  }

  // seen returns what pixel p of x gives to y through tap t.
  template <class T>
  __device__ __forceinline__ float seen(const T* dy, int group, unsigned p, unsigned t) const {
    unsigned i, j, k, v;
    const unsigned tap = divide(t, (unsigned)out, &k);
    const unsigned u = divide(tap, (unsigned)columns, &v);
    const unsigned b = divide(divide(p, (unsigned)width, &j), (unsigned)height, &i);
    const int y = (int)i + top - (int)u, column = (int)j + left - (int)v;
    if (y < 0 || column < 0 || y % stride_y != 0 || column % stride_x != 0 || y / stride_y >= out_height ||
        column / stride_x >= out_width) {
      return 0.f;
    }
    return to_float(
        dy[(((long long)b * out_height + y / stride_y) * out_width + column / stride_x) * out * groups + group * out + k]);
  }
};

// product computes the block's tile of (rows, columns) results: a(m, k) and b(k, n) give the terms, store takes sums.
template <class A, class B, class S>
__device__ __forceinline__ void product(unsigned rows, unsigned columns, unsigned terms, A a, B b, S store) {
  __shared__ float as[kStrip][kTile + 1];
  __shared__ float bs[kStrip][kTile + 1];
  const unsigned row = blockIdx.x * kTile, column = blockIdx.y * kTile;
  float sums[kEach][kEach] = {};
#pragma unroll 1
  for (unsigned k = 0; k < terms; k += kStrip) {
#pragma unroll 1
    for (int i = threadIdx.x; i < kStrip * kTile; i += kThreads) {
      // Neighbouring threads read neighbouring terms of a, and neighbouring columns of b.
      const unsigned m = i / kStrip, ka = i % kStrip, kb = i / kTile, n = i % kTile;
      as[ka][m] = row + m < rows && k + ka < terms ? a(row + m, k + ka) : 0.f;
      bs[kb][n] = column + n < columns && k + kb < terms ? b(k + kb, column + n) : 0.f;
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kStrip; s++) {
      float av[kEach], bv[kEach];
#pragma unroll
      for (int e = 0; e < kEach; e++) {
        av[e] = as[s][threadIdx.x / 16 * kEach + e];
        bv[e] = bs[s][threadIdx.x % 16 + 16 * e];
      }
#pragma unroll
      for (int i = 0; i < kEach; i++) {
#pragma unroll
        for (int j = 0; j < kEach; j++) {
          sums[i][j] += av[i] * bv[j];
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kEach; i++) {
    const unsigned m = row + threadIdx.x / 16 * kEach + i;
#pragma unroll
    for (int j = 0; j < kEach; j++) {
      const unsigned n = column + threadIdx.x % 16 + 16 * j;
      if (m < rows && n < columns) {
        store(m, n, sums[i][j]);
      }
    }
  }
}

// beside is bias and addend of an element.
template <class T>
__device__ __forceinline__ float beside(const float* bias, const T* addend, long long at, int channel) {
  return (bias == nullptr ? 0.f : bias[channel]) + (addend == nullptr ? 0.f : to_float(addend[at]));
}

template <class T>
__device__ __forceinline__ void conv(const T* x, const T* w, const float* bias, const T* addend, T* y, const Geometry& g) {
  const int group = blockIdx.z, taps = g.rows * g.columns * g.in;
  product(
      g.batch * g.out_height * g.out_width, g.out, taps,
      [&](unsigned p, unsigned t) { return g.see(x, group, p, t); },
      [&](unsigned t, unsigned k) { return to_float(w[(long long)(group * g.out + k) * taps + t]); },
      [&](unsigned p, unsigned k, float sum) {
        const int channel = group * g.out + k;
        const long long at = (long long)p * g.out * g.groups + channel;
        y[at] = from_float<T>(sum + beside(bias, addend, at, channel));
      });
}

template <class T>
__device__ __forceinline__ void conv_input(const T* dy, const T* w, const float* bias, const T* addend, T* dx,
                                           const Geometry& g) {
  const int group = blockIdx.z;
  product(
      g.batch * g.height * g.width, g.in, g.rows * g.columns * g.out,
      [&](unsigned p, unsigned t) { return g.seen(dy, group, p, t); },
      [&](unsigned t, unsigned c) {
        const long long tap = t / g.out, k = group * g.out + t % g.out;
        return to_float(w[(k * g.rows * g.columns + tap) * g.in + c]);
      },
      [&](unsigned p, unsigned c, float sum) {
        const int channel = group * g.in + c;
        const long long at = (long long)p * g.in * g.groups + channel;
        dx[at] = from_float<T>(sum + beside(bias, addend, at, channel));
      });
}

template <class T>
__device__ __forceinline__ void conv_weights(const T* x, const T* dy, const float* addend, float* dw, const Geometry& g) {
  const int group = blockIdx.z, taps = g.rows * g.columns * g.in;
  product(
      g.out, taps, g.batch * g.out_height * g.out_width,
      [&](unsigned k, unsigned p) { return to_float(dy[(long long)p * g.out * g.groups + group * g.out + k]); },
      [&](unsigned p, unsigned t) { return g.see(x, group, p, t); },
      [&](unsigned k, unsigned t, float sum) {
        const long long at = (long long)(group * g.out + k) * taps + t;
        dw[at] = sum + (addend == nullptr ? 0.f : addend[at]);
      });
}

}  // namespace

KERNEL(conv_f32, 256)
(const float* x, const float* w, const float* bias, const float* addend, float* y, int batch, int height, int width,
 int out_height, int out_width, int in, int out, int groups, int rows, int columns, int stride_y, int stride_x, int top,
 int left) {
  conv<float>(x, w, bias, addend, y,
              {batch, height, width, out_height, out_width, in, out, groups, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(conv_f32)

KERNEL(conv_bf16, 256)
(const bf16* x, const bf16* w, const float* bias, const bf16* addend, bf16* y, int batch, int height, int width,
 int out_height, int out_width, int in, int out, int groups, int rows, int columns, int stride_y, int stride_x, int top,
 int left) {
  conv<bf16>(x, w, bias, addend, y,
             {batch, height, width, out_height, out_width, in, out, groups, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(conv_bf16)

KERNEL(conv_input_f32, 256)
(const float* dy, const float* w, const float* bias, const float* addend, float* dx, int batch, int height, int width,
 int out_height, int out_width, int in, int out, int groups, int rows, int columns, int stride_y, int stride_x, int top,
 int left) {
  conv_input<float>(
      dy, w, bias, addend, dx,
      {batch, height, width, out_height, out_width, in, out, groups, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(conv_input_f32)

KERNEL(conv_input_bf16, 256)
(const bf16* dy, const bf16* w, const float* bias, const bf16* addend, bf16* dx, int batch, int height, int width,
 int out_height, int out_width, int in, int out, int groups, int rows, int columns, int stride_y, int stride_x, int top,
 int left) {
  conv_input<bf16>(
      dy, w, bias, addend, dx,
      {batch, height, width, out_height, out_width, in, out, groups, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(conv_input_bf16)

KERNEL(conv_weights_f32, 256)
(const float* x, const float* dy, const float* addend, float* dw, int batch, int height, int width, int out_height,
 int out_width, int in, int out, int groups, int rows, int columns, int stride_y, int stride_x, int top, int left) {
  conv_weights<float>(
      x, dy, addend, dw,
      {batch, height, width, out_height, out_width, in, out, groups, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(conv_weights_f32)

KERNEL(conv_weights_bf16, 256)
(const bf16* x, const bf16* dy, const float* addend, float* dw, int batch, int height, int width, int out_height,
 int out_width, int in, int out, int groups, int rows, int columns, int stride_y, int stride_x, int top, int left) {
  conv_weights<bf16>(
      x, dy, addend, dw,
      {batch, height, width, out_height, out_width, in, out, groups, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(conv_weights_bf16)
