// accesses.cpp: races, uninitialised shared memory and accesses out of bounds, for builds with -s thread.
#if defined(CUDASIM_ACCESSES)
#include "accesses.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdio>
#include <map>
#include <string>

#include "runtime.h"

namespace sim {

namespace {

// Who is known of the threads that have read a cell since the last barrier.
enum class Readers : uint8_t { thread, warp, block, grid };

// Access is the last one of its kind to a cell. time counts barriers of all sorts; pc is relative to the library.
struct Access {
  uint32_t time, block, pc;
  uint16_t thread;
  Readers readers;
  bool atomic : 1, pending : 1, bulk : 1;  // of writes
};

// Cell stands for two bytes of memory.
struct Cell {
  Access write, read;
};
constexpr size_t grain = 2;

// Region is memory with its cells, which cost nothing until they are used.
struct Region {
  const char* first = nullptr;
  size_t bytes = 0;
  Cell* cells = nullptr;
  Traffic traffic;  // in the launch that began at time launch
  uint32_t launch = 0;

  bool holds(const char* p) const { return static_cast<size_t>(p - first) < bytes; }
  size_t cell_bytes() const { return (bytes / grain + 1) * sizeof(Cell); }
  void map(const void* start, size_t n) {
    first = static_cast<const char*>(start);
    bytes = n;
    void* p = mmap(nullptr, cell_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
      abort();
    }
    cells = static_cast<Cell*>(p);
  }
  void unmap() {
    if (cells != nullptr) {
      munmap(cells, cell_bytes());
    }
    *this = Region();
  }
};

enum class Kind { read, write, atomic };

const char* name(Kind kind) {
  return kind == Kind::read ? "read" : kind == Kind::write ? "write" : "atomic operation";
}

// Known is what one block knows of another: what all of its threads did before time barrier, and one of them before time
// now, comes before.
struct Known {
  uint32_t barrier, now;
  uint16_t thread;
};
using Knowledge = std::map<uint32_t, Known>;  // by block

void join(Knowledge& all, const Knowledge& more) {
  for (const auto& [block, known] : more) {
    auto& mine = all.try_emplace(block, known).first->second;
    if (mine.now < known.now) {
      mine = known;
    }
  }
}

// Log is all that is known. One OS thread runs all kernels, so it needs no lock.
struct Log {
  uint32_t time = 1, launch = 1, block_start = 1, barrier = 1;
  uint32_t block = 0;
  Knowledge known;                            // of the block, of others of the launch
  std::map<const void*, Knowledge> released;  // at flags, in this launch
  struct {
    uint32_t time;
    unsigned mask;
  } synchronized[1024] = {};  // the last __syncwarp of each thread
  Traffic traffic;
  Region dynamic, fixed;
  std::map<const char*, Region> device;
  Region* last = nullptr;  // found in device
  const char* image = nullptr;
  std::string path;
};
Log& log() {
  static Log* l = [] {
    Log* l = new Log;
    Dl_info info;
    dladdr(reinterpret_cast<void*>(&accesses_barrier), &info);
    l->image = static_cast<const char*>(info.dli_fbase);
    l->path = info.dli_fname;
    return l;
  }();
  return *l;
}

unsigned this_thread() {
  return state.thread.x + state.block_dim.x * (state.thread.y + state.block_dim.y * state.thread.z);
}

// The lines of the source that an address belongs to, from the innermost inlined function to the kernel.
std::string place(uint32_t pc) {
  Log& l = log();
  char command[4096], line[512];
  snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%x 2>/dev/null", l.path.c_str(), pc - 1);
  std::string text;
  if (FILE* lines = popen(command, "r")) {
    while (fgets(line, sizeof line, lines) != nullptr && line[0] != '?') {
      std::string at(line, strcspn(line, " \n"));
      if (at.find("sim/device.h") == std::string::npos && at.find("sim/tensor.h") == std::string::npos) {
        text += (text.empty() ? "" : " < ") + at;
      }
    }
    pclose(lines);
  }
  if (text.empty()) {
    snprintf(line, sizeof line, "%s+0x%x", l.path.c_str(), pc);
    text = line;
  }
  return text;
}

// Says whether an earlier access comes before what the thread does now.
bool ordered(const Log& l, const Access& a, unsigned thread) {
  if (a.time < l.launch || a.bulk) {
    return true;
  }
  if (a.block != l.block) {
    const auto i = l.known.find(a.block);
    return i != l.known.end() &&
           (a.time < i->second.barrier || (a.time < i->second.now && a.thread == i->second.thread));
  }
  if (a.time < l.barrier || (a.thread == thread && a.readers == Readers::thread)) {
    return true;
  }
  const auto& sync = l.synchronized[thread];
  const unsigned lanes = a.readers == Readers::warp ? ~0u : 1u << a.thread % 32;
  return a.readers <= Readers::warp && a.thread / 32 == thread / 32 && a.time < sync.time &&
         (sync.mask & lanes) == lanes;
}

[[noreturn]] void report_race(const char* where, const char* p, Kind kind, uint32_t pc, const Access& before,
                              const char* before_kind) {
  fail(Fault::launch_failed, "race on %s memory: %s of %p at %s, after a %s by thread %u of block %u at %s", where,
       name(kind), static_cast<const void*>(p), place(pc).c_str(), before_kind, before.thread, before.block,
       place(before.pc).c_str());
}

// What comes behind this read also comes behind those that are ordered before it.
void remember_read(const Log& l, Access& read, const Access& now) {
  Access next = now;
  if (!ordered(l, read, now.thread)) {
    if (read.block != l.block || read.readers == Readers::grid) {
      next.readers = Readers::grid;
    } else if (read.readers >= Readers::block || read.thread / 32 != now.thread / 32) {
      next.readers = Readers::block;
    } else {
      next.readers = Readers::warp;
    }
  }
  read = next;
}

void touch(Region& region, const char* where, const char* p, size_t bytes, Kind kind, uint32_t pc) {
  Log& l = log();
  const unsigned thread = this_thread();
  const Access now = {l.time, l.block, pc, static_cast<uint16_t>(thread), Readers::thread, kind == Kind::atomic, false, false};
  const bool shared = &region == &l.dynamic || &region == &l.fixed;
  const size_t first = (p - region.first) / grain, last = (p + bytes - 1 - region.first) / grain;
  for (size_t i = first; i <= last; i++) {
    Cell& cell = region.cells[i];
    if (shared && cell.write.time < l.block_start) {
      if (kind != Kind::write) {
        fail(Fault::launch_failed, "%s of shared memory that the block has not written, at %s", name(kind),
             place(pc).c_str());
      }
      cell = {};
    }
    if (cell.write.pending && cell.write.time >= l.block_start) {
      fail(Fault::launch_failed, "%s of shared memory before the wait for its %s by thread %u, at %s",
           name(kind), cell.write.bulk ? "copy" : "cp_async16", cell.write.thread, place(pc).c_str());
    }
    if (!(kind == Kind::atomic && cell.write.atomic) && !ordered(l, cell.write, thread)) {
      report_race(where, p, kind, pc, cell.write, cell.write.atomic ? "atomic operation" : "write");
    }
    if (kind == Kind::read) {
      remember_read(l, cell.read, now);
      continue;
    }
    if (!ordered(l, cell.read, thread)) {
      report_race(where, p, kind, pc, cell.read, "read");
    }
    cell.write = now;
  }
}

[[noreturn]] void report_outside(const char* p, size_t bytes, Kind kind, uint32_t pc) {
  const auto& allocations = Runtime::get().allocations;
  auto next = allocations.upper_bound(reinterpret_cast<CUdeviceptr>(p));
  if (next == allocations.begin()) {
    fail(Fault::illegal_address, "%s of %zu bytes at %p, in no allocation, at %s", name(kind), bytes,
         static_cast<const void*>(p), place(pc).c_str());
  }
  const auto& [base, allocation] = *--next;
  fail(Fault::illegal_address, "%s of %zu bytes, %zu bytes after the start of an allocation of %zu bytes, at %s",
       name(kind), bytes, static_cast<size_t>(p - reinterpret_cast<const char*>(base)), allocation.bytes,
       place(pc).c_str());
}

// The region of the allocation, of device or of pinned memory, that holds the bytes; nullptr for a constant of the
// library.
Region* find_allocation(const char* p, size_t bytes, Kind kind, uint32_t pc) {
  Log& l = log();
  if (l.last != nullptr && l.last->holds(p) && l.last->holds(p + bytes - 1)) {
    return l.last;
  }
  const auto& allocations = Runtime::get().allocations;
  auto next = allocations.upper_bound(reinterpret_cast<CUdeviceptr>(p));
  if (next != allocations.begin()) {
    const auto& [base, allocation] = *--next;
    if (reinterpret_cast<CUdeviceptr>(p) + bytes <= base + allocation.bytes) {
      l.last = &l.device[reinterpret_cast<const char*>(base)];
      if (l.last->cells == nullptr) {
        l.last->map(reinterpret_cast<const void*>(base), allocation.bytes);
      }
      return l.last;
    }
  }
  Dl_info info;
  if (kind != Kind::read || dladdr(p, &info) == 0 || info.dli_fbase != l.image) {
    report_outside(p, bytes, kind, pc);
  }
  return nullptr;
}

void acquire(const void* flag) { join(log().known, log().released[flag]); }

void release(const void* flag) {
  Log& l = log();
  Knowledge& known = l.released[flag] = l.known;
  known[l.block] = {l.barrier, ++l.time, static_cast<uint16_t>(this_thread())};
}

void access(const void* address, size_t bytes, Kind kind, const void* caller) {
  const char* p = static_cast<const char*>(address);
  const char* own = reinterpret_cast<const char*>(&state);
  if (static_cast<size_t>(p - own) < sizeof state || state.scheduler->on_stack(p)) {
    return;
  }
  Log& l = log();
  const uint32_t pc = static_cast<const char*>(caller) - l.image;
  if (l.dynamic.holds(p)) {
    touch(l.dynamic, "shared", p, std::min<size_t>(bytes, l.dynamic.first + l.dynamic.bytes - p), kind, pc);
    return;
  }
  if (l.fixed.holds(p)) {
    touch(l.fixed, "shared", p, bytes, kind, pc);
    return;
  }
  if (Region* region = find_allocation(p, bytes, kind, pc)) {
    if (region->launch != l.launch) {
      region->launch = l.launch;
      region->traffic = {};
    }
    for (Traffic* traffic : {&l.traffic, &region->traffic}) {
      (kind == Kind::read ? traffic->read : traffic->written) += bytes;
    }
    touch(*region, "device", p, bytes, kind, pc);
    if (kind == Kind::atomic) {
      acquire(p);
      release(p);
    }
  }
}

}  // namespace

void accesses_begin_launch() {
  Log& l = log();
  l.launch = ++l.time;
  l.released.clear();
  l.traffic = {};
}

void accesses_begin_block(unsigned block, const void* dynamic, size_t bytes, const void* first, const void* last) {
  Log& l = log();
  l.block = block;
  l.block_start = l.barrier = ++l.time;
  l.known.clear();
  memset(l.synchronized, 0, sizeof l.synchronized);
  if (l.dynamic.first != dynamic || l.dynamic.bytes != bytes) {
    l.dynamic.unmap();
    l.dynamic.map(dynamic, bytes);
  }
  if (l.fixed.first != first) {
    l.fixed.unmap();
    l.fixed.map(first, static_cast<const char*>(last) - static_cast<const char*>(first));
  }
}

void accesses_barrier() {
  Log& l = log();
  l.barrier = ++l.time;
}

void accesses_syncwarp(unsigned warp, unsigned mask) {
  Log& l = log();
  l.time++;
  for (unsigned m = mask; m != 0; m &= m - 1) {
    l.synchronized[warp * 32 + __builtin_ctz(m)] = {l.time, mask};
  }
}

void accesses_forget(const void* allocation) {
  Log& l = log();
  const auto i = l.device.find(static_cast<const char*>(allocation));
  if (i != l.device.end()) {
    i->second.unmap();
    l.device.erase(i);
  }
  l.last = nullptr;
}

Traffic accesses_traffic() { return log().traffic; }

std::vector<std::pair<size_t, Traffic>> accesses_by_allocation() {
  std::vector<std::pair<size_t, Traffic>> all;
  for (const auto& [first, region] : log().device) {
    if (region.launch == log().launch) {
      all.emplace_back(region.bytes, region.traffic);
    }
  }
  return all;
}

// The flag itself is no race: both are atomic.
static void touch_flag(const void* flag, const void* caller) {
  const char* p = static_cast<const char*>(flag);
  const uint32_t pc = static_cast<const char*>(caller) - log().image;
  if (Region* region = find_allocation(p, sizeof(int), Kind::atomic, pc)) {
    touch(*region, "device", p, sizeof(int), Kind::atomic, pc);
  }
}
void accesses_acquire(const void* flag, const void* caller) {
  touch_flag(flag, caller);
  acquire(flag);
}
void accesses_release(const void* flag, const void* caller) {
  touch_flag(flag, caller);
  release(flag);
}

void accesses_read(const void* p, size_t bytes) { access(p, bytes, Kind::read, __builtin_return_address(0)); }

static void set_pending(void* shared, bool pending) {
  Log& l = log();
  const char* p = static_cast<const char*>(shared);
  Region& region = l.dynamic.holds(p) ? l.dynamic : l.fixed;
  for (size_t i = (p - region.first) / grain, end = i + 16 / grain; i < end; i++) {
    Access& write = region.cells[i].write;
    write.pending = pending;
    write.time = l.time;
  }
}

void accesses_bulk(void* shared, size_t bytes, bool issued) {
  Log& l = log();
  const size_t first = (static_cast<const char*>(shared) - l.dynamic.first) / grain;
  const uint16_t thread = static_cast<uint16_t>(this_thread());
  for (size_t i = first; i < first + bytes / grain; i++) {
    l.dynamic.cells[i] = {};
    l.dynamic.cells[i].write = {l.time, l.block, 0, thread, Readers::thread, false, issued, true};
  }
}

void accesses_copy_issued(void* shared) {
  access(shared, 16, Kind::write, __builtin_return_address(0));
  set_pending(shared, true);
}
void accesses_copy_done(void* shared) { set_pending(shared, false); }

}  // namespace sim

