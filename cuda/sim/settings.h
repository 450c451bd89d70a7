// settings.h: the environment variables of the simulator. README.md documents them.
#pragma once
#include <cstdint>

namespace sim {

struct Settings {
  uint64_t seed;  // CUDASIM_SEED, 1 unless set: orders of streams, blocks, warps and lanes
  int threads;    // CUDASIM_THREADS, all processors unless set; 1 under the address sanitizer
  int devices;    // CUDASIM_DEVICES, 2 unless set
};
const Settings& settings();

}  // namespace sim
