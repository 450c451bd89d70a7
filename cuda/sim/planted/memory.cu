// memory.cu: accesses that are out of bounds or misaligned, each beside the correct kernel.
#include "common.cuh"

// y[i] = 2 x[i]. The wrong one has <= for <.
template <bool CORRECT>
__device__ void twice(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (CORRECT ? i < n : i <= n) {
    y[i] = 2 * (i < n ? x[i] : 0.f);
  }
}
KERNEL(twice_correct, 256)(const float* x, float* y, int n) { twice<true>(x, y, n); }
EXPORT(twice_correct)
KERNEL(twice_beyond, 256)(const float* x, float* y, int n) { twice<false>(x, y, n); }
EXPORT(twice_beyond)
// By planted/report.txt it takes so many registers that a block of more than 256 threads lacks some.
KERNEL(twice_registers, 512)(const float* x, float* y, int n) { twice<true>(x, y, n); }
EXPORT(twice_registers)

// y[i] = x[i] for rows of `columns` elements, in vectors of 16 bytes. The wrong one does not look at the alignment of
// the rows.
template <bool CORRECT>
__device__ void copy_rows(const float* x, float* y, int columns) {
  x += static_cast<long long>(blockIdx.x) * columns;
  y += static_cast<long long>(blockIdx.x) * columns;
  const bool vectors = !CORRECT || (aligned16(x) && aligned16(y));
  const int whole = vectors ? columns / 4 * 4 : 0;
  for (int i = threadIdx.x * 4; i < whole; i += blockDim.x * 4) {
    Pack<float>::load(x + i).store(y + i);
  }
  for (int i = whole + threadIdx.x; i < columns; i += blockDim.x) {
    y[i] = x[i];
  }
}
KERNEL(copy_rows_correct, 256)(const float* x, float* y, int columns) { copy_rows<true>(x, y, columns); }
EXPORT(copy_rows_correct)
KERNEL(copy_rows_misaligned, 256)(const float* x, float* y, int columns) { copy_rows<false>(x, y, columns); }
EXPORT(copy_rows_misaligned)

// Writes far beyond y: no memory is there.
KERNEL(twice_far, 256)(const float* x, float* y, int n) {
  const long long i = threadIdx.x;
  y[i + (1ll << 34)] = i < n ? x[i] : 0.f;
}
EXPORT(twice_far)

// y[i] = the static shared memory's word i, with one word too many in the wrong one.
template <bool CORRECT>
__device__ void shared_array(const float* x, float* y, int n) {
  __shared__ float s[32];
  const int lane = threadIdx.x;
  s[CORRECT ? lane % 32 : lane] = x[lane];
  __syncthreads();
  if (lane < n) {
    y[lane] = s[lane % 32];
  }
}
KERNEL(shared_array_correct, 32)(const float* x, float* y, int n) { shared_array<true>(x, y, n); }
EXPORT(shared_array_correct)
KERNEL(shared_array_beyond, 64)(const float* x, float* y, int n) { shared_array<false>(x, y, n); }
EXPORT(shared_array_beyond)
