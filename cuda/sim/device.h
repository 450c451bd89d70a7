// device.h: the device language for g++. With -DCUDA_SIM the .cu files include it instead of CUDA.
//
// A CUDA thread is a fiber; the blocks of a launch run on a few OS threads, one block at a time on each, so that shared
// memory is a variable of the OS thread. See README.md for what is checked and how orders are shuffled.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
// gcc's thread sanitizer does not see what a call writes into its result, so functions that give structs to shared memory
// have to be inlined, as they are on a card.
#if defined(CUDASIM_ACCESSES)
#define __forceinline__ inline __attribute__((always_inline))
#else
#define __forceinline__ inline
#endif
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static const
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static  // one OS thread runs all blocks, and the variable gets red zones
#else
#define __shared__ static thread_local
#endif

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct CUctx_st;

namespace sim {

// State is all that an OS thread keeps for itself. It is the only thread-local variable that is not shared memory of a
// kernel: the scheduler poisons the others at the start of a block. The places are set before a fiber runs.
struct State {
  uint3 thread;
  unsigned lane;
  uint3 block, block_dim, grid_dim;
  void* shared;            // dynamic shared memory
  class Scheduler* scheduler;
  CUctx_st* context;       // current for the driver's API
};
extern __thread State state;

// Fault is the CUDA error with which a launch ends.
enum class Fault { illegal_address = 700, misaligned_address = 716, launch_failed = 719 };

// fail ends the launch after a line on stderr that names kernel, block and thread.
[[noreturn]] void fail(Fault fault, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Sums over the threads of a block of what they brought to a barrier.
struct Votes {
  int threads, yes;
};
Votes block_barrier(bool vote, const char* file, int line);

// warp_collective suspends the fiber until all lanes of mask have called it with the same mask and combine; then
// combine runs once with every lane's record. aligned: the lanes must also come from the same line.
using Combine = void (*)(void* const records[32], unsigned mask);
void warp_collective(unsigned mask, void* record, Combine combine, bool aligned, const char* file, int line);
unsigned active_lanes();

inline void check_aligned(const void* p, size_t bytes, const char* what) {
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0) {
    fail(Fault::misaligned_address, "%s: address %p is not a multiple of %zu", what, p, bytes);
  }
}

// Kernel is one entry of the table of kernels that are linked in.
struct Kernel {
  const char* name;
  const char* file;
  int max_threads;
  void (*invoke)(void** arguments);
  int parameters;
  const char* codes;  // one letter a parameter: p, i, l, f
  Kernel* next;
};
struct Registration {
  explicit Registration(Kernel* kernel);
};

template <class T>
constexpr char parameter_code() {
  if constexpr (std::is_pointer_v<T>) {
    return 'p';
  } else if constexpr (std::is_same_v<T, int>) {
    return 'i';
  } else if constexpr (std::is_same_v<T, long long>) {
    return 'l';
  } else {
    static_assert(std::is_same_v<T, float>, "parameters of kernels are pointers, int, long long or float");
    return 'f';
  }
}

template <auto F>
struct Signature;
template <class... A, void (*F)(A...)>
struct Signature<F> {
  static constexpr int parameters = sizeof...(A);
  static constexpr char codes[] = {parameter_code<A>()..., 0};
  template <size_t... I>
  __attribute__((no_sanitize_thread)) static void call(void** arguments, std::index_sequence<I...>) {
    F(*static_cast<A*>(arguments[I])...);
  }
  static void invoke(void** arguments) { call(arguments, std::index_sequence_for<A...>{}); }
};

}  // namespace sim

#define threadIdx (sim::state.thread)
#define blockIdx (sim::state.block)
#define blockDim (sim::state.block_dim)
#define gridDim (sim::state.grid_dim)
static constexpr int warpSize = 32;

#define KERNEL(name, threads)                  \
  static constexpr int name##_threads = (threads); \
  extern "C" void name
#define EXPORT(name)                                                                                        \
  static sim::Kernel name##_kernel = {                                                                      \
      #name, __FILE__, name##_threads, &sim::Signature<&name>::invoke, sim::Signature<&name>::parameters,   \
      sim::Signature<&name>::codes, nullptr};                                                     \
  static sim::Registration name##_registration(&name##_kernel);
#define DYNAMIC_SHARED(T, name) T* name = static_cast<T*>(sim::state.shared)

// Barriers. The call's place is compared: threads that wait at two different barriers are an error.
inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  sim::block_barrier(false, file, line);
}
inline int __syncthreads_count(int p, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return sim::block_barrier(p != 0, file, line).yes;
}
inline int __syncthreads_or(int p, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return sim::block_barrier(p != 0, file, line).yes != 0;
}
inline int __syncthreads_and(int p, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const sim::Votes v = sim::block_barrier(p != 0, file, line);
  return v.yes == v.threads;
}

#include "bfloat16.h"
#include "intrinsics.h"
#include "warp.h"
