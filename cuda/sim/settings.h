// settings.h: the environment variables of the simulator. README.md documents them.
#pragma once
#include <cstdint>

namespace sim {

// Chip is what is known of a chip. The kernels' registers and static shared memory are those of an image in the report.
struct Chip {
  int capability;             // 90 is 9.0
  int image;                  // 90 is sm_90a; for chips without one, what the compiler reports of the next below
  unsigned shared;            // bytes that a block can ask for, static ones included
  unsigned shared_of_all;     // bytes of a multiprocessor
  int multiprocessors, threads_of_all, blocks_of_all;
};

struct Settings {
  uint64_t seed;  // CUDASIM_SEED, 1 unless set: orders of streams, blocks, warps and lanes
  int threads;    // CUDASIM_THREADS, all processors unless set; 1 under the address sanitizer
  int devices;    // CUDASIM_DEVICES, 2 unless set
  uint64_t memory;  // CUDASIM_MEMORY in GiB, 8 unless set: bytes of a device. Only what is touched is taken
  int driver;     // CUDASIM_DRIVER, the CUDA version that the driver says, 13000 unless set
  const char* counts;  // CUDASIM_COUNTS, a file that gets a line a launch: kernel, mma, bytes by allocation
  // CUDASIM_CHIP, the compute capability without the point, 90 unless set: what launches are held against.
  const struct Chip* chip;
};
const Settings& settings();

}  // namespace sim
