// libnccl.so.2 for the simulator. Collectives are in stream order, may be captured, and add up in the order of the
// ranks in float32, so all ranks get the same bits in every run.
//
// Where NCCL would hang or corrupt memory, an operation that differs between ranks, buffers outside live allocations,
// two ranks on one device, it returns an error and ncclGetLastError tells why.
#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "extension.h"
#include "nccl_shared.h"

#pragma GCC visibility push(default)
#include "../abi/nccl.h"
#pragma GCC visibility pop

namespace nccl {
namespace {

thread_local char reason[256];

__attribute__((format(printf, 2, 3))) ncclResult_t refuse(ncclResult_t result, const char* format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(reason, sizeof reason, format, args);
  va_end(args);
  return result;
}

enum Kind { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST, REDUCE };

size_t size_of(int type) { return type == ncclFloat32 ? 4 : 2; }

float load(const char* p, int type, size_t i) {
  if (type == ncclFloat32) {
    float x;
    memcpy(&x, p + 4 * i, 4);
    return x;
  }
  uint16_t half;
  memcpy(&half, p + 2 * i, 2);
  uint32_t bits = uint32_t(half) << 16;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

// Rounds to nearest, ties to even, for bfloat16; a NaN stays one.
void store(char* p, int type, size_t i, float x) {
  if (type == ncclFloat32) {
    memcpy(p + 4 * i, &x, 4);
    return;
  }
  uint32_t bits;
  memcpy(&bits, &x, 4);
  uint16_t half = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  if ((bits & 0x7fffffff) > 0x7f800000) half = uint16_t(bits >> 16 | 0x40);
  memcpy(p + 2 * i, &half, 2);
}

}  // namespace
}  // namespace nccl

using namespace nccl;

// What a handle points to. Queued operations hold the state, too, for they may outlive the handle.
struct ncclComm {
  struct State {
    Meeting meeting;
    CUcontext context = nullptr;
    std::atomic<int> error{ncclSuccess};
    std::atomic<bool> closed{false};
    bool several = false;  // ranks
    std::atomic<int> captured{0};  // operations in graphs
    const void* active = nullptr;  // the operation between two of its rounds
  };
  std::shared_ptr<State> state = std::make_shared<State>();
};

namespace nccl {
namespace {

// One collective of one rank. The simulator executes it once, or as a node of a graph many times.
class Operation {
 public:
  Operation(std::shared_ptr<ncclComm::State> comm, const Call& call, const void* send, void* recv, bool captured)
      : comm_(std::move(comm)), call_(call), send_(static_cast<const char*>(send)), recv_(static_cast<char*>(recv)),
        captured_(captured) {
    comm_->captured += captured_;
  }

  ~Operation() { comm_->captured -= captured_; }

  // Does what can be done without waiting; true when all is done, for good or ill.
  bool advance() {
    Meeting& m = comm_->meeting;
    if (comm_->active && comm_->active != this) return false;
    comm_->active = this;
    while (done_ < call_.count) {
      if (comm_->closed) return finish();
      if (!posted_) {
        if (!m.may_write()) return m.aborted() && fail(ncclRemoteError);
        write();
        m.post(call_);
        posted_ = true;
      }
      if (!m.all_posted()) return m.aborted() && fail(ncclRemoteError);
      for (int r = 0; r < m.size(); r++) {
        if (m.call_of(r) == call_) continue;
        cudasimComplain("NCCL: ranks %d and %d are in different collectives", m.rank(), r);
        m.abort();
        return fail(ncclInvalidUsage);
      }
      read();
      m.done_reading();
      posted_ = false;
      done_ += length();
    }
    return finish();
  }

 private:
  // Elements of each rank's part that a round moves.
  size_t length() const {
    size_t parts = call_.kind == REDUCE_SCATTER ? comm_->meeting.size() : 1;
    return std::min<size_t>(call_.count - done_, slot_bytes / size_of(call_.type) / parts);
  }

  void write() {
    Meeting& m = comm_->meeting;
    char* slot = m.slot(m.rank());
    size_t size = size_of(call_.type), bytes = length() * size;
    if (call_.kind == REDUCE_SCATTER) {
      for (int r = 0; r < m.size(); r++) memcpy(slot + r * bytes, send_ + (r * call_.count + done_) * size, bytes);
    } else if (call_.kind != BROADCAST || m.rank() == call_.root) {
      memcpy(slot, send_ + done_ * size, bytes);
    }
  }

