// scheduler.h: runs the threads of one block, and the blocks of a launch.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "asynchronous.h"
#include "device.h"
#include "fiber.h"

namespace sim {

// Random is splitmix64: few states, no bad seeds.
class Random {
 public:
  explicit Random(uint64_t seed = 0) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

struct Launch {
  const Kernel* kernel;
  dim3 grid, block;
  unsigned shared;
  void** arguments;
  uint64_t seed;
  // Set by run: the error of a block that has failed, and whether one block runs at a time.
  const std::atomic<int>* fault = nullptr;
  bool one_block = false;
};

// run executes a launch on the simulator's threads. It returns 0, or the CUDA error after the message has been printed.
int run(Launch launch);

// catch_faults makes an access to no memory, or a division by zero, in a kernel a fault of its launch. Faults
// elsewhere go to the handlers that were there before.
void catch_faults();

// AsyncCopy is a cp.async that has been issued. group counts the thread's commits before it.
struct AsyncCopy {
  void* shared;
  const void* global;
  bool valid;
  unsigned group;
};

// Waiting is what a thread waits for that others, or nobody, bring about: the phase of a barrier, of that parity, a round
// of a named barrier, or the issue of products by the other warps of its warpgroup, save those of its newest groups.
struct Waiting {
  enum class Kind { barrier, named, products } kind;
  void* barrier;
  int value;  // parity, round · 16 + number, or number of groups
  Site site;
};

// Scheduler runs the threads of one block on an OS thread. A thread runs until it waits: first for lanes of its warp,
// then, when all of the warp wait, for other warps. This is as far apart as threads can drift, and what follows next is
// drawn from the seed, so that a missing barrier is seen. A thread that never waits costs no switch: the fiber that ran
// it takes the next one.
class Scheduler {
 public:
  // Makes this scheduler, one of at most 256, the one of the OS thread that calls, until leave.
  void enter(int number);
  void leave(int number);

  // Runs block number `index` of the launch. Returns 0, or the CUDA error.
  int run_block(const Launch& launch, uint64_t index);

  Votes barrier(bool vote, Site site);
  void collective(unsigned mask, void* record, Combine combine, bool aligned, Site site);
  unsigned active_lanes() const;
  // wait_for suspends the thread that runs until it is so.
  void wait_for(const Waiting& w);
  Asynchronous& asynchronous() { return asynchronous_; }
  void wait_for_block(Site site);
  [[noreturn]] void abandon(Fault fault);
  const Launch& launch() const { return *launch_; }
  // The scheduler whose fibers the calling thread runs at this moment, or nullptr. Safe in a signal handler.
  static Scheduler* running();
  void* stack_top() const { return current_->top(); }
  bool on_stack(const void* p) const { return current_->holds(p); }

  bool copies_at_once() const { return copies_at_once_; }
  std::vector<AsyncCopy>& copies() { return current_->copies; }
  unsigned& copy_group() { return current_->copy_group; }

  uint64_t products = 0;  // mma instructions of warps

 private:
  struct ThreadFiber : Fiber {
    std::vector<AsyncCopy> copies;
    unsigned copy_group = 0;
  };
  // Group is a collective operation for which some lanes of mask still lack.
  struct Group {
    unsigned mask, arrived;
    Combine combine;
    bool aligned;
    Site site;
  };
  struct Warp {
    unsigned exists, exited, ready, at_barrier;
    int groups;
    Group group[32];
    void* records[32];
    ThreadFiber* fibers[32];
  };

  static void body();
  void thread_exits();
  bool select();
  void choose_warp();
  void release_barrier();
  bool fulfilled(const Waiting& w, unsigned thread) const;
  bool wake();
  void suspend();
  ThreadFiber* take_fiber();
  void arrive(Warp& warp, unsigned mask, Combine combine, bool aligned, Site site, Group** group);
  [[noreturn]] void report_deadlock();

  const Launch* launch_ = nullptr;
  State* state_ = nullptr;  // of the OS thread
  Random random_;
  Fiber thread_;  // the OS thread's own stack
  std::vector<std::unique_ptr<ThreadFiber>> fibers_;
  std::vector<ThreadFiber*> idle_;
  ThreadFiber* current_ = nullptr;
  Warp warps_[32];
  unsigned warp_ = 0, ready_warps_ = 0, lane_order_ = 0;
  int alive_ = 0, at_barrier_ = 0;
  Site barrier_site_ = {};
  int yes_ = 0;
  Votes votes_ = {};
  struct Waiter {
    unsigned thread;
    Waiting what;
  };
  std::vector<Waiter> waiters_;
  Asynchronous asynchronous_;
  long waits_ = 0;  // looks at flags since the block began
  int fault_ = 0;
  bool copies_at_once_ = false;
};

}  // namespace sim
