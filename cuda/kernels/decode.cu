// decode.cu: frozen weights as they lie in memory to float32 or bf16, ahead of the product that reads them, and rows of
// tables that are looked up (ir.DType, autograd/quant).
//
//   decode_bf16    y[i] = w[i]
//   decode_int8    y[i] = (w[i]·absmax[row])·(1/127), a signed byte an element, then a float32 for each of the rows
//   decode_nf4     y[i] = codes[w[i]]·absmax[i/64], the first of two elements in the high half of a byte
//   decode_nf4_double  the same, absmax[b] = dynamic[a[b]]·scale[b/256] + offset, a byte for each a
//
// Absmax, or a, scales and offset, lie behind the codes; each part begins at a multiple of 4 bytes. tables holds the 16
// values of NF4, then the 256 of the dynamic map. Products and sums are rounded one by one, as autograd/quant has them.
// A thread of the grid takes eight elements at a time, whose absmax it computes once.
// Bound: memory, what w has and 4 or 2 bytes an element of y.
#include "row.cuh"

namespace {

constexpr int EIGHT = 8;
constexpr int BLOCK = 64;   // elements of an absmax
constexpr int GROUP = 256;  // absmax of a scale

__device__ __forceinline__ long long words(long long bytes) { return (bytes + 3) & ~3LL; }

struct BF16 {
  const bf16* w;
  __device__ __forceinline__ float scale(long long) const { return 1; }
  __device__ __forceinline__ float at(long long i, float) const { return to_float(w[i]); }
};

struct Int8 {
  const signed char* w;
  const float* absmax;
  int cols;
  __device__ __forceinline__ float scale(long long) const { return 1; }
  __device__ __forceinline__ float at(long long i, float) const {
    return __fmul_rn(__fmul_rn(static_cast<float>(w[i]), absmax[i / cols]), 7.874015718698502e-3f);
  }
};

struct NF4 {
  const unsigned char* w;
  const float* absmax;
  const float* codes;
  __device__ __forceinline__ float scale(long long i) const { return absmax[i / BLOCK]; }
  __device__ __forceinline__ float at(long long i, float scale) const {
    const int pair = w[i / 2];
    return __fmul_rn(codes[i % 2 == 0 ? pair >> 4 : pair & 15], scale);
  }
};

struct NF4Double {
  NF4 nf4;
  const unsigned char* absmax;
  const float* scales;
  const float* offset;
  const float* dynamic;
  __device__ __forceinline__ float scale(long long i) const {
    const long long block = i / BLOCK;
    return __fadd_rn(__fmul_rn(dynamic[absmax[block]], scales[block / GROUP]), *offset);
  }
  __device__ __forceinline__ float at(long long i, float scale) const { return nf4.at(i, scale); }
};

__device__ __forceinline__ const float* floats(const unsigned char* p) { return reinterpret_cast<const float*>(p); }

__device__ __forceinline__ Int8 int8(const unsigned char* w, long long n, int cols) {
  return {reinterpret_cast<const signed char*>(w), floats(w + words(n)), cols};
}

__device__ __forceinline__ NF4 nf4(const unsigned char* w, const float* tables, long long n) {
  return {w, floats(w + words((n + 1) / 2)), tables};
}

__device__ __forceinline__ NF4Double nf4_double(const unsigned char* w, const float* tables, long long n) {
  const long long blocks = cdiv(n, static_cast<long long>(BLOCK));
  const unsigned char* absmax = w + words((n + 1) / 2);
  const float* scales = floats(absmax + words(blocks));
  return {{w, nullptr, tables}, absmax, scales, scales + cdiv(blocks, static_cast<long long>(GROUP)), tables + 16};
}

template <class W, class T>
__device__ __forceinline__ void decode(const W& w, T* y, long long n) {
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
#pragma unroll 1
  for (long long p = thread; p < n / EIGHT; p += (long long)gridDim.x * blockDim.x) {
    const float scale = w.scale(EIGHT * p);
    float f[EIGHT];
#pragma unroll
    for (int e = 0; e < EIGHT; e++) {
      f[e] = w.at(EIGHT * p + e, scale);
    }
#pragma unroll
    for (int e = 0; e < EIGHT; e += Pack<T>::size) {
      Pack<T>::from_floats(f + e).store(y + EIGHT * p + e);
    }
  }
  if (const long long i = n / EIGHT * EIGHT + thread; i < n) {
    y[i] = from_float<T>(w.at(i, w.scale(i)));
  }
}

// y[row] = w[ids[row]], a warp a row.
template <class W, class T>
__device__ __forceinline__ void lookup(const W& w, const int* ids, T* y, int* fault, int instr, int rows,
                                       int vocab, int cols) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  const int id = ids[row];
  if (id < 0 || id >= vocab) {
    report(fault, instr, row, id);
    return;
  }
  const long long from = static_cast<long long>(id) * cols;
  T* to = y + static_cast<long long>(row) * cols;
  for (int c = threadIdx.x; c < cols; c += WARP) {
    to[c] = from_float<T>(w.at(from + c, w.scale(from + c)));
  }
}

