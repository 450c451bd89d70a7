// graph.cpp: capture of streams into graphs, and their launch.
#include "runtime.h"

namespace sim {

// GraphRun is one launch of a graph: what has been executed, and what may be next. Nodes that no dependency orders are
// executed in an order drawn from the seed.
class GraphRun {
 public:
  explicit GraphRun(const CUgraphExec_st& exec)
      : nodes_(exec.nodes), done_(exec.nodes.size()), left_(exec.nodes.size()) {}

  bool step(CUresult* result) {
    Random& random = Runtime::get().random;
    for (bool progress = true; progress && left_ > 0;) {
      progress = false;
      const size_t first = random.next() % nodes_.size();
      for (size_t i = 0; i < nodes_.size(); i++) {
        const size_t node = (first + i) % nodes_.size();
        if (done_[node] || !may_run(node) || !nodes_[node]->step(result)) {
          continue;
        }
        if (*result != CUDA_SUCCESS) {
          return true;
        }
        done_[node] = progress = true;
        left_--;
        break;
      }
    }
    return left_ == 0;
  }

 private:
  bool may_run(size_t node) const {
    for (int before : nodes_[node]->after) {
      if (!done_[before]) {
        return false;
      }
    }
    return true;
  }

  const std::vector<std::shared_ptr<CUgraphNode_st>> nodes_;
  std::vector<bool> done_;
  size_t left_;
};

// leave ends a capture for all its streams.
static void leave(Capture* capture) {
  for (CUstream s : capture->streams) {
    s->capture = nullptr;
    s->frontier.clear();
  }
  capture->streams.clear();
}

// Marks a node and all that it comes after.
static void mark(const CUgraph_st& graph, int node, std::vector<bool>* marked) {
  if ((*marked)[node]) {
    return;
  }
  (*marked)[node] = true;
  for (int before : graph.nodes[node]->after) {
    mark(graph, before, marked);
  }
}

static bool joined(const Capture& capture) {
  std::vector<bool> marked(capture.graph->nodes.size());
  for (int node : capture.origin->frontier) {
    mark(*capture.graph, node, &marked);
  }
  for (CUstream s : capture.streams) {
    for (int node : s->frontier) {
      if (!marked[node]) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace sim

using namespace sim;

CUresult cuStreamBeginCapture(CUstream s, CUstreamCaptureMode mode) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  if (mode != CU_STREAM_CAPTURE_MODE_RELAXED) {
    return complain(CUDA_ERROR_NOT_SUPPORTED, "cuStreamBeginCapture: only the relaxed mode is simulated");
  }
  CUstream stream = call.stream(s);
  if (stream == call.context->legacy || stream->capture != nullptr) {
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  Capture* capture = new Capture;  // stays, as events may refer to it
  capture->origin = stream;
  capture->streams.insert(stream);
  stream->capture = capture;
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream s, CUgraph* graph) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  *graph = nullptr;
  Capture* capture = call.stream(s)->capture;
  if (capture == nullptr || capture->origin != s) {
    return capture == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  }
  const bool complete = joined(*capture);
  leave(capture);
  if (capture->invalid) {
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  }
  if (!complete) {
    return complain(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "cuStreamEndCapture: a stream was not joined to the first");
  }
  *graph = capture->graph.release();
  return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream s, CUstreamCaptureStatus* status) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  const Capture* c = call.stream(s)->capture;
  *status = c == nullptr   ? CU_STREAM_CAPTURE_STATUS_NONE
            : c->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                         : CU_STREAM_CAPTURE_STATUS_ACTIVE;
  return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  Call call;
  if (nodes != nullptr) {
    for (size_t i = 0; i < *count; i++) {
      nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
    }
  }
  *count = graph->nodes.size();
  return CUDA_SUCCESS;
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType* type) {
  *type = node->type;
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiate(CUgraphExec* exec, CUgraph graph, unsigned long long) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  *exec = new CUgraphExec_st{call.context, graph->nodes};
  return CUDA_SUCCESS;
}

CUresult cuGraphUpload(CUgraphExec, CUstream) {
  Call call;
  return call.error();
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream s) {
  Call call;
  if (const CUresult error = call.error()) {
    return error;
  }
  auto run = std::make_shared<GraphRun>(*exec);
  return issue(call, call.stream(s), CU_GRAPH_NODE_TYPE_GRAPH, [run](CUresult* result) { return run->step(result); });
}

CUresult cuGraphDestroy(CUgraph graph) {
  Call call;
  delete graph;
  return CUDA_SUCCESS;
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
  Call call;
  delete exec;
  return CUDA_SUCCESS;
}
