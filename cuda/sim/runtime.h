// runtime.h: the objects of the driver API. The handles of cuda.h point to them.
//
// One lock, taken by every call, guards all of it. Work is executed by the call that must wait for it, under the lock.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api.h"
#include "scheduler.h"

namespace sim {

constexpr int max_devices = 8;
// Shared memory of a block that it has unasked, and that the chip takes for itself; registers of a block.
constexpr unsigned default_shared = 48 << 10, reserved_shared = 1 << 10, block_registers = 64 << 10;

struct Capture;

// Operation is one piece of work in a stream. step executes it; false: it cannot go on before something else happens.
struct Operation {
  std::function<bool(CUresult* result)> step;
  CUstream depends = nullptr;  // the stream that step waits for, if any
  uint64_t number = 0;         // order of issue over all streams
};

// Usage is what the compiler reports of a kernel: registers of a thread, and static shared memory of a block with what the
// chip reserves. A kernel without a report takes nothing.
struct Usage {
  int registers = 0;
  unsigned shared = 0;
};

struct Allocation {
  size_t bytes;
  CUcontext context;  // nullptr: pinned memory of the host
};

}  // namespace sim

struct CUctx_st {
  int device = 0;
  int retained = 0;
  CUresult error = CUDA_SUCCESS;  // sticks
  size_t used = 0;
  std::set<CUstream> streams;
  CUstream legacy = nullptr;  // the default stream
  std::set<CUcontext> peers;
};

struct CUstream_st {
  CUcontext context;
  bool blocking;  // ordered with the legacy default stream
  int priority;
  std::deque<sim::Operation> queue;
  sim::Capture* capture = nullptr;
  std::set<int> frontier;  // nodes of the capture that the next one depends on
};

struct CUevent_st {
  CUcontext context;
  bool timed;
  uint64_t recorded = 0, completed = 0;  // number of records issued and executed
  CUstream stream = nullptr;             // of the last record
  std::chrono::steady_clock::time_point time;
  sim::Capture* capture = nullptr;  // when it was last recorded in a capture
  std::set<int> frontier;
};

struct CUfunc_st {
  const sim::Kernel* kernel;
  sim::Usage usage;
  bool loaded = false;      // onto the device: by cuFuncLoad, or by the first launch
  unsigned granted = 0;     // bytes of dynamic shared memory that were asked for
};

struct CUmod_st {
  CUcontext context;
  std::map<std::string, CUfunc_st> functions;
};

struct CUgraphNode_st {
  std::function<bool(CUresult* result)> step;
  CUgraphNodeType type;
  std::vector<int> after;
};

struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

struct CUgraphExec_st {
  CUcontext context;
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

namespace sim {

// Capture is a graph that grows while streams are captured.
struct Capture {
  CUstream origin;
  std::unique_ptr<CUgraph_st> graph = std::make_unique<CUgraph_st>();
  std::set<CUstream> streams;
  bool invalid = false;
};

// Runtime is the state of the driver. get locks nothing; Call does.
struct Runtime {
  static Runtime& get();
  std::mutex mutex;
  std::condition_variable changed;
  bool initialised = false;
  CUcontext primary[max_devices] = {};
  std::map<CUdeviceptr, Allocation> allocations;
  uint64_t operations = 0, launches = 0;
  Random random;
};

// Call is one call of the API: it holds the lock, and knows whether a context is current and sound.
class Call {
 public:
  Call() : runtime(Runtime::get()), lock(runtime.mutex), context(state.context) {}
  // The error with which a call must return that needs a context.
  CUresult error() const {
    if (!runtime.initialised) {
      return CUDA_ERROR_NOT_INITIALIZED;
    }
    return context == nullptr ? CUDA_ERROR_INVALID_CONTEXT : context->error;
  }
  CUstream stream(CUstream s) const;

  Runtime& runtime;
  std::unique_lock<std::mutex> lock;
  const CUcontext context;
};

// complain prints a line to stderr and returns the error.
CUresult complain(CUresult error, const char* format, ...) __attribute__((format(printf, 2, 3)));

// issue puts an operation into a stream, or a node into the graph while the stream is captured.
CUresult issue(Call& call, CUstream stream, CUgraphNodeType type, std::function<bool(CUresult*)> step,
               CUstream depends = nullptr);
// issue for work that never waits.
CUresult issue_work(Call& call, CUstream stream, CUgraphNodeType type, std::function<CUresult()> run);

// drive executes operations until done returns true; those of the streams in wanted, and of others by chance.
void drive(Call& call, std::set<CUstream> wanted, const std::function<bool()>& done);
// drain executes everything in a stream, or in all streams of a context, and returns the context's error.
CUresult drain(Call& call, CUstream stream);
CUresult drain(Call& call, CUcontext context);

// find gives the allocation that holds the bytes from p on, or nullptr.
const Allocation* find(Call& call, CUdeviceptr p, size_t bytes);
CUstream make_stream(CUcontext context, bool blocking, int priority);

const Kernel* kernels();

}  // namespace sim