  void read() {
    Meeting& m = comm_->meeting;
    size_t size = size_of(call_.type), bytes = length() * size;
    switch (call_.kind) {
      case ALL_REDUCE:
        reduce(recv_ + done_ * size, 0);
        break;
      case REDUCE_SCATTER:
        reduce(recv_ + done_ * size, m.rank() * bytes);
        break;
      case ALL_GATHER:
        for (int r = 0; r < m.size(); r++) memcpy(recv_ + (r * call_.count + done_) * size, m.slot(r), bytes);
        break;
      case REDUCE:
        if (m.rank() == call_.root) reduce(recv_ + done_ * size, 0);
        break;
      case BROADCAST:
        memcpy(recv_ + done_ * size, m.slot(call_.root), bytes);
        break;
    }
  }

  // Reduces what lies `offset` bytes into the slots.
  void reduce(char* out, size_t offset) {
    Meeting& m = comm_->meeting;
    size_t n = length();
    std::vector<float> sums(n);
    for (int r = 0; r < m.size(); r++) {
      const char* part = m.slot(r) + offset;
      for (size_t i = 0; i < n; i++) {
        float x = load(part, call_.type, i);
        sums[i] = r == 0 ? x : call_.op == ncclMax ? std::max(sums[i], x) : sums[i] + x;
      }
    }
    float divisor = call_.op == ncclAvg ? m.size() : 1;
    for (size_t i = 0; i < n; i++) store(out, call_.type, i, sums[i] / divisor);
  }

  bool fail(ncclResult_t error) {
    int none = ncclSuccess;
    comm_->error.compare_exchange_strong(none, error);
    return finish();
  }

  bool finish() {
    comm_->active = nullptr;
    posted_ = false;
    done_ = 0;
    return true;
  }

  std::shared_ptr<ncclComm::State> comm_;
  Call call_;
  const char* send_;
  char* recv_;
  size_t done_ = 0;      // elements of each rank's part
  bool posted_ = false;  // this round's part
  bool captured_;        // it is in a graph, which stays until that is closed
};

int ready(void* data) { return static_cast<Operation*>(data)->advance(); }
int run(void*) { return CUDA_SUCCESS; }
void release(void* data) { delete static_cast<Operation*>(data); }

// Calls of a group wait for its end.
struct Pending {
  std::unique_ptr<Operation> operation;
  CUcontext context;
  CUstream stream;
};

thread_local int group_depth = 0;
thread_local std::vector<Pending> group;

ncclResult_t enqueue(Pending pending) {
  CUcontext previous = nullptr;
  cuCtxGetCurrent(&previous);
  cuCtxSetCurrent(pending.context);
  CUresult error = cudasimEnqueue(pending.stream, ready, run, release, pending.operation.get());
  cuCtxSetCurrent(previous);
  if (error) return refuse(ncclUnhandledCudaError, "the stream refused the work: CUDA error %d", error);
  pending.operation.release();
  return ncclSuccess;
}

ncclResult_t check_buffer(const char* name, const void* p, size_t bytes) {
  if (bytes == 0 || cudasimIsDevice(reinterpret_cast<CUdeviceptr>(p), bytes)) return ncclSuccess;
  return refuse(ncclInvalidArgument, "%s buffer: %zu bytes at %p are not inside one live allocation", name, bytes, p);
}

ncclResult_t collective(ncclComm_t comm, Call call, const void* send, void* recv, cudaStream_t stream) {
  if (!comm) return refuse(ncclInvalidArgument, "no communicator");
  if (call.type != ncclFloat32 && call.type != ncclBfloat16) {
    return refuse(ncclInvalidArgument, "the simulator does not know type %d", call.type);
  }
  if (call.op != ncclSum && call.op != ncclMax && call.op != ncclAvg) {
    return refuse(ncclInvalidArgument, "the simulator does not know reduction %d", call.op);
  }
  ncclComm::State& state = *comm->state;
  int size = state.meeting.size();
  if (call.root < 0 || call.root >= size) return refuse(ncclInvalidArgument, "root %d of %d ranks", call.root, size);
  size_t part = call.count * size_of(call.type);
  size_t sent = call.kind == REDUCE_SCATTER ? part * size : part;
  size_t received = call.kind == ALL_GATHER ? part * size : part;
  bool sends = call.kind != BROADCAST || state.meeting.rank() == call.root;
  if (ncclResult_t r = sends ? check_buffer("send", send, sent) : ncclSuccess) return r;
  bool receives = call.kind != REDUCE || state.meeting.rank() == call.root;
  if (ncclResult_t r = receives ? check_buffer("receive", recv, received) : ncclSuccess) return r;
  CUstreamCaptureStatus capture;
  if (cuStreamIsCapturing(stream, &capture) != CUDA_SUCCESS) return refuse(ncclUnhandledCudaError, "no stream");
  bool captured = capture == CU_STREAM_CAPTURE_STATUS_ACTIVE;
  Pending pending{std::make_unique<Operation>(comm->state, call, send, recv, captured), state.context, stream};
  if (group_depth == 0) return enqueue(std::move(pending));
  group.push_back(std::move(pending));
  return ncclSuccess;
}

}  // namespace
}  // namespace nccl

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = 22809;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled CUDA error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "a remote rank ended or failed";
    default:
      return "internal error";
  }
}

