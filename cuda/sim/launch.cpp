// launch.cpp: the blocks of a launch, spread over OS threads in an order drawn from the seed.
#include <link.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include "accesses.h"
#include "order.h"
#include "scheduler.h"
#include "settings.h"

namespace sim {

namespace {

// Workers are threads that all run the same function, the caller among them. job gets the number of its thread.
class Workers {
 public:
  explicit Workers(int threads) : threads_(threads) {
    for (int i = 1; i < threads; i++) {
      std::thread([this, i] { serve(i); }).detach();
    }
  }
  void run(const std::function<void(int)>& job) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      running_ = threads_ - 1;
      round_++;
    }
    start_.notify_all();
    job(0);
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [this] { return running_ == 0; });
  }
  int threads() const { return threads_; }

 private:
  void serve(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (unsigned seen = 0;;) {
      start_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      const std::function<void(int)>* job = job_;
      lock.unlock();
      (*job)(number);
      lock.lock();
      if (--running_ == 0) {
        finished_.notify_one();
      }
    }
  }

  const int threads_;
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  const std::function<void(int)>* job_ = nullptr;
  unsigned round_ = 0;
  int running_ = 0;
};

// SharedMemory is the shared memory of the block that an OS thread runs: the dynamic part, of the launch's exact size
// so that the address sanitizer sees its end, and the static variables, which are the library's thread-local storage.
class SharedMemory {
 public:
  explicit SharedMemory(size_t dynamic) : bytes_(dynamic) {
    if (posix_memalign(&dynamic_, 128, bytes_) != 0) {
      abort();
    }
    dl_iterate_phdr(find_storage, this);
    state.shared = dynamic_;
  }
  ~SharedMemory() { free(dynamic_); }

  // Makes it that of a new block, and poisons it.
  void begin_block(unsigned block) {
    accesses_begin_block(block, dynamic_, bytes_, first_, last_);
    memset(dynamic_, 0xff, bytes_);
    char* own = reinterpret_cast<char*>(&state);
    memset(first_, 0xff, own - first_);
    memset(own + sizeof state, 0xff, last_ - (own + sizeof state));
  }

 private:
  static int find_storage(dl_phdr_info* info, size_t, void* self) {
    SharedMemory* s = static_cast<SharedMemory*>(self);
    char* own = reinterpret_cast<char*>(&state);
    for (int i = 0; i < info->dlpi_phnum; i++) {
      char* first = static_cast<char*>(info->dlpi_tls_data);
      if (info->dlpi_phdr[i].p_type != PT_TLS || first == nullptr) {
        continue;
      }
      char* last = first + info->dlpi_phdr[i].p_memsz;
      if (first <= own && own < last) {
        s->first_ = first;
        s->last_ = last;
        return 1;
      }
    }
    return 0;
  }

  const size_t bytes_;
  void* dynamic_ = nullptr;
  char *first_ = nullptr, *last_ = nullptr;
};

}  // namespace

int acquire(const int* flag) {
  accesses_acquire(flag, __builtin_return_address(0));
  return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}
void release(int* flag, int value) {
  accesses_release(flag, __builtin_return_address(0));
  __atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

static void write_counts(const Launch& launch, uint64_t products) {
  const Traffic traffic = accesses_traffic();
  FILE* file = fopen(settings().counts, "a");
  if (file == nullptr) {
    abort();
  }
  fprintf(file, "%s %llu %llu %llu", launch.kernel->name, static_cast<unsigned long long>(products),
          static_cast<unsigned long long>(traffic.read), static_cast<unsigned long long>(traffic.written));
  for (const auto& [bytes, own] : accesses_by_allocation()) {
    fprintf(file, " %zu:%llu:%llu", bytes, static_cast<unsigned long long>(own.read),
            static_cast<unsigned long long>(own.written));
  }
  fputc('\n', file);
  fclose(file);
}

int run(Launch launch) {
  static Workers* workers = new Workers(settings().threads);
  static Scheduler* schedulers = new Scheduler[settings().threads];
  const uint64_t blocks = static_cast<uint64_t>(launch.grid.x) * launch.grid.y * launch.grid.z;
  Random random(launch.seed);
  const uint64_t first = random.next() % blocks;
  uint64_t stride = random.next() % blocks + 1;
  while (std::gcd(stride, blocks) != 1) {
    stride++;
  }
  accesses_begin_launch();
  std::atomic<uint64_t> next{0};
  std::atomic<int> fault{0};
  launch.fault = &fault;
  launch.one_block = blocks == 1 || workers->threads() == 1;
  std::atomic<uint64_t> products{0};
  const auto work = [&](int number) {
    Scheduler& scheduler = schedulers[number];
    scheduler.enter(number);
    scheduler.products = 0;
    SharedMemory shared(launch.shared);
    for (uint64_t i; fault == 0 && (i = next++) < blocks;) {
      const uint64_t index = (first + static_cast<unsigned __int128>(i) * stride) % blocks;
      shared.begin_block(index);
      if (const int f = scheduler.run_block(launch, index); f != 0) {
        fault = f;
      }
    }
    products += scheduler.products;
    scheduler.leave(number);
  };
  if (launch.one_block) {
    work(0);
  } else {
    workers->run(work);
  }
  if (settings().counts != nullptr) {
    write_counts(launch, products);
  }
  return fault;
}

}  // namespace sim