// What g++ calls before an access.
using sim::Kind;
#define CALLER __builtin_return_address(0)
#define ACCESS(n)                                                                       \
  extern "C" void __tsan_read##n(void* p) { sim::access(p, n, Kind::read, CALLER); }   \
  extern "C" void __tsan_write##n(void* p) { sim::access(p, n, Kind::write, CALLER); } \
  extern "C" void __tsan_unaligned_read##n(void* p) { sim::access(p, n, Kind::read, CALLER); } \
  extern "C" void __tsan_unaligned_write##n(void* p) { sim::access(p, n, Kind::write, CALLER); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
extern "C" void __tsan_read_range(void* p, size_t n) { sim::access(p, n, Kind::read, CALLER); }
extern "C" void __tsan_write_range(void* p, size_t n) { sim::access(p, n, Kind::write, CALLER); }
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_atomic_thread_fence(int) {}

#define ATOMIC(bits, T)                                                                                  \
  extern "C" T __tsan_atomic##bits##_load(const volatile T* p, int) { return __atomic_load_n(p, 0); }    \
  extern "C" T __tsan_atomic##bits##_exchange(volatile T* p, T v, int) {                                 \
    sim::access(const_cast<T*>(p), sizeof(T), Kind::atomic, CALLER);                                     \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                      \
  extern "C" T __tsan_atomic##bits##_fetch_add(volatile T* p, T v, int) {                                \
    sim::access(const_cast<T*>(p), sizeof(T), Kind::atomic, CALLER);                                     \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                      \
  extern "C" T __tsan_atomic##bits##_fetch_or(volatile T* p, T v, int) {                                 \
    sim::access(const_cast<T*>(p), sizeof(T), Kind::atomic, CALLER);                                     \
    return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);                                                    \
  }                                                                                                      \
  extern "C" int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* e, T d, int, int) {     \
    sim::access(const_cast<T*>(p), sizeof(T), Kind::atomic, CALLER);                                     \
    return __atomic_compare_exchange_n(p, e, d, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);              \
  }
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
#endif
