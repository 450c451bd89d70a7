// dropout.cu: Dropout (Srivastava et al. 2014) with the mask of Philox4x32-10 (Salmon et al. 2011).
//
//   y[i] = x[i]·scale where word e mod 4 of philox(seed, counter) ≥ threshold, else 0;  e = row·width + i
//   counter = (b low, site, b high, 0),  b = e div 4,  scale = 1/(1-p),  threshold = p·2³²
//
// row is the number of x's first row among all rows of the run, so that a row has the same mask in every batch and on
// every rank; every back end drops the same elements and the backward pass is the same function of dy. rng holds seed
// low, seed high, row low, row high. A pack is 1 block of Philox in float32 and 2 in bf16; the elements behind the last
// pack, and all where the first is not the first of a block, make their block each for itself. Bound by memory, 2
// elements moved.
#include "philox.cuh"

namespace {

template <class T>
__device__ void dropout(const T* x, const int* rng, T* y, long long n, int width, int threshold, float scale, int site) {
  constexpr int size = Pack<T>::size;
  const Philox philox = {{(unsigned)rng[0], (unsigned)rng[1]}, (unsigned)site};
  const unsigned long long row = (unsigned)rng[2] | (unsigned long long)(unsigned)rng[3] << 32;
  const unsigned long long first = row * (unsigned long long)width;
  const unsigned least = (unsigned)threshold;
  const bool aligned = aligned16(x) && aligned16(y) && first % 4 == 0;
  const long long packs = aligned ? n / size : 0;
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long threads = (long long)gridDim.x * blockDim.x;
  unsigned words[4];
#pragma unroll 1
  for (long long p = thread; p < packs; p += threads) {
    const long long at = p * size;
    float v[size];
    Pack<T>::load(x + at).to_floats(v);
#pragma unroll
    for (int e = 0; e < size; e++) {
      if (e % 4 == 0) {
        philox.block((first + at + e) / 4, words);
      }
      v[e] = words[e % 4] < least ? 0.0f : v[e] * scale;
    }
    Pack<T>::from_floats(v).store(y + at);
  }
#pragma unroll 1
  for (long long at = packs * size + thread; at < n; at += threads) {
    philox.block((first + at) / 4, words);
    const int e = (int)((first + at) % 4);
    const unsigned word = e == 0 ? words[0] : e == 1 ? words[1] : e == 2 ? words[2] : words[3];
    y[at] = from_float<T>(word < least ? 0.0f : to_float(x[at]) * scale);
  }
}

}  // namespace

KERNEL(dropout_f32, 256)(const float* x, const int* rng, float* y, long long n, int width, int threshold, float scale, int site) {
  dropout<float>(x, rng, y, n, width, threshold, scale, site);
}
EXPORT(dropout_f32)

KERNEL(dropout_bf16, 256)(const bf16* x, const int* rng, bf16* y, long long n, int width, int threshold, float scale, int site) {
  dropout<bf16>(x, rng, y, n, width, threshold, scale, site);
}
EXPORT(dropout_bf16)
