// stream.cpp: streams that put their work off, and events.
//
// Nothing is executed when it is issued. A call that must wait executes what it waits for; work in other streams, which
// a device may do early or late, is done before all that or not at all, as the seed says. So an order that no event
// enforces does not hold.
#include <algorithm>
#include <atomic>

#include "clock.h"
#include "extension.h"
#include "runtime.h"

namespace sim {

CUstream make_stream(CUcontext context, bool blocking, int priority) {
  CUstream s = new CUstream_st{context, blocking, priority, {}, nullptr, {}};
  context->streams.insert(s);
  return s;
}

CUstream Call::stream(CUstream s) const {
  return s == nullptr || s == CU_STREAM_LEGACY || s == CU_STREAM_PER_THREAD ? context->legacy : s;
}

CUresult issue(Call& call, CUstream s, CUgraphNodeType type, std::function<bool(CUresult*)> step, CUstream depends) {
  if (Capture* c = s->capture) {
    if (c->invalid) {
      return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    const int node = static_cast<int>(c->graph->nodes.size());
    c->graph->nodes.push_back(std::make_shared<CUgraphNode_st>(
        CUgraphNode_st{std::move(step), type, {s->frontier.begin(), s->frontier.end()}}));
    s->frontier = {node};
    return CUDA_SUCCESS;
  }
  s->queue.push_back({std::move(step), depends, call.runtime.operations++});
  call.runtime.changed.notify_all();
  return CUDA_SUCCESS;
}

CUresult issue_work(Call& call, CUstream s, CUgraphNodeType type, std::function<CUresult()> run) {
  return issue(call, s, type, [run = std::move(run)](CUresult* result) {
    *result = run();
    return true;
  });
}

namespace {

// The default stream waits for what was issued before in blocking streams, and they for it.
bool held_by_default_stream(CUstream s, std::set<CUstream>* wanted) {
  const CUcontext context = s->context;
  const uint64_t number = s->queue.front().number;
  bool held = false;
  const auto look_at = [&](CUstream other) {
    if (other != s && other->blocking && !other->queue.empty() && other->queue.front().number < number) {
      held = true;
      wanted->insert(other);
    }
  };
  if (s == context->legacy) {
    for (CUstream other : context->streams) {
      look_at(other);
    }
  } else if (s->blocking) {
    look_at(context->legacy);
  }
  return held;
}

// Executes the next operation of a stream. false: there is none, or it waits, then for what has been put into wanted.
bool advance(CUstream s, std::set<CUstream>* wanted) {
  if (s->queue.empty() || held_by_default_stream(s, wanted)) {
    return false;
  }
  if (s->context->error != CUDA_SUCCESS) {  // nothing runs after an error
    s->queue.pop_front();
    return true;
  }
  CUresult result = CUDA_SUCCESS;
  if (!s->queue.front().step(&result)) {
    if (s->queue.front().depends != nullptr) {
      wanted->insert(s->queue.front().depends);
    }
    return false;
  }
  if (result != CUDA_SUCCESS) {
    s->context->error = result;
  }
  s->queue.pop_front();
  return true;
}

std::vector<CUstream> all_streams(Runtime& runtime) {
  std::vector<CUstream> streams;
  for (CUcontext context : runtime.primary) {
    if (context != nullptr) {
      streams.insert(streams.end(), context->streams.begin(), context->streams.end());
    }
  }
  return streams;
}

}  // namespace

void drive(Call& call, std::set<CUstream> wanted, const std::function<bool()>& done) {
  std::set<CUstream> ignored;
  const uint64_t hasty = call.runtime.random.next();  // one bit a stream: it runs as early as it can
  while (!done()) {
    bool progress = false;
    const std::vector<CUstream> streams = all_streams(call.runtime);
    for (size_t i = 0; i < streams.size(); i++) {
      while ((hasty >> (i % 64) & 1) && wanted.count(streams[i]) == 0 && advance(streams[i], &ignored)) {
        progress = true;
      }
    }
    const std::set<CUstream> round = wanted;
    for (CUstream s : round) {
      if (done()) {
        return;
      }
      progress |= advance(s, &wanted);
    }
    if (!progress && wanted.size() == round.size() && !done()) {  // a collective operation waits for other ranks
      for (CUstream s : streams) {
        progress |= advance(s, &ignored);
      }
      if (!progress) {
        call.runtime.changed.wait(call.lock);
      }
    }
  }
}

// Says whether all operations of a stream below a number have been executed.
static bool executed(CUstream s, uint64_t number) { return s->queue.empty() || s->queue.front().number >= number; }

CUresult drain(Call& call, CUstream s) {
  drive(call, {s}, [s, number = call.runtime.operations] { return executed(s, number); });
  return s->context->error;
}

CUresult drain(Call& call, CUcontext context) {
  drive(call, context->streams, [context, number = call.runtime.operations] {
    return std::all_of(context->streams.begin(), context->streams.end(),
                       [number](CUstream s) { return executed(s, number); });
  });
  return context->error;
}

// A call that may not be made for a stream that is captured ends the capture.
static CUresult refuse_capture(CUstream s) {
  if (s->capture == nullptr) {
    return CUDA_SUCCESS;
  }
  s->capture->invalid = true;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

}  // namespace sim

using namespace sim;

CUresult cudasimEnqueue(CUstream s, int (*ready)(void*), int (*run)(void*), void (*release)(void*), void* data) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  const std::shared_ptr<void> owned(data, [release](void* p) {
    if (release != nullptr) {
      release(p);
    }
  });
  return issue(call, call.stream(s), CU_GRAPH_NODE_TYPE_KERNEL, [=](CUresult* result) {
    if (ready != nullptr && !ready(owned.get())) {
      return false;
    }
    *result = static_cast<CUresult>(run(owned.get()));
    return true;
  });
}

int cudasimRanks(int change) {
  static std::atomic<int> ranks{0};
  return ranks += change;
}

void cudasimNotify() {
  Call call;
  call.runtime.changed.notify_all();
}

CUresult cuStreamCreateWithPriority(CUstream* s, unsigned flags, int priority) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  *s = make_stream(call.context, !(flags & CU_STREAM_NON_BLOCKING), priority);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream* s, unsigned flags) { return cuStreamCreateWithPriority(s, flags, 0); }

