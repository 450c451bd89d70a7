// hopper.h: the functions of hopper.cuh for the simulator, after the PTX ISA. hopper.cuh documents them.
#pragma once
#include "asynchronous.h"
#include "device.h"
#include "tensor.h"

namespace hopper {

inline unsigned address(const void* shared) { return sim::shared_address(shared); }

inline void barrier_init(Barrier* b, int arrivals, SIM_SITE) { sim::barrier_init(b, arrivals, {file, line}); }
inline void barrier_init_fence() { sim::barrier_init_fence(); }
inline void barrier_arrive(Barrier* b, SIM_SITE) { sim::barrier_arrive(b, 0, {file, line}); }
inline void barrier_expect(Barrier* b, int bytes, SIM_SITE) { sim::barrier_arrive(b, bytes, {file, line}); }
inline void barrier_wait(Barrier* b, int parity, SIM_SITE) { sim::barrier_wait(b, parity, {file, line}); }

inline void group_sync(int number, SIM_SITE) { sim::named_barrier(number, kWarpgroup, {file, line}); }

inline void proxy_fence() { sim::proxy_fence(); }
inline void store_operand(void* shared, uint4 v, SIM_SITE) {
  sim::check_aligned(shared, 16, "store_operand");
  memcpy(shared, &v, 16);
  sim::operand_stored(shared, 16, {file, line});
}

inline void map_acquire(const TensorMap* map) { sim::map_acquire(map); }
inline void copy_box(void* shared, const TensorMap* map, Barrier* b, int c0, int c1, int c2, int c3, SIM_SITE) {
  const int at[4] = {c0, c1, c2, c3};
  sim::copy_box(shared, map, b, at, {file, line});
}
inline void copy_bytes(void* shared, const void* global, int bytes, Barrier* b, SIM_SITE) {
  sim::copy_bytes(shared, global, bytes, b, {file, line});
}

template <int N>
inline void take_registers() {
  static_assert(N % 8 == 0 && N >= 24 && N <= 256);
}
template <int N>
inline void give_registers() {
  static_assert(N % 8 == 0 && N >= 24 && N <= 256);
}

inline unsigned long long descriptor(const void* shared, int panel_bytes) {
  return 1ull << 62 | static_cast<unsigned long long>(kAtomBytes / 16) << 32 |
         static_cast<unsigned long long>(panel_bytes / 16) << 16 | (address(shared) & 0x3ffff) >> 4;
}
inline unsigned long long k_major(const void* shared) { return descriptor(shared, 16); }
inline unsigned long long next_columns(unsigned long long d) { return d + 2; }
inline unsigned long long mn_major(const void* shared, int panel_bytes) { return descriptor(shared, panel_bytes); }
inline unsigned long long next_rows(unsigned long long d) { return d + kStepBytes / 16; }

inline void wgmma_fence() { sim::wgmma_fence(); }
inline void wgmma_commit() { sim::wgmma_commit(); }
template <int N>
inline void wgmma_wait(SIM_SITE) {
  sim::wgmma_wait(N, {file, line});
}
template <int N>
inline void hold(float (&)[N][4]) {}
template <int N>
inline void hold(unsigned (&)[N][4]) {}

template <int N, bool MN>
inline void wgmma(float (&d)[N / 8][4], unsigned long long a, unsigned long long b, bool accumulate, SIM_SITE) {
  sim::wgmma({N, MN, accumulate, a, b}, &d[0][0], nullptr, {file, line});
}
template <int N, bool MN>
inline void wgmma(float (&d)[N / 8][4], const unsigned (&a)[4], unsigned long long b, bool accumulate, SIM_SITE) {
  sim::wgmma({N, MN, accumulate, 0, b}, &d[0][0], a, {file, line});
}

}  // namespace hopper
