//go:build gloo && cgo

// Gloo behind C functions. Exceptions end here; their text goes to Go.

#include "engine.h"

#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/reduce.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>

#include <errno.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
int gotrainGlooSet(uintptr_t store, char* key, char* value, size_t n);
char* gotrainGlooGet(uintptr_t store, char* key, size_t* n);
}

namespace {

// GoStore is the dist.Store of the Go side.
class GoStore : public gloo::rendezvous::Store {
 public:
  explicit GoStore(uintptr_t handle) : handle_(handle) {}

  void set(const std::string& key, const std::vector<char>& data) override {
    if (gotrainGlooSet(handle_, const_cast<char*>(key.c_str()), const_cast<char*>(data.data()), data.size()) != 0) {
      throw std::runtime_error("the store of the ranks does not take an address");
    }
  }

  std::vector<char> get(const std::string& key) override {
    size_t n = 0;
    char* value = gotrainGlooGet(handle_, const_cast<char*>(key.c_str()), &n);
    if (value == nullptr) {
      throw std::runtime_error("a rank did not tell its address");
    }
    std::vector<char> data(value, value + n);
    std::free(value);
    return data;
  }

  void wait(const std::vector<std::string>& keys) override {
    for (const auto& key : keys) {
      get(key);
    }
  }

  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override { wait(keys); }

 private:
  uintptr_t handle_;
};

using Group = std::shared_ptr<gloo::rendezvous::Context>;

void fail(gloo_status* status, int code, const char* text) {
  status->code = code;
  std::strncpy(status->text, text, GLOO_TEXT - 1);
  status->text[GLOO_TEXT - 1] = 0;
}

// Quiet keeps SIGPIPE from this thread: Gloo writes to the sockets of peers that
// may be gone, and the Go runtime ends a process whose C code has that signal.
// Threads that start meanwhile, as Gloo's own does, never have it.
class Quiet {
 public:
  Quiet() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }

  ~Quiet() {
    const timespec now = {0, 0};
    errno = 0;
    while (sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE || errno == EINTR) {
      errno = 0;
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_;
  sigset_t before_;
};

template <typename F>
void guarded(gloo_status* status, F f) {
  Quiet quiet;
  status->code = 0;
  try {
    f();
  } catch (const gloo::IoException& e) {
    fail(status, 2, e.what());
  } catch (const std::exception& e) {
    fail(status, 1, e.what());
  }
}

void sum(void* out, const void* a, const void* b, size_t n) { gloo::sum<float>(out, a, b, n); }

}  // namespace

void* gloo_open(uintptr_t store, const char* host, int rank, int size, int64_t connecting_ms, int64_t timeout_ms,
                gloo_status* status) {
  Group* group = nullptr;
  guarded(status, [&] {
    gloo::transport::tcp::attr attributes;
    attributes.hostname = host;
    auto device = gloo::transport::tcp::CreateDevice(attributes);
    auto context = std::make_shared<gloo::rendezvous::Context>(rank, size);
    context->setTimeout(std::chrono::milliseconds(connecting_ms));
    GoStore table(store);
    context->connectFullMesh(table, device);
    context->setTimeout(std::chrono::milliseconds(timeout_ms));
    group = new Group(context);
  });
  return group;
}

void gloo_all_reduce(void* group, float* x, size_t n, gloo_status* status) {
  guarded(status, [&] {
    gloo::AllreduceOptions options(*static_cast<Group*>(group));
    options.setOutput(x, n);
    options.setReduceFunction(sum);
    gloo::allreduce(options);
  });
}

void gloo_reduce(void* group, float* x, size_t n, int root, gloo_status* status) {
  guarded(status, [&] {
    gloo::ReduceOptions options(*static_cast<Group*>(group));
    options.setInput(x, n);
    options.setOutput(x, n);
    options.setRoot(root);
    options.setReduceFunction(sum);
    gloo::reduce(options);
  });
}

void gloo_broadcast(void* group, char* x, size_t n, int root, gloo_status* status) {
  guarded(status, [&] {
    gloo::BroadcastOptions options(*static_cast<Group*>(group));
    options.setOutput(x, n);
    options.setRoot(root);
    gloo::broadcast(options);
  });
}

void gloo_all_gather(void* group, char* dst, char* src, size_t n, gloo_status* status) {
  guarded(status, [&] {
    Group& context = *static_cast<Group*>(group);
    gloo::AllgatherOptions options(context);
    options.setInput(src, n);
    options.setOutput(dst, n * context->size);
    gloo::allgather(options);
  });
}

void gloo_barrier(void* group, gloo_status* status) {
  guarded(status, [&] {
    gloo::BarrierOptions options(*static_cast<Group*>(group));
    gloo::barrier(options);
  });
}

void gloo_abort(void* group) {
  gloo_status status;
  guarded(&status, [&] { (*static_cast<Group*>(group))->closeConnections(); });
}

void gloo_close(void* group) {
  gloo_abort(group);
  delete static_cast<Group*>(group);
}
