// scheduler.cpp: the threads of one block as fibers.
#include "scheduler.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "accesses.h"
#include "order.h"

namespace sim {

asm(R"(
.text
.globl sim_switch_stack
.hidden sim_switch_stack
.type sim_switch_stack,@function
sim_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sim_switch_stack, .-sim_switch_stack
)");

__thread State state;

// Where dynamic shared memory starts in the window of 32-bit addresses, at least: chips from sm_90 on keep 1 KiB.
constexpr unsigned reserved_window = 1024;

Votes block_barrier(bool vote, const char* file, int line) { return state.scheduler->barrier(vote, {file, line}); }
void warp_collective(unsigned mask, void* record, Combine combine, bool aligned, const char* file, int line) {
  state.scheduler->collective(mask, record, combine, aligned, {file, line});
}
void wait_for_block(const char* file, int line) { state.scheduler->wait_for_block({file, line}); }
unsigned active_lanes() { return state.scheduler->active_lanes(); }

void fail(Fault fault, const char* format, ...) {
  char text[1024];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  fprintf(stderr, "cudasim: %s: block (%u,%u,%u) thread (%u,%u,%u): %s\n", state.scheduler->launch().kernel->name,
          state.block.x, state.block.y, state.block.z, state.thread.x, state.thread.y, state.thread.z, text);
  state.scheduler->abandon(fault);
}

namespace {

// Runs lists the threads that run fibers. A signal handler looks here, as it must not touch thread-local storage that
// the thread may never have used.
constexpr int max_threads = 256;
struct {
  std::atomic<pid_t> thread;
  Scheduler* scheduler;
} runs[max_threads];

pid_t this_thread() { return static_cast<pid_t>(syscall(SYS_gettid)); }

}  // namespace

void Scheduler::enter(int number) {
  state_ = &state;
  state_->scheduler = this;
  thread_.stand_for_thread();
  runs[number].scheduler = this;
  runs[number].thread = this_thread();
}

void Scheduler::leave(int number) { runs[number].thread = 0; }

Scheduler* Scheduler::running() {
  const pid_t self = this_thread();
  for (auto& run : runs) {
    if (run.thread == self) {
      return run.scheduler;
    }
  }
  return nullptr;
}

// A bit of mask. order, of 6 bits, says where the search starts and in which direction it goes.
static inline unsigned pick(unsigned mask, unsigned order) {
  const unsigned turn = order & 31, turned = mask >> turn | mask << (-turn & 31);
  return ((order & 32 ? __builtin_ctz(turned) : 31 - __builtin_clz(turned)) + turn) & 31;
}

static bool same(Site a, Site b) { return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0); }

int Scheduler::run_block(const Launch& launch, uint64_t index) {
  const dim3& block = launch.block;
  const unsigned threads = block.x * block.y * block.z, warps = (threads + 31) / 32;
  launch_ = &launch;
  random_ = Random(launch.seed ^ Random(index).next());
  copies_at_once_ = !accesses_checked && (random_.next() & 1);
  const uint64_t draw = random_.next();
  asynchronous_.begin(state_->shared, launch.shared, !copies_at_once_, draw & 1, reserved_window + (draw >> 1) % 8 * 128);
  waiters_.clear();
  alive_ = threads;
  at_barrier_ = yes_ = 0;
  fault_ = 0;
  waits_ = 0;
  for (unsigned i = 0; i < warps; i++) {
    const unsigned lanes = threads - i * 32;
    Warp& warp = warps_[i];
    warp.exists = warp.ready = lanes >= 32 ? ~0u : (1u << lanes) - 1;
    warp.exited = warp.at_barrier = 0;
    warp.groups = 0;
    memset(warp.fibers, 0, sizeof warp.fibers);
  }
  ready_warps_ = warps == 32 ? ~0u : (1u << warps) - 1;
  choose_warp();
  state_->grid_dim = {launch.grid.x, launch.grid.y, launch.grid.z};
  state_->block_dim = {block.x, block.y, block.z};
  state_->block = {static_cast<unsigned>(index % launch.grid.x),
                   static_cast<unsigned>(index / launch.grid.x % launch.grid.y),
                   static_cast<unsigned>(index / launch.grid.x / launch.grid.y)};
  select();
  thread_.switch_to(*(current_ = take_fiber()));
  if (fault_ != 0) {  // the fibers hold half-run threads
    idle_.clear();
    for (auto& fiber : fibers_) {
      fiber->reset(body);
      fiber->copies.clear();
      idle_.push_back(fiber.get());
    }
  }
  return fault_;
}

Scheduler::ThreadFiber* Scheduler::take_fiber() {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<ThreadFiber>());
    fibers_.back()->reset(body);
    idle_.push_back(fibers_.back().get());
  }
  ThreadFiber* fiber = idle_.back();
  idle_.pop_back();
  warps_[warp_].fibers[state_->lane] = fiber;
  return fiber;
}

