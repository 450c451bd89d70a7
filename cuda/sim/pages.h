// pages.h: memory for allocations, so placed that accesses beyond its end are seen.
#pragma once
#include <cstddef>

namespace sim {

// acquire gives memory aligned to 256 bytes and filled with 0xff, or nullptr. Under the address sanitizer it has
// exactly that size; otherwise inaccessible pages lie around it, the upper one at the next multiple of 256 bytes
// after its end.
void* acquire(size_t bytes);
void give_back(void* p, size_t bytes);

// fill sets bytes to a value. A large area of zeros is given back to the system, which hands out zeros when it is used:
// a planned arena of gigabytes costs what a test touches.
void fill(void* p, unsigned char value, size_t bytes);

}  // namespace sim