__device__ __forceinline__ long long size(int vocab, int cols) { return static_cast<long long>(vocab) * cols; }

}  // namespace

KERNEL(decode_bf16_f32, 256)(const bf16* w, float* y, long long n) { decode(BF16{w}, y, n); }
EXPORT(decode_bf16_f32)

KERNEL(decode_int8_f32, 256)(const unsigned char* w, float* y, long long n, int cols) {
  decode(int8(w, n, cols), y, n);
}
EXPORT(decode_int8_f32)

KERNEL(decode_int8_bf16, 256)(const unsigned char* w, bf16* y, long long n, int cols) {
  decode(int8(w, n, cols), y, n);
}
EXPORT(decode_int8_bf16)

KERNEL(decode_nf4_f32, 256)(const unsigned char* w, const float* tables, float* y, long long n) {
  decode(nf4(w, tables, n), y, n);
}
EXPORT(decode_nf4_f32)

KERNEL(decode_nf4_bf16, 256)(const unsigned char* w, const float* tables, bf16* y, long long n) {
  decode(nf4(w, tables, n), y, n);
}
EXPORT(decode_nf4_bf16)

KERNEL(decode_nf4_double_f32, 256)(const unsigned char* w, const float* tables, float* y, long long n) {
  decode(nf4_double(w, tables, n), y, n);
}
EXPORT(decode_nf4_double_f32)

KERNEL(decode_nf4_double_bf16, 256)(const unsigned char* w, const float* tables, bf16* y, long long n) {
  decode(nf4_double(w, tables, n), y, n);
}
EXPORT(decode_nf4_double_bf16)

KERNEL(lookup_bf16_f32, 256)(const int* ids, const bf16* w, float* y, int* fault, int instr,
    int rows, int vocab, int cols) {
  lookup(BF16{w}, ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_bf16_f32)

KERNEL(lookup_bf16_bf16, 256)(const int* ids, const bf16* w, bf16* y, int* fault, int instr,
    int rows, int vocab, int cols) {
  lookup(BF16{w}, ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_bf16_bf16)

KERNEL(lookup_int8_f32, 256)(const int* ids, const unsigned char* w, float* y, int* fault, int instr,
    int rows, int vocab, int cols) {
  lookup(int8(w, size(vocab, cols), cols), ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_int8_f32)

KERNEL(lookup_int8_bf16, 256)(const int* ids, const unsigned char* w, bf16* y, int* fault, int instr,
    int rows, int vocab, int cols) {
  lookup(int8(w, size(vocab, cols), cols), ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_int8_bf16)

KERNEL(lookup_nf4_f32, 256)(const int* ids, const unsigned char* w, const float* tables, float* y, int* fault,
    int instr, int rows, int vocab, int cols) {
  lookup(nf4(w, tables, size(vocab, cols)), ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_nf4_f32)

KERNEL(lookup_nf4_bf16, 256)(const int* ids, const unsigned char* w, const float* tables, bf16* y, int* fault,
    int instr, int rows, int vocab, int cols) {
  lookup(nf4(w, tables, size(vocab, cols)), ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_nf4_bf16)

KERNEL(lookup_nf4_double_f32, 256)(const int* ids, const unsigned char* w, const float* tables, float* y, int* fault,
    int instr, int rows, int vocab, int cols) {
  lookup(nf4_double(w, tables, size(vocab, cols)), ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_nf4_double_f32)

KERNEL(lookup_nf4_double_bf16, 256)(const int* ids, const unsigned char* w, const float* tables, bf16* y, int* fault,
    int instr, int rows, int vocab, int cols) {
  lookup(nf4_double(w, tables, size(vocab, cols)), ids, y, fault, instr, rows, vocab, cols);
}
EXPORT(lookup_nf4_double_bf16)