// The life of a fiber: it runs threads, one after the other, and stays idle while there is none for it.
void Scheduler::body() {
  Fiber::arrived(nullptr);
  for (;;) {
    Scheduler& s = *state.scheduler;
    ThreadFiber* self = s.current_;
    s.launch_->kernel->invoke(s.launch_->arguments);
    s.thread_exits();
    if (!s.select()) {
      s.idle_.push_back(self);
      self->switch_to(s.thread_);
      continue;
    }
    ThreadFiber*& next = s.warps_[s.warp_].fibers[s.state_->lane];
    if (next == nullptr) {
      next = self;
      continue;
    }
    s.idle_.push_back(self);
    s.current_ = next;
    self->switch_to(*next);
  }
}

void Scheduler::thread_exits() {
  Warp& warp = warps_[warp_];
  const unsigned bit = 1u << state_->lane;
  for (int i = 0; i < warp.groups; i++) {
    if (warp.group[i].mask & bit) {
      fail(Fault::launch_failed, "lane %u exits while %s:%d waits for it: mask 0x%08x", state_->lane,
           warp.group[i].site.file, warp.group[i].site.line, warp.group[i].mask);
    }
  }
  warp.exited |= bit;
  if (--alive_ == 0) {
    asynchronous_.end();
  }
  current_->copies.clear();
  current_->copy_group = 0;
}

void Scheduler::choose_warp() {
  const uint64_t random = random_.next();
  warp_ = pick(ready_warps_, random & 63);
  lane_order_ = random >> 6 & 63;
}

// select makes state and warp_ those of the thread that runs next; false when the block is done.
bool Scheduler::select() {
  if (warps_[warp_].ready == 0) {
    ready_warps_ &= ~(1u << warp_);
    if (ready_warps_ == 0) {
      if (alive_ == 0) {
        return false;
      }
      while (!wake()) {
        if (!waiters_.empty() && asynchronous_.proceed(random_.next())) {
          continue;
        }
        if (at_barrier_ != alive_) {
          report_deadlock();
        }
        release_barrier();
        break;
      }
    }
    choose_warp();
  }
  Warp& warp = warps_[warp_];
  const unsigned lane = pick(warp.ready, lane_order_);
  warp.ready &= ~(1u << lane);
  const unsigned linear = warp_ * 32 + lane;
  const uint3& block = state_->block_dim;
  state_->lane = lane;
  if (linear < block.x) {
    state_->thread = {linear, 0, 0};
  } else {
    state_->thread = {linear % block.x, linear / block.x % block.y, linear / block.x / block.y};
  }
  return true;
}

void Scheduler::release_barrier() {
  votes_ = {alive_, yes_};
  accesses_barrier();
  at_barrier_ = yes_ = 0;
  const unsigned warps = (state_->block_dim.x * state_->block_dim.y * state_->block_dim.z + 31) / 32;
  for (unsigned i = 0; i < warps; i++) {
    Warp& warp = warps_[i];
    warp.ready = warp.at_barrier;
    warp.at_barrier = 0;
    ready_warps_ |= (warp.ready != 0) << i;
  }
}

bool Scheduler::fulfilled(const Waiting& w, unsigned thread) const {
  switch (w.kind) {
    case Waiting::Kind::barrier: return asynchronous_.barrier_complete(w.barrier, w.value);
    case Waiting::Kind::named: return asynchronous_.named_complete(w.value & 15, w.value >> 4);
    default: return asynchronous_.wgmma_issued(thread, w.value);
  }
}

// wake makes those ready, of one warp by chance, whose waiting has come to an end, last those who wait for products, so that
// these are late. false: there are none.
bool Scheduler::wake() {
  const size_t n = waiters_.size(), first = n == 0 ? 0 : random_.next() % n;
  unsigned warp = ~0u, lanes = 0;
  for (const bool products : {false, true}) {
    for (size_t i = 0; i < n; i++) {
      const Waiter& w = waiters_[(first + i) % n];
      if ((w.what.kind == Waiting::Kind::products) == products && (lanes == 0 || w.thread / 32 == warp) && fulfilled(w.what, w.thread)) {
        warp = w.thread / 32;
        lanes |= 1u << w.thread % 32;
      }
    }
  }
  if (lanes == 0) {
    return false;
  }
  size_t kept = 0;
  for (const Waiter& w : waiters_) {
    if (w.thread / 32 != warp || !(lanes >> w.thread % 32 & 1)) {
      waiters_[kept++] = w;
    }
  }
  waiters_.resize(kept);
  warps_[warp].ready |= lanes;
  ready_warps_ |= 1u << warp;
  return true;
}

void Scheduler::wait_for(const Waiting& w) {
  const unsigned thread = warp_ * 32 + state_->lane;
  if (!fulfilled(w, thread) || (w.kind == Waiting::Kind::products && asynchronous_.late_products())) {
    waiters_.push_back({thread, w});
    suspend();
  }
}

// suspend leaves the thread that runs for another one.
void Scheduler::suspend() {
  ThreadFiber* self = current_;
  select();
  ThreadFiber* next = warps_[warp_].fibers[state_->lane];
  if (next == nullptr) {
    next = take_fiber();
  }
  if (next != self) {
    current_ = next;
    self->switch_to(*next);
  }
}

