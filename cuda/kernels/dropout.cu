// dropout.cu: Dropout (Srivastava et al. 2014) with the mask of Philox4x32-10 (Salmon et al. 2011).
//
//   y[e] = x[e]·scale where word e mod 4 of philox(seed, counter) ≥ threshold, else 0
//   counter = (e div 4, site, step low, step high),  scale = 1/(1-p),  threshold = p·2³²
//
// A pure function of (seed, site, step, element): every back end drops the same elements and the backward pass is the
// same function of dy. rng holds seed low, seed high, step low, step high. A pack is 1 block of Philox in float32 and 2
// in bf16; the elements behind the last pack make their block each for itself. Bound by memory, 2 elements moved.
#include "common.cuh"

namespace {

struct Philox {
  unsigned key[2];
  unsigned site;
  unsigned step[2];

  // block writes the four words of counter value index.
  __device__ void block(unsigned index, unsigned (&words)[4]) const {
    unsigned c0 = index, c1 = site, c2 = step[0], c3 = step[1];
    unsigned k0 = key[0], k1 = key[1];
#pragma unroll
    for (int round = 0; round < 10; round++) {
      const unsigned long long p0 = c0 * 0xD2511F53ull;
      const unsigned long long p1 = c2 * 0xCD9E8D57ull;
      c0 = (unsigned)(p1 >> 32) ^ c1 ^ k0;
      c1 = (unsigned)p1;
      c2 = (unsigned)(p0 >> 32) ^ c3 ^ k1;
      c3 = (unsigned)p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
  }
};

template <class T>
__device__ void dropout(const T* x, const int* rng, T* y, long long n, int threshold, float scale, int site) {
  constexpr int width = Pack<T>::size;
  const Philox philox = {{(unsigned)rng[0], (unsigned)rng[1]}, (unsigned)site, {(unsigned)rng[2], (unsigned)rng[3]}};
  const unsigned least = (unsigned)threshold;
  const bool aligned = aligned16(x) && aligned16(y);
  const long long packs = aligned ? n / width : 0;
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  const long long threads = (long long)gridDim.x * blockDim.x;
  unsigned words[4];
#pragma unroll 1
  for (long long p = thread; p < packs; p += threads) {
    const long long at = p * width;
    float v[width];
    Pack<T>::load(x + at).to_floats(v);
#pragma unroll
    for (int e = 0; e < width; e++) {
      if (e % 4 == 0) {
        philox.block((unsigned)((at + e) / 4), words);
      }
      v[e] = words[e % 4] < least ? 0.0f : v[e] * scale;
    }
    Pack<T>::from_floats(v).store(y + at);
  }
#pragma unroll 1
  for (long long at = packs * width + thread; at < n; at += threads) {
    philox.block((unsigned)(at / 4), words);
    const int e = (int)(at % 4);
    const unsigned word = e == 0 ? words[0] : e == 1 ? words[1] : e == 2 ? words[2] : words[3];
    y[at] = from_float<T>(word < least ? 0.0f : to_float(x[at]) * scale);
  }
}

}  // namespace

KERNEL(dropout_f32, 256)(const float* x, const int* rng, float* y, long long n, int threshold, float scale, int site) {
  dropout<float>(x, rng, y, n, threshold, scale, site);
}
EXPORT(dropout_f32)

KERNEL(dropout_bf16, 256)(const bf16* x, const int* rng, bf16* y, long long n, int threshold, float scale, int site) {
  dropout<bf16>(x, rng, y, n, threshold, scale, site);
}
EXPORT(dropout_bf16)
