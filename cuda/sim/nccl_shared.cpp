#include "nccl_shared.h"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "extension.h"

namespace nccl {

// The file's head; the slots follow. A new file is all zeros.
struct Meeting::Shared {
  std::atomic<uint32_t> generation;  // counts changes; a futex
  std::atomic<uint32_t> size, attached, aborted;
  struct alignas(64) Rank {
    std::atomic<uint32_t> taken, here;
    std::atomic<pid_t> process;
    std::atomic<int> device;
    std::atomic<uint64_t> posted, read;  // rounds
    Call call;                           // of the round posted
  } ranks[max_ranks];
};

namespace {

constexpr size_t head_bytes = 16 << 10;
constexpr timespec patience = {0, 100'000'000};

// Waits, at most as long as patience says, until the word is no longer value.
void wait_while(std::atomic<uint32_t>* word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT, value, &patience, nullptr, 0);
}

// Tells whether a process has ended, also when its parent does not know yet.
bool ended(pid_t process) {
  pollfd file = {static_cast<int>(syscall(SYS_pidfd_open, process, 0)), POLLIN, 0};
  if (file.fd < 0) return errno == ESRCH;
  bool end = poll(&file, 1, 0) > 0;
  close(file.fd);
  return end;
}

void* map(const std::string& name, size_t bytes) {
  int file = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0) return MAP_FAILED;
  void* p = MAP_FAILED;
  if (ftruncate(file, bytes) == 0) p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return p;
}

}  // namespace

Met Meeting::meet(const std::string& name, int rank, int size, int device) {
  static_assert(sizeof(Shared) <= head_bytes);
  bytes_ = head_bytes + size * slot_bytes;
  void* p = map(name, bytes_);
  if (p == MAP_FAILED) return Met::failed;
  shared_ = static_cast<Shared*>(p);
  rank_ = rank;
  size_ = size;
  uint32_t unset = 0;
  if (!shared_->size.compare_exchange_strong(unset, size) && unset != uint32_t(size)) return Met::wrong_size;
  Shared::Rank& mine = shared_->ranks[rank];
  if (mine.taken.exchange(1)) return Met::taken;
  mine.process = getpid();
  mine.device = device;
  mine.here = 1;
  if (shared_->attached.fetch_add(1) + 1 == uint32_t(size)) shm_unlink(name.c_str());
  changed();
  for (;;) {
    uint32_t generation = shared_->generation;
    if (aborted()) return Met::aborted;
    if (shared_->attached == uint32_t(size)) break;
    wait_while(&shared_->generation, generation);
    look_for_dead();
  }
  for (int r = 0; r < size; r++) {
    const Shared::Rank& other = shared_->ranks[r];
    if (r != rank && other.device == device) return Met::same_device;
  }
  watcher_ = std::thread(&Meeting::watch, this, shared_->generation.load());
  return Met::yes;
}

void Meeting::leave() {
  leaving_ = true;
  shared_->ranks[rank_].here = 0;
  if (!watcher_.joinable()) return;
  changed();
  watcher_.join();
}

Meeting::~Meeting() {
  if (shared_) munmap(shared_, bytes_);
}

// Tells the simulator of this process what other ranks have done since the generation `seen`.
void Meeting::watch(uint32_t seen) {
  while (!leaving_) {
    wait_while(&shared_->generation, seen);
    uint32_t now = shared_->generation;
    if (now != seen) {
      cudasimNotify();
    } else {
      look_for_dead();
    }
    seen = now;
  }
}

void Meeting::look_for_dead() {
  if (aborted()) return;
  for (int r = 0; r < size_; r++) {
    const Shared::Rank& other = shared_->ranks[r];
    if (other.here && ended(other.process)) return abort();
  }
}

void Meeting::changed() {
  shared_->generation.fetch_add(1);
  syscall(SYS_futex, &shared_->generation, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void Meeting::abort() {
  shared_->aborted = 1;
  changed();
}

bool Meeting::aborted() const { return shared_->aborted != 0; }

bool Meeting::may_write() const {
  for (int r = 0; r < size_; r++) {
    if (shared_->ranks[r].read < round_) return false;
  }
  return true;
}

char* Meeting::slot(int rank) const { return reinterpret_cast<char*>(shared_) + head_bytes + rank * slot_bytes; }

void Meeting::post(const Call& call) {
  shared_->ranks[rank_].call = call;
  shared_->ranks[rank_].posted = round_ + 1;
  changed();
}

bool Meeting::all_posted() const {
  for (int r = 0; r < size_; r++) {
    if (shared_->ranks[r].posted <= round_) return false;
  }
  return true;
}

const Call& Meeting::call_of(int rank) const { return shared_->ranks[rank].call; }

void Meeting::done_reading() {
  shared_->ranks[rank_].read = ++round_;
  changed();
}

}  // namespace nccl