Votes Scheduler::barrier(bool vote, Site site) {
  if (at_barrier_ == 0) {
    barrier_site_ = site;
  } else if (!same(site, barrier_site_)) {
    fail(Fault::launch_failed, "divergent barrier: this thread waits at %s:%d, others at %s:%d", site.file,
         site.line, barrier_site_.file, barrier_site_.line);
  }
  at_barrier_++;
  yes_ += vote;
  warps_[warp_].at_barrier |= 1u << state_->lane;
  suspend();
  return votes_;
}

// arrive finds the group that this lane joins, or opens one, and refuses what the device leaves undefined.
void Scheduler::arrive(Warp& warp, unsigned mask, Combine combine, bool aligned, Site site, Group** group) {
  const unsigned bit = 1u << state_->lane;
  if (!(mask & bit)) {
    fail(Fault::launch_failed, "%s:%d: lane %u is not in its own mask 0x%08x", site.file, site.line, state_->lane,
         mask);
  }
  if (mask & (warp.exited | ~warp.exists)) {
    fail(Fault::launch_failed, "%s:%d: mask 0x%08x names lanes 0x%08x that have exited or do not exist", site.file,
         site.line, mask, mask & (warp.exited | ~warp.exists));
  }
  for (int i = 0; i < warp.groups; i++) {
    Group& g = warp.group[i];
    if (!(g.mask & mask)) {
      continue;
    }
    if (g.mask != mask) {
      fail(Fault::launch_failed, "%s:%d: mask 0x%08x, while lanes 0x%08x wait at %s:%d with mask 0x%08x", site.file,
           site.line, mask, g.arrived, g.site.file, g.site.line, g.mask);
    }
    if (g.combine != combine || (aligned && !same(g.site, site))) {
      fail(Fault::launch_failed, "lanes of mask 0x%08x diverge: this one is at %s:%d, lanes 0x%08x wait at %s:%d", mask,
           site.file, site.line, g.arrived, g.site.file, g.site.line);
    }
    *group = &g;
    return;
  }
  *group = &warp.group[warp.groups++];
  **group = {mask, 0, combine, aligned, site};
}

void Scheduler::collective(unsigned mask, void* record, Combine combine, bool aligned, Site site) {
  Warp& warp = warps_[warp_];
  Group* group;
  arrive(warp, mask, combine, aligned, site, &group);
  group->arrived |= 1u << state_->lane;
  warp.records[state_->lane] = record;
  if (group->arrived != mask) {
    suspend();
    return;
  }
  *group = warp.group[--warp.groups];
  combine(warp.records, mask);
  if (combine == combine_nothing) {  // __syncwarp; the others do not order memory
    accesses_syncwarp(warp_, mask);
  }
  warp.ready |= mask & ~(1u << state_->lane);
}

unsigned Scheduler::active_lanes() const {
  return 1u << state_->lane;  // legal, and the least that a program may count on
}

// A block that waits keeps its OS thread, and what its own threads do meanwhile does not go on either.
void Scheduler::wait_for_block(Site site) {
  constexpr long most = 60'000'000;  // µs
  if (launch_->one_block || waits_++ > most / 10) {
    fail(Fault::launch_failed, "deadlock: waits at %s:%d for a block that does not run", site.file, site.line);
  }
  if (*launch_->fault != 0) {
    abandon(static_cast<Fault>(launch_->fault->load()));
  }
  usleep(10);
}

void Scheduler::report_deadlock() {
  std::string text = "deadlock: ";
  char line[256];
  if (at_barrier_ > 0) {
    snprintf(line, sizeof line, "%d of %d threads wait at the barrier %s:%d; ", at_barrier_, alive_, barrier_site_.file,
             barrier_site_.line);
    text += line;
  }
  const int threads = state_->block_dim.x * state_->block_dim.y * state_->block_dim.z;
  for (int i = 0; i * 32 < threads && text.size() < 600; i++) {
    for (int j = 0; j < warps_[i].groups; j++) {
      const Group& g = warps_[i].group[j];
      snprintf(line, sizeof line, "lanes 0x%08x of warp %d wait at %s:%d for lanes 0x%08x; ", g.arrived, i, g.site.file,
               g.site.line, g.mask & ~g.arrived);
      text += line;
    }
  }
  const size_t waiters = waiters_.size();
  for (size_t i = 0; i < waiters && text.size() < 600; i++) {
    const Waiter& w = waiters_[i];
    if (i > 0 && same(w.what.site, waiters_[i - 1].what.site) && w.thread / 32 == waiters_[i - 1].thread / 32) {
      continue;  // one line a warp
    }
    char what[256] = "the other threads";
    if (w.what.kind == Waiting::Kind::barrier) {
      asynchronous_.describe_barrier(w.what.barrier, what, sizeof what);
    }
    snprintf(line, sizeof line, "thread %u waits at %s:%d for %s; ", w.thread, w.what.site.file, w.what.site.line, what);
    text += line;
  }
  text.resize(text.size() - 2);
  fail(Fault::launch_failed, "%s", text.c_str());
}

void Scheduler::abandon(Fault fault) {
  fault_ = static_cast<int>(fault);
  current_->switch_to(thread_);
  __builtin_unreachable();
}

}  // namespace sim
