// rope: rotary positions (Su et al. 2021) in the half-rotation layout of Hugging Face's Llama.
//
//   y_i = x_i·cos_i - x_{i+h}·sin_i,  y_{i+h} = x_{i+h}·cos_i + x_i·sin_i,  h = hd / 2
//
// x, y(N, H·hd), table(L, hd) float32 with h cosines, then h sines, positions(N) int32. Inverse takes -sin: the
// gradient. y may be x. A position outside the table is reported and its row left alone.
//
// A thread does the pairs of 16 bytes in each half, or one pair where rows are not multiples of 16 bytes. Bound:
// memory, 2·N·H·hd elements; the table's rows stay in L2.
#include "common.cuh"

template <class T>
__device__ void rotate(const T* x, const float* angles, T* y, int half, float sign) {
  float a = to_float(x[0]), b = to_float(x[half]), c = angles[0], s = sign * angles[half];
  y[0] = from_float<T>(a * c - b * s);
  y[half] = from_float<T>(b * c + a * s);
}

// The same for a vector of pairs; half is a multiple of its width.
template <class T>
__device__ void rotate_packs(const T* x, const float* angles, T* y, int half, float sign) {
  constexpr int width = Pack<T>::size;
  float u[width], v[width], c[width], s[width];
  Pack<T>::load(x).to_floats(u);
  Pack<T>::load(x + half).to_floats(v);
#pragma unroll
  for (int i = 0; i < width; i += 4) {
    Pack<float>::load(angles + i).to_floats(c + i);
    Pack<float>::load(angles + half + i).to_floats(s + i);
  }
#pragma unroll
  for (int i = 0; i < width; i++) {
    float a = u[i], b = v[i];
    u[i] = a * c[i] - b * (sign * s[i]);
    v[i] = b * c[i] + a * (sign * s[i]);
  }
  Pack<T>::from_floats(u).store(y);
  Pack<T>::from_floats(v).store(y + half);
}

template <class T>
__device__ void rope(const T* x, const float* table, const int* positions, T* y, int* fault, int check, int rows,
                     int heads, int hd, int length, float sign) {
  int half = hd / 2;
  bool packs = half % Pack<T>::size == 0 && aligned16(x) && aligned16(y) && aligned16(table);
  int width = packs ? Pack<T>::size : 1, chunks = half / width;
  unsigned at = blockIdx.x * blockDim.x + threadIdx.x, head = at / chunks;
  if (head >= (unsigned)rows * heads) return;
  int i = at % chunks * width, row = head / heads, position = positions[row];
  if (position < 0 || position >= length) {
    report(fault, check, row, position);
    return;
  }
  const float* angles = table + (size_t)position * hd + i;
  if (packs) {
    rotate_packs(x + (size_t)head * hd + i, angles, y + (size_t)head * hd + i, half, sign);
  } else {
    rotate(x + (size_t)head * hd + i, angles, y + (size_t)head * hd + i, half, sign);
  }
}

// sign: 1, or -1 for the inverse. Grid: a thread for each of the rows·heads·⌈half / width⌉ chunks.
KERNEL(rope_f32, 256)
(const float* x, const float* table, const int* positions, float* y, int* fault, int check, int rows, int heads, int hd,
 int length, float sign) {
  rope(x, table, positions, y, fault, check, rows, heads, hd, length, sign);
}
EXPORT(rope_f32)

KERNEL(rope_bf16, 256)
(const bf16* x, const float* table, const int* positions, bf16* y, int* fault, int check, int rows, int heads, int hd,
 int length, float sign) {
  rope(x, table, positions, y, fault, check, rows, heads, hd, length, sign);
}
EXPORT(rope_bf16)
