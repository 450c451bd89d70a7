// tensor.h: the functions of mma.cuh for the simulator, after the PTX ISA's fragment layouts. mma.cuh documents them.
#pragma once
#include "accesses.h"
#include "device.h"

namespace sim {

struct Mma {
  float* d;
  const unsigned *a, *b;
};
void combine_mma_m16n8k16(void* const records[32], unsigned mask);

struct Ldmatrix {
  const void* row;
  unsigned* r;
};
template <int MATRICES, bool TRANS>
void combine_ldmatrix(void* const records[32], unsigned mask);

template <int MATRICES, bool TRANS>
inline void ldmatrix(unsigned* r, const void* row, const char* file, int line) {
  Ldmatrix record = {row, r};
  if (state.lane < MATRICES * 8) {
    accesses_read(row, 16);
  }
  warp_collective(0xffffffffu, &record, combine_ldmatrix<MATRICES, TRANS>, true, file, line);
}

// Copies of this thread. Half of the blocks, by seed, copy at once, the others at the wait: a missing wait and a
// missing barrier before the copy each give wrong results in some blocks.
void cp_async(void* shared, const void* global, bool valid);
void cp_async_commit_group();
void cp_async_wait_group(int newest);

}  // namespace sim

inline void mma_m16n8k16(float d[4], const unsigned a[4], const unsigned b[2], SIM_SITE) {
  sim::Mma record = {d, a, b};
  sim::warp_collective(0xffffffffu, &record, sim::combine_mma_m16n8k16, true, file, line);
}
inline void ldmatrix_x4(unsigned r[4], const void* shared, SIM_SITE) { sim::ldmatrix<4, false>(r, shared, file, line); }
inline void ldmatrix_x4_trans(unsigned r[4], const void* shared, SIM_SITE) {
  sim::ldmatrix<4, true>(r, shared, file, line);
}
inline void ldmatrix_x2(unsigned r[2], const void* shared, SIM_SITE) { sim::ldmatrix<2, false>(r, shared, file, line); }
inline void ldmatrix_x2_trans(unsigned r[2], const void* shared, SIM_SITE) {
  sim::ldmatrix<2, true>(r, shared, file, line);
}

inline void cp_async16(void* shared, const void* global, bool valid = true) {
  if (valid) {
    sim::accesses_read(global, 16);
  }
  sim::accesses_copy_issued(shared);
  sim::cp_async(shared, global, valid);
}
inline void cp_async_commit() { sim::cp_async_commit_group(); }
template <int N>
inline void cp_async_wait() {
  sim::cp_async_wait_group(N);
}

inline unsigned pack_bf16(float lo, float hi) { return bits_as<unsigned>(__floats2bfloat162_rn(lo, hi)); }
inline float fast_exp2(float x) { return exp2f(x); }
inline float fast_tanh(float x) { return tanhf(x); }
