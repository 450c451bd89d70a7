// clock.cpp: what events measure. Planted times make a clock of the device's own, which only work moves, so that tests of
// what is chosen by timing do not depend on the machine.
#include "clock.h"

#include <cstdlib>
#include <cstring>

#include "extension.h"

namespace sim {

static std::chrono::nanoseconds planted{0};

// The milliseconds that CUDASIM_TIMES, "prefix=ms,…", gives for a name: those of the longest prefix.
static double planted_ms(const char* times, const char* name) {
  double ms = 0;
  size_t longest = 0;
  for (const char* entry = times; entry != nullptr && *entry != 0;) {
    const char* equals = strchr(entry, '=');
    if (equals == nullptr) {
      break;
    }
    const size_t length = equals - entry;
    if (length >= longest && strncmp(entry, name, length) == 0) {
      longest = length;
      ms = strtod(equals + 1, nullptr);
    }
    entry = strchr(equals, ',');
    entry += entry != nullptr;
  }
  return ms;
}

void took(const char* name) {
  if (const char* times = getenv("CUDASIM_TIMES")) {
    planted += std::chrono::nanoseconds(static_cast<int64_t>(1e6 * planted_ms(times, name)));
  }
}

std::chrono::steady_clock::time_point now() {
  if (getenv("CUDASIM_TIMES") != nullptr) {
    return std::chrono::steady_clock::time_point(planted);
  }
  return std::chrono::steady_clock::now();
}

}  // namespace sim

extern "C" void cudasimTook(const char* name) { sim::took(name); }