CUresult cuStreamDestroy(CUstream s) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  const CUresult error = drain(call, s);
  s->context->streams.erase(s);
  delete s;
  return error;
}

CUresult cuStreamSynchronize(CUstream s) {
  Call call;
  CUresult error = call.error();
  if (!error) {
    error = refuse_capture(call.stream(s));
  }
  return error ? error : drain(call, call.stream(s));
}

// Each query executes one operation, so that a program that polls gets on.
CUresult cuStreamQuery(CUstream s) {
  Call call;
  CUresult error = call.error();
  if (!error) {
    error = refuse_capture(call.stream(s));
  }
  if (error) {
    return error;
  }
  int steps = 0;
  CUstream stream = call.stream(s);
  drive(call, {stream}, [&] { return stream->queue.empty() || steps++ > 0; });
  return stream->queue.empty() ? stream->context->error : CUDA_ERROR_NOT_READY;
}

CUresult cuStreamGetPriority(CUstream s, int* priority) {
  Call call;
  *priority = s != nullptr ? s->priority : 0;
  return call.error();
}

CUresult cuLaunchHostFunc(CUstream s, CUhostFn function, void* data) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  return issue_work(call, call.stream(s), CU_GRAPH_NODE_TYPE_HOST, [=] {
    function(data);
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamWaitEvent(CUstream s, CUevent e, unsigned) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  CUstream stream = call.stream(s);
  if (e->capture != nullptr) {
    if (e->capture->streams.empty()) {
      return complain(CUDA_ERROR_CAPTURED_EVENT, "cuStreamWaitEvent: the event's capture has ended");
    }
    if (stream->capture != nullptr && stream->capture != e->capture) {
      return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    stream->capture = e->capture;  // joins it
    e->capture->streams.insert(stream);
    stream->frontier.insert(e->frontier.begin(), e->frontier.end());
    return CUDA_SUCCESS;
  }
  if (stream->capture != nullptr) {
    stream->capture->invalid = true;
    return complain(CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                    "cuStreamWaitEvent: the event was recorded outside the capture");
  }
  if (e->recorded == 0) {
    return CUDA_SUCCESS;
  }
  const uint64_t target = e->recorded;
  return issue(
      call, stream, CU_GRAPH_NODE_TYPE_EMPTY, [=](CUresult*) { return e->completed >= target; }, e->stream);
}

CUresult cuEventCreate(CUevent* e, unsigned flags) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  *e = new CUevent_st;
  (*e)->context = call.context;
  (*e)->timed = !(flags & CU_EVENT_DISABLE_TIMING);
  return CUDA_SUCCESS;
}

// The event's memory stays while operations refer to it: an event is small, and tests make few.
CUresult cuEventDestroy(CUevent) {
  Call call;
  return call.error();
}

CUresult cuEventRecord(CUevent e, CUstream s) { return cuEventRecordWithFlags(e, s, CU_EVENT_RECORD_DEFAULT); }

CUresult cuEventRecordWithFlags(CUevent e, CUstream s, unsigned flags) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  CUstream stream = call.stream(s);
  if (flags == CU_EVENT_RECORD_EXTERNAL) {  // a node that records at each launch
    if (stream->capture == nullptr) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    return issue_work(call, stream, CU_GRAPH_NODE_TYPE_EVENT_RECORD, [=] {
      e->completed = ++e->recorded;
      e->time = now();
      return CUDA_SUCCESS;
    });
  }
  e->capture = stream->capture;
  if (stream->capture != nullptr) {
    e->frontier = stream->frontier;
    return CUDA_SUCCESS;
  }
  e->stream = stream;
  const uint64_t number = ++e->recorded;
  return issue_work(call, stream, CU_GRAPH_NODE_TYPE_EVENT_RECORD, [=] {
    e->completed = number;
    e->time = now();
    return CUDA_SUCCESS;
  });
}

CUresult cuEventSynchronize(CUevent e) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (e->capture != nullptr) {
    return CUDA_ERROR_CAPTURED_EVENT;
  }
  if (e->recorded == 0) {
    return CUDA_SUCCESS;
  }
  const uint64_t target = e->recorded;
  drive(call, {e->stream}, [=] { return e->completed >= target || e->context->error != CUDA_SUCCESS; });
  return e->context->error;
}

CUresult cuEventQuery(CUevent e) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (e->capture != nullptr) {
    return CUDA_ERROR_CAPTURED_EVENT;
  }
  int steps = 0;
  if (e->recorded > e->completed) {
    drive(call, {e->stream}, [&] { return e->completed == e->recorded || steps++ > 0; });
  }
  if (e->context->error != CUDA_SUCCESS) {
    return e->context->error;
  }
  return e->recorded > e->completed ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent from, CUevent to) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (!from->timed || !to->timed || from->recorded == 0 || to->recorded == 0) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  if (from->completed < from->recorded || to->completed < to->recorded) {
    return CUDA_ERROR_NOT_READY;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return CUDA_SUCCESS;
}