const char* ncclGetLastError(ncclComm_t) { return reason; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::random_device random;
  memset(id, 0, sizeof *id);
  snprintf(id->internal, sizeof id->internal, "/gotrain-nccl-%08x%08x%08x%08x", random(), random(), random(), random());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* out, int size, ncclUniqueId id, int rank) {
  if (size < 1 || size > max_ranks || rank < 0 || rank >= size) {
    return refuse(ncclInvalidArgument, "rank %d of %d; the simulator has up to %d", rank, size, max_ranks);
  }
  if (group_depth > 0) return refuse(ncclInvalidUsage, "the simulator makes no communicators in a group");
  auto comm = std::make_unique<ncclComm>();
  ncclComm::State& state = *comm->state;
  CUdevice device;
  if (cuCtxGetCurrent(&state.context) != CUDA_SUCCESS || cuCtxGetDevice(&device) != CUDA_SUCCESS) {
    return refuse(ncclUnhandledCudaError, "no current context");
  }
  std::string name(id.internal, strnlen(id.internal, sizeof id.internal));
  switch (state.meeting.meet(name, rank, size, device)) {
    case Met::yes:
      state.several = size > 1;
      cudasimRanks(state.several);
      *out = comm.release();
      return ncclSuccess;
    case Met::wrong_size:
      return refuse(ncclInvalidArgument, "another rank says that there are not %d ranks", size);
    case Met::taken:
      return refuse(ncclInvalidArgument, "there are two ranks %d", rank);
    case Met::same_device:
      state.meeting.abort();
      return refuse(ncclInvalidUsage, "two ranks use one device");
    case Met::aborted:
      return refuse(ncclRemoteError, "another rank has aborted");
    case Met::failed:
      break;
  }
  return refuse(ncclSystemError, "no shared memory: %s", strerror(errno));
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm) return refuse(ncclInvalidArgument, "no communicator");
  comm->state->closed = true;
  comm->state->meeting.leave();
  cudasimRanks(-comm->state->several);
  // As NCCL does: its graphs refer to the communicator.
  while (comm->state->captured > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  if (!comm) return refuse(ncclInvalidArgument, "no communicator");
  comm->state->meeting.abort();
  return ncclCommDestroy(comm);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  *error = static_cast<ncclResult_t>(comm->state->error.load());
  return ncclSuccess;
}

ncclResult_t ncclGroupStart(void) {
  group_depth++;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void) {
  if (group_depth == 0) return refuse(ncclInvalidUsage, "a group ends that has not started");
  if (--group_depth > 0) return ncclSuccess;
  ncclResult_t result = ncclSuccess;
  for (Pending& pending : group) {
    if (!result) result = enqueue(std::move(pending));
  }
  group.clear();
  return result;
}

ncclResult_t ncclAllReduce(const void* send, void* recv, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  return collective(comm, {ALL_REDUCE, type, op, 0, count}, send, recv, stream);
}

ncclResult_t ncclReduce(const void* send, void* recv, size_t count, ncclDataType_t type, ncclRedOp_t op, int root,
                        ncclComm_t comm, cudaStream_t stream) {
  return collective(comm, {REDUCE, type, op, root, count}, send, recv, stream);
}

ncclResult_t ncclReduceScatter(const void* send, void* recv, size_t recv_count, ncclDataType_t type, ncclRedOp_t op,
                               ncclComm_t comm, cudaStream_t stream) {
  return collective(comm, {REDUCE_SCATTER, type, op, 0, recv_count}, send, recv, stream);
}

ncclResult_t ncclAllGather(const void* send, void* recv, size_t send_count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream) {
  return collective(comm, {ALL_GATHER, type, ncclSum, 0, send_count}, send, recv, stream);
}

ncclResult_t ncclBroadcast(const void* send, void* recv, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream) {
  return collective(comm, {BROADCAST, type, ncclSum, root, count}, send, recv, stream);
}

}  // extern "C"
