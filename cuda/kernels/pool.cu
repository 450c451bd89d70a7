// pool.cu: MaxPool and its gradient.
//
// A row is a pixel, its columns are channels. A thread makes an element, of dx as the sum over the windows that it is the
// first largest pixel of, in the order of windows. Bound by memory: neighbouring threads read neighbouring channels, and
// caches keep what windows share.
#include "lattice.cuh"

namespace {

struct Pool {
  int height, width, out_height, out_width, channels, rows, columns, stride_y, stride_x, top, left;

  // first returns the first line and column of a window that are inside, and last those behind it.
  __device__ __forceinline__ void lines(int i, int* from, int* to) const {
    *from = max(i * stride_y - top, 0);
    *to = min(i * stride_y - top + rows, height);
  }
  __device__ __forceinline__ void sides(int j, int* from, int* to) const {
    *from = max(j * stride_x - left, 0);
    *to = min(j * stride_x - left + columns, width);
  }
};

template <class T>
__device__ void max_pool(const T* x, T* y, long long n, const Pool& g) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < n; e += threads) {
    long long c, i, j;
    const long long pixel = divide(e, (long long)g.channels, &c);
    const long long b = divide(divide(pixel, (long long)g.out_width, &j), (long long)g.out_height, &i);
    int y0, y1, x0, x1;
    g.lines((int)i, &y0, &y1);
    g.sides((int)j, &x0, &x1);
    float most = -INFINITY;
#pragma unroll 1
    for (int line = y0; line < y1; line++) {
#pragma unroll 1
      for (int column = x0; column < x1; column++) {
        const float v = to_float(x[((b * g.height + line) * g.width + column) * g.channels + c]);
        if (v > most || v != v) {
          most = v;
        }
      }
    }
    y[e] = from_float<T>(most);
  }
}

template <class T>
__device__ void max_pool_backward(const T* x, const T* y, const T* dy, T* dx, long long n, const Pool& g) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < n; e += threads) {
    long long c, line, column;
    const long long pixel = divide(e, (long long)g.channels, &c);
    const long long b = divide(divide(pixel, (long long)g.width, &column), (long long)g.height, &line);
    const float mine = to_float(x[e]);
    float sum = 0;
    // Windows that have the pixel: their lines begin at most rows - 1 before it.
    const int i0 = max(0, ((int)line + g.top - g.rows + g.stride_y) / g.stride_y);
    const int j0 = max(0, ((int)column + g.left - g.columns + g.stride_x) / g.stride_x);
#pragma unroll 1
    for (int i = i0; i < g.out_height && i * g.stride_y - g.top <= (int)line; i++) {
#pragma unroll 1
      for (int j = j0; j < g.out_width && j * g.stride_x - g.left <= (int)column; j++) {
        const long long at = ((b * g.out_height + i) * g.out_width + j) * g.channels + c;
        const float most = to_float(y[at]);
        if (mine != most && mine == mine) {
          continue;
        }
        int y0, y1, x0, x1;
        g.lines(i, &y0, &y1);
        g.sides(j, &x0, &x1);
        bool first = true;
#pragma unroll 1
        for (int u = y0; u < y1 && first; u++) {
#pragma unroll 1
          for (int v = x0; v < x1 && first; v++) {
            if (u == (int)line && v == (int)column) {
              u = y1;
              break;
            }
            const float other = to_float(x[((b * g.height + u) * g.width + v) * g.channels + c]);
            first = !(other == most || other != other);
          }
        }
        if (first) {
          sum += to_float(dy[at]);
        }
      }
    }
    dx[e] = from_float<T>(sum);
  }
}

}  // namespace

KERNEL(max_pool_f32, 256)
(const float* x, float* y, long long n, int height, int width, int out_height, int out_width, int channels, int rows,
 int columns, int stride_y, int stride_x, int top, int left) {
  max_pool<float>(x, y, n, {height, width, out_height, out_width, channels, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(max_pool_f32)

KERNEL(max_pool_bf16, 256)
(const bf16* x, bf16* y, long long n, int height, int width, int out_height, int out_width, int channels, int rows,
 int columns, int stride_y, int stride_x, int top, int left) {
  max_pool<bf16>(x, y, n, {height, width, out_height, out_width, channels, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(max_pool_bf16)

KERNEL(max_pool_backward_f32, 256)
(const float* x, const float* y, const float* dy, float* dx, long long n, int height, int width, int out_height,
 int out_width, int channels, int rows, int columns, int stride_y, int stride_x, int top, int left) {
  max_pool_backward<float>(
      x, y, dy, dx, n, {height, width, out_height, out_width, channels, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(max_pool_backward_f32)

KERNEL(max_pool_backward_bf16, 256)
(const bf16* x, const bf16* y, const bf16* dy, bf16* dx, long long n, int height, int width, int out_height, int out_width,
 int channels, int rows, int columns, int stride_y, int stride_x, int top, int left) {
  max_pool_backward<bf16>(
      x, y, dy, dx, n, {height, width, out_height, out_width, channels, rows, columns, stride_y, stride_x, top, left});
}
EXPORT(max_pool_backward_bf16)
