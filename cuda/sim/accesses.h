// accesses.h: every access of a kernel to memory, looked at. Only in builds with -s thread, where g++ puts a call
// before each access as it does for the thread sanitizer, and accesses.cpp answers these calls.
//
// Two accesses to the same two bytes, at least one of them a write, are a race unless something orders them: a
// barrier of the block, a __syncwarp that holds both lanes, or the end of a launch. Between blocks a flag does: what a
// thread has done before store_release, and what all threads of its block have done before the last barrier, is behind
// a block that finds that store by load_acquire, and so is what the block knew of others. An atomic operation on device
// memory counts as both, of the same address.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sim {

// What the launch has read and written of device memory so far: all accesses of all threads. 0 in other builds.
struct Traffic {
  uint64_t read = 0, written = 0;
};

#if defined(CUDASIM_ACCESSES)

constexpr bool accesses_checked = true;

// What the scheduler and the driver tell.
void accesses_begin_launch();
void accesses_begin_block(unsigned block, const void* dynamic, size_t bytes, const void* static_first,
                          const void* static_last);
void accesses_barrier();
void accesses_syncwarp(unsigned warp, unsigned mask);
void accesses_forget(const void* allocation);
Traffic accesses_traffic();
// The same of each allocation that the launch has touched, with its size in bytes.
std::vector<std::pair<size_t, Traffic>> accesses_by_allocation();
void accesses_acquire(const void* flag, const void* caller);
void accesses_release(const void* flag, const void* caller);

// An access that the compiler does not see. issued marks a copy as under way: who touches its target before the wait is
// at fault.
void accesses_read(const void* p, size_t bytes);
void accesses_copy_issued(void* shared);
void accesses_copy_done(void* shared);
// The same for copies of many bytes whose order a barrier in memory keeps, which is not followed: they race with nobody.
void accesses_bulk(void* shared, size_t bytes, bool issued);

#else

constexpr bool accesses_checked = false;

inline void accesses_begin_launch() {}
inline void accesses_begin_block(unsigned, const void*, size_t, const void*, const void*) {}
inline void accesses_barrier() {}
inline void accesses_syncwarp(unsigned, unsigned) {}
inline void accesses_forget(const void*) {}
inline Traffic accesses_traffic() { return {}; }
inline std::vector<std::pair<size_t, Traffic>> accesses_by_allocation() { return {}; }
inline void accesses_acquire(const void*, const void*) {}
inline void accesses_release(const void*, const void*) {}
inline void accesses_read(const void*, size_t) {}
inline void accesses_copy_issued(void*) {}
inline void accesses_copy_done(void*) {}
inline void accesses_bulk(void*, size_t, bool) {}

#endif

}  // namespace sim
