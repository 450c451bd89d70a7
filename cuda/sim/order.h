// order.h: the functions of order.cuh for the simulator.
#pragma once
#include "device.h"

namespace sim {

// acquire and release are load_acquire and store_release, which -s thread knows to put blocks in order.
int acquire(const int* flag);
void release(int* flag, int value);

// wait_for_block is called between two looks at a flag. Blocks run to their end, so a wait for one that has not begun
// never ends where one OS thread runs them: it fails, as it does where a block has failed, or after a minute.
void wait_for_block(const char* file, int line);

}  // namespace sim

inline int load_acquire(const int* flag) { return sim::acquire(flag); }
inline void store_release(int* flag, int value) { sim::release(flag, value); }
inline void pause(SIM_SITE) { sim::wait_for_block(file, line); }
