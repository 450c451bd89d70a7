// The meeting place of the ranks of a simulated NCCL communicator: a file of shared memory that its unique id names, so
// that ranks may be threads of one process or processes of one machine.
//
// Data moves in rounds. In a round each rank copies its part into its slot and posts it, waits until all have posted,
// reads the slots and says so. Nothing here blocks but meet: an operation that has to wait is tried again when the
// simulator is told that something changed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

namespace nccl {

constexpr int max_ranks = 64;
constexpr size_t slot_bytes = 256 << 10;

// What a rank wants done in a round; it has to be the same on all ranks.
struct Call {
  int32_t kind, type, op, root;
  uint64_t count;

  bool operator==(const Call& o) const {
    return kind == o.kind && type == o.type && op == o.op && root == o.root && count == o.count;
  }
};

enum class Met { yes, wrong_size, taken, same_device, aborted, failed };

class Meeting {
 public:
  // Joins the ranks at the name as `rank` of `size`, on the machine's device of that number, and waits for the others.
  Met meet(const std::string& name, int rank, int size, int device);

  // Ends the notifications. Not to be called under the simulator's lock.
  void leave();

  ~Meeting();

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Tells all ranks that no more can be had of one; operations that wait end without a result. A process that ends
  // before its ranks have left does so, too.
  void abort();
  bool aborted() const;

  // One round, in this order. A false answer is to be asked again later.
  bool may_write() const;  // all have read the round before
  char* slot(int rank) const;
  void post(const Call& call);
  bool all_posted() const;
  const Call& call_of(int rank) const;
  void done_reading();

 private:
  struct Shared;

  void changed();
  void look_for_dead();
  void watch(uint32_t seen);

  Shared* shared_ = nullptr;
  size_t bytes_ = 0;
  int rank_ = 0, size_ = 0;
  uint64_t round_ = 0;
  std::atomic<bool> leaving_{false};
  std::thread watcher_;
};

}  // namespace nccl
