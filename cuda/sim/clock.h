// clock.h: the time that events record.
#pragma once
#include <chrono>

namespace sim {

// Moves the clock by the time that CUDASIM_TIMES plants for a piece of work; nothing without it. The lock is held.
void took(const char* name);

// The clock of the device: the machine's, or with planted times one that only work moves.
std::chrono::steady_clock::time_point now();

}  // namespace sim
