// pages.cpp: memory for allocations.
#include "pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace sim {

namespace {

constexpr size_t large = 64 << 20, edge = 1 << 20;

size_t page() {
  static const size_t bytes = sysconf(_SC_PAGESIZE);
  return bytes;
}

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Poisons all of a small allocation, the two ends of a large one.
void poison(void* p, size_t bytes) {
  if (bytes <= 2 * large) {
    memset(p, 0xff, bytes);
    return;
  }
  memset(p, 0xff, edge);
  memset(static_cast<char*>(p) + bytes - edge, 0xff, edge);
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__)

void* acquire(size_t bytes) {
  void* p;
  if (posix_memalign(&p, 256, bytes) != 0) {
    return nullptr;
  }
  poison(p, bytes);
  return p;
}

void give_back(void* p, size_t) { free(p); }

#else

void* acquire(size_t bytes) {
  const size_t body = round_up(round_up(bytes, 256), page()), all = body + 2 * page();
  void* base = mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return nullptr;
  }
  char* first = static_cast<char*>(base) + page();
  if (mprotect(first, body, PROT_READ | PROT_WRITE) != 0) {
    munmap(base, all);
    return nullptr;
  }
  char* p = first + body - round_up(bytes, 256);
  poison(p, bytes);
  return p;
}

void give_back(void* p, size_t bytes) {
  const size_t body = round_up(round_up(bytes, 256), page());
  char* first = static_cast<char*>(p) + round_up(bytes, 256) - body;
  munmap(first - page(), body + 2 * page());
}

#endif

void fill(void* p, unsigned char value, size_t bytes) {
  char* first = static_cast<char*>(p);
  if (value == 0 && bytes >= large) {
    char* start = reinterpret_cast<char*>(round_up(reinterpret_cast<uintptr_t>(p), page()));
    char* end = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(p) + bytes) / page() * page());
    if (madvise(start, end - start, MADV_DONTNEED) == 0) {
      memset(first, 0, start - first);
      memset(end, 0, first + bytes - end);
      return;
    }
  }
  memset(p, value, bytes);
}

}  // namespace sim
