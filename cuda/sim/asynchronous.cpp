// asynchronous.cpp: barriers that count bytes, copies by tensor maps, and the proxies of shared memory.
#include "asynchronous.h"

#include <algorithm>
#include <cstdio>

#include "accesses.h"
#include "scheduler.h"

namespace sim {

namespace {

constexpr unsigned most_arrivals = (1 << 20) - 1;
constexpr long long most_bytes = (1 << 20) - 1;

// What the word of a barrier holds, so that others who write there are seen.
uint64_t word_of(const void* b) { return 0x72656972726162ull << 8 ^ reinterpret_cast<uintptr_t>(b); }

unsigned this_thread() {
  return state.thread.x + state.block_dim.x * (state.thread.y + state.block_dim.y * state.thread.z);
}

Asynchronous& asynchronous() { return state.scheduler->asynchronous(); }

}  // namespace

unsigned shared_address(const void* shared) { return asynchronous().address(shared); }
void barrier_init(void* b, int arrivals, Site site) { asynchronous().barrier_init(b, arrivals, site); }
void barrier_init_fence() { asynchronous().barrier_init_fence(); }
void barrier_arrive(void* b, int bytes, Site site) { asynchronous().barrier_arrive(b, bytes, site); }
void barrier_wait(void* b, int parity, Site site) {
  asynchronous().barrier_check(b, site);
  state.scheduler->wait_for({Waiting::Kind::barrier, b, parity, site});
}
void named_barrier(int number, int threads, Site site) {
  const int round = asynchronous().named_arrive(number, threads, site);
  state.scheduler->wait_for({Waiting::Kind::named, nullptr, number | round << 4, site});
}
void proxy_fence() { asynchronous().proxy_fence(this_thread()); }
void operand_stored(const void* shared, size_t bytes, Site site) {
  asynchronous().stored(shared, bytes, this_thread(), site);
}
void map_acquire(const void* map) { asynchronous().map_acquire(map); }
void copy_box(void* shared, const void* map, void* b, const int at[4], Site site) {
  asynchronous().copy_box(shared, map, b, at, site);
}
void copy_bytes(void* shared, const void* global, int bytes, void* b, Site site) {
  asynchronous().copy_bytes(shared, global, bytes, b, site);
}

void Asynchronous::begin(void* dynamic, size_t bytes, bool late_copies, bool late_products, unsigned window) {
  first_ = static_cast<char*>(dynamic);
  bytes_ = bytes;
  late_copies_ = late_copies;
  late_products_ = late_products;
  window_ = window;
  if (used_) {
    barriers_.clear();
    copies_.clear();
    chunks_.clear();
    stored_.clear();
    acquired_.clear();
    for (Warpgroup& g : groups_) {
      g = {};
    }
    for (auto& n : named_) {
      n = {};
    }
    used_ = false;
  }
}

void Asynchronous::end() {
  if (!used_) {
    return;
  }
  if (!copies_.empty()) {
    fail(Fault::launch_failed, "the block ends while a copy of %s:%d is under way", copies_[0].site.file,
         copies_[0].site.line);
  }
  for (const auto& [b, p] : barriers_) {
    if (p.bytes != 0) {
      fail(Fault::launch_failed, "the block ends while the barrier of %s:%d %s %lld bytes", p.site.file, p.site.line,
           p.bytes > 0 ? "lacks" : "has got more than it expects by", p.bytes > 0 ? p.bytes : -p.bytes);
    }
  }
  for (const Warpgroup& g : groups_) {
    if (!g.products.empty()) {
      fail(Fault::launch_failed, "the block ends before the wait for its product of %s:%d", g.products[0].site.file,
           g.products[0].site.line);
    }
  }
}

// Barriers.

Asynchronous::Phases& Asynchronous::phases(void* b, Site site) {
  barrier_check(b, site);
  return barriers_[b];
}

void Asynchronous::barrier_check(void* b, Site site) const {
  check_aligned(b, 8, "mbarrier");
  if (!barriers_.count(b)) {
    fail(Fault::launch_failed, "%s:%d: no barrier_init has made this barrier", site.file, site.line);
  }
  if (*static_cast<const uint64_t*>(b) != word_of(b)) {
    fail(Fault::launch_failed, "%s:%d: something else was stored over this barrier", site.file, site.line);
  }
}

void Asynchronous::barrier_init(void* b, int arrivals, Site site) {
  check_aligned(b, 8, "mbarrier");
  if (arrivals < 1 || static_cast<unsigned>(arrivals) > most_arrivals) {
    fail(Fault::launch_failed, "%s:%d: a barrier for %d arrivals", site.file, site.line, arrivals);
  }
  used_ = true;
  barriers_[b] = {arrivals, arrivals, 0, 0, false, site};
  *static_cast<uint64_t*>(b) = word_of(b);
}

void Asynchronous::barrier_init_fence() {
  for (auto& [b, p] : barriers_) {
    p.fenced = true;
  }
}

void Asynchronous::advance(Phases& p) {
  if (p.pending == 0 && p.bytes == 0) {
    p.pending = p.expected;
    p.phase++;
  }
}

void Asynchronous::barrier_arrive(void* b, int bytes, Site site) {
  Phases& p = phases(b, site);
  p.bytes += bytes;
  if (bytes < 0 || p.bytes > most_bytes) {
    fail(Fault::launch_failed, "%s:%d: the barrier expects %lld bytes, at most %lld are possible", site.file, site.line,
         p.bytes, most_bytes);
  }
  if (p.pending == 0) {
    fail(Fault::launch_failed, "%s:%d: more than the %d arrivals that barrier_init said, in phase %d", site.file,
         site.line, p.expected, p.phase);
  }
  p.pending--;
  advance(p);
}

bool Asynchronous::barrier_complete(void* b, int parity) const { return (barriers_.at(b).phase & 1) != parity; }

void Asynchronous::describe_barrier(void* b, char* text, size_t bytes) const {
  const Phases& p = barriers_.at(b);
  snprintf(text, bytes, "phase %d of the barrier of %s:%d, which lacks %d arrivals and %lld bytes", p.phase, p.site.file,
           p.site.line, p.pending, p.bytes);
}

int Asynchronous::named_arrive(int number, int threads, Site site) {
  if (number < 1 || number > 15 || threads < 32 || threads % 32 != 0) {
    fail(Fault::launch_failed, "%s:%d: barrier %d of %d threads: numbers are 1 to 15, threads a multiple of 32", site.file,
         site.line, number, threads);
  }
  used_ = true;
  auto& n = named_[number];
  if (n.arrived > 0 && (n.threads != threads || n.site.line != site.line)) {
    fail(Fault::launch_failed, "barrier %d of %d threads at %s:%d, while others are at %s:%d, where it has %d", number,
         threads, site.file, site.line, n.site.file, n.site.line, n.threads);
  }
  n.threads = threads;
  n.site = site;
  const int round = n.round;
  if (++n.arrived == threads) {
    n.arrived = 0;
    n.round++;
    accesses_barrier();  // as if all had come: races that only this barrier leaves open are not seen
  }
  return round;
}

// Proxies.

Asynchronous::Chunk& Asynchronous::chunk(const void* shared) {
  used_ = true;
  if (chunks_.empty()) {
    chunks_.resize(bytes_ / 16 + 1);
  }
  return chunks_[(static_cast<const char*>(shared) - first_) / 16];
}

void Asynchronous::mark(const void* shared, size_t bytes, State state, Site site) {
  for (size_t i = 0; i < bytes; i += 16) {
    chunk(static_cast<const char*>(shared) + i) = {state, 0, site};
  }
}

void Asynchronous::stored(const void* shared, size_t bytes, unsigned thread, Site site) {
  const size_t at = static_cast<const char*>(shared) - first_;
  if (at >= bytes_) {
    return;  // a static variable: nothing asynchronous reads it
  }
  if (stored_.size() <= thread) {
    stored_.resize(thread + 1);
  }
  for (size_t i = at / 16; i <= (at + bytes - 1) / 16; i++) {
    Chunk& c = chunk(first_ + i * 16);
    if (c.state == State::stored && c.thread == thread) {
      continue;
    }
    c = {State::stored, static_cast<uint16_t>(thread), site};
    stored_[thread].push_back(i);
  }
}

void Asynchronous::proxy_fence(unsigned thread) {
  if (stored_.size() <= thread) {
    return;
  }
  for (unsigned i : stored_[thread]) {
    if (chunks_[i].state == State::stored && chunks_[i].thread == thread) {
      chunks_[i].state = State::fenced;
    }
  }
  stored_[thread].clear();
}

// operand is where an asynchronous instruction reads 16 bytes.
const char* Asynchronous::operand(unsigned address, Site site) {
  const unsigned at = address - window_;
  if (at >= bytes_ || at + 16 > bytes_) {
    fail(Fault::launch_failed, "%s:%d: the descriptor leads to shared address 0x%x, the block has 0x%x to 0x%zx",
         site.file, site.line, address, window_, window_ + bytes_);
  }
  const char* p = first_ + at;
  const Chunk& c = chunk(p);
  switch (c.state) {
    case State::unknown:
      fail(Fault::launch_failed, "%s:%d: the descriptor leads to byte %u of shared memory, which nobody has written",
           site.file, site.line, at);
    case State::landing:
      fail(Fault::launch_failed, "%s:%d: the operand is read while a copy of %s:%d to it is under way", site.file,
           site.line, c.site.file, c.site.line);
    case State::stored:
      fail(Fault::launch_failed, "%s:%d: thread %u has stored to the operand at %s:%d, and no proxy_fence of it came after",
           site.file, site.line, c.thread, c.site.file, c.site.line);
    default: return p;
  }
}

// Copies.

void Asynchronous::start(Copy copy) {
  Phases& p = phases(copy.barrier, copy.site);
  if (!p.fenced) {
    fail(Fault::launch_failed, "%s:%d: no barrier_init_fence came after barrier_init at %s:%d", copy.site.file,
         copy.site.line, p.site.file, p.site.line);
  }
  if (copy.shared < first_ || copy.shared + copy.data.size() > first_ + bytes_) {
    fail(Fault::illegal_address, "%s:%d: the copy of %zu bytes ends outside of dynamic shared memory", copy.site.file,
         copy.site.line, copy.data.size());
  }
  for (size_t i = 0; i < copy.data.size(); i += 16) {
    const Chunk& c = chunk(copy.shared + i);
    if (c.state == State::landing) {
      fail(Fault::launch_failed, "%s:%d: the copy has the target of another, of %s:%d, that is under way", copy.site.file,
           copy.site.line, c.site.file, c.site.line);
    }
  }
  mark(copy.shared, copy.data.size(), State::landing, copy.site);
  accesses_bulk(copy.shared, copy.data.size(), true);
  if (late_copies_) {
    copies_.push_back(std::move(copy));
  } else {
    finish(copy);
  }
}

void Asynchronous::finish(const Copy& copy) {
  const unsigned start = address(copy.shared);
  for (size_t i = 0; i < copy.data.size(); i += 16) {
    unsigned to = start + i;
    if (copy.box) {
      to ^= (to >> 7 & 7) << 4;
    }
    memcpy(first_ + (to - window_), &copy.data[i], 16);
  }
  mark(copy.shared, copy.data.size(), State::landed, copy.site);
  accesses_bulk(copy.shared, copy.data.size(), false);
  Phases& p = phases(copy.barrier, copy.site);
  p.bytes -= copy.data.size();
  if (p.bytes < -most_bytes) {
    fail(Fault::launch_failed, "%s:%d: the barrier has got %lld bytes more than it expects", copy.site.file,
         copy.site.line, -p.bytes);
  }
  advance(p);
}

bool Asynchronous::proceed(uint64_t random) {
  if (copies_.empty()) {
    return false;
  }
  const size_t i = random % copies_.size();
  const Copy copy = std::move(copies_[i]);
  copies_.erase(copies_.begin() + i);
  finish(copy);
  return true;
}

void Asynchronous::copy_bytes(void* shared, const void* global, int bytes, void* b, Site site) {
  check_aligned(shared, 16, "copy_bytes, shared");
  check_aligned(global, 16, "copy_bytes, global");
  if (bytes <= 0 || bytes % 16 != 0) {
    fail(Fault::launch_failed, "%s:%d: a copy of %d bytes, wanted is a multiple of 16", site.file, site.line, bytes);
  }
  const char* from = static_cast<const char*>(global);
  accesses_read(from, bytes);
  start({static_cast<char*>(shared), b, {from, from + bytes}, false, site});
}

void Asynchronous::copy_box(void* shared, const void* map, void* b, const int at[4], Site site) {
  check_aligned(map, 64, "copy_box, tensor map");
  const TiledMap& m = *static_cast<const TiledMap*>(map);
  if (m.magic != TiledMap::right || m.rank != 4) {
    fail(Fault::launch_failed, "%s:%d: this is no tensor map of 4 dimensions", site.file, site.line);
  }
  if (!acquired_.count(map)) {
    fail(Fault::launch_failed, "%s:%d: no map_acquire of this tensor map, which lies in global memory", site.file,
         site.line);
  }
  if (address(shared) % 128 != 0) {
    fail(Fault::misaligned_address, "%s:%d: copy_box, shared: address 0x%x is not a multiple of 128", site.file, site.line,
         address(shared));
  }
  const size_t inner = m.box[0] * m.element_bytes;
  size_t rows = 1;
  for (unsigned i = 1; i < m.rank; i++) {
    rows *= m.box[i];
  }
  std::vector<char> data(inner * rows);
  for (size_t row = 0; row < rows; row++) {
    const char* from = reinterpret_cast<const char*>(m.address);
    bool inside = true;
    size_t rest = row;
    for (unsigned i = 1; i < m.rank; i++) {
      const long long c = at[i] + static_cast<long long>(rest % m.box[i]);
      rest /= m.box[i];
      inside &= 0 <= c && c < m.dimension[i];
      from += c * static_cast<long long>(m.stride[i - 1]);
    }
    const long long first = at[0] < 0 ? 0 : at[0];
    const long long last = std::min<long long>(at[0] + static_cast<long long>(m.box[0]), m.dimension[0]);
    if (inside && first < last) {
      const size_t bytes = (last - first) * m.element_bytes;
      accesses_read(from + first * m.element_bytes, bytes);
      memcpy(&data[row * inner + (first - at[0]) * m.element_bytes], from + first * m.element_bytes, bytes);
    }
  }
  start({static_cast<char*>(shared), b, std::move(data), m.swizzled != 0, site});
}

}  // namespace sim
