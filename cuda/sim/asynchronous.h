// asynchronous.h: what the threads of a block start and do not do themselves: products of warpgroups (wgmma), copies by
// the tensor memory accelerator, and the barriers that they complete (mbarrier).
//
// A copy is done when it is issued, in half of the blocks by seed, or as late as its barrier allows: when no thread can
// run. The operands of a product are read when its last warp has issued it, in half of the blocks, or when nothing but a
// wait for it is left. Its accumulators are NaN until a thread has waited.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

namespace sim {

struct Site {
  const char* file;
  int line;
};

// The address of the 32-bit window that PTX gives shared memory: dynamic memory starts at a multiple of 128 there.
unsigned shared_address(const void* shared);

void barrier_init(void* b, int arrivals, Site site);
void barrier_init_fence();
void barrier_arrive(void* b, int expected_bytes, Site site);
void barrier_wait(void* b, int parity, Site site);

// named_barrier holds threads until so many have come to that of this number.
void named_barrier(int number, int threads, Site site);

void proxy_fence();
void operand_stored(const void* shared, size_t bytes, Site site);

void map_acquire(const void* map);
void copy_box(void* shared, const void* map, void* b, const int at[4], Site site);
void copy_bytes(void* shared, const void* global, int bytes, void* b, Site site);

// Wgmma is m64nNk16. Without registers, a is A's descriptor.
struct Wgmma {
  int n;
  bool mn_major, accumulate;
  uint64_t a, b;
};
void wgmma_fence();
void wgmma(const Wgmma& w, float* d, const unsigned* registers, Site site);
void wgmma_commit();
void wgmma_wait(int newest, Site site);

// TiledMap is what cuTensorMapEncodeTiled writes here. Dimension 0 is the innermost; strides are of the others.
struct TiledMap {
  static constexpr uint64_t right = 0x70616d726f736e74;
  uint64_t magic, address;
  uint64_t stride[4];
  uint32_t dimension[5], box[5], rank, element_bytes, swizzled;
};
static_assert(sizeof(TiledMap) <= 128);

class Scheduler;

// Asynchronous is all of that for one block.
class Asynchronous {
 public:
  // Starts a block. Copies and products are done as late as can be, or not. window is the address of its memory.
  void begin(void* dynamic, size_t bytes, bool late_copies, bool late_products, unsigned window);
  // Fails where the block leaves something undone: its last thread calls it.
  void end();

  // Does one of the copies under way, by chance; false: there is none.
  bool proceed(uint64_t random);

  unsigned address(const void* shared) const { return static_cast<unsigned>(static_cast<const char*>(shared) - first_) + window_; }
  void barrier_init(void* b, int arrivals, Site site);
  void barrier_init_fence();
  void barrier_arrive(void* b, int expected_bytes, Site site);
  bool barrier_complete(void* b, int parity) const;
  void barrier_check(void* b, Site site) const;
  void describe_barrier(void* b, char* text, size_t bytes) const;

  // Arrives, and returns the round whose end the thread waits for.
  int named_arrive(int number, int threads, Site site);
  bool named_complete(int number, int round) const { return named_[number].round > round; }

  void proxy_fence(unsigned thread);
  void stored(const void* shared, size_t bytes, unsigned thread, Site site);

  void map_acquire(const void* map) { acquired_.insert(map); }
  void copy_box(void* shared, const void* map, void* b, const int at[4], Site site);
  void copy_bytes(void* shared, const void* global, int bytes, void* b, Site site);

  void wgmma_fence(unsigned thread);
  void wgmma(const Wgmma& w, float* d, const unsigned* registers, unsigned thread, Site site);
  void wgmma_commit(unsigned thread);
  // Says whether all warps have issued the groups of this thread but the newest ones.
  bool wgmma_issued(unsigned thread, int newest) const;
  bool late_products() const { return late_products_; }
  void wgmma_retire(unsigned thread, int newest, Site site);

 private:
  struct Phases {
    int expected, pending;
    long long bytes;
    int phase;
    bool fenced;
    Site site;
  };
  struct Copy {
    char* shared;
    void* barrier;
    std::vector<char> data;  // what a copy brings is read when it is issued
    bool box;                // its rows are swizzled
    Site site;
  };
  // Chunk is what is known of 16 bytes of dynamic shared memory.
  enum class State : uint8_t { unknown, landing, landed, stored, fenced };
  struct Chunk {
    State state = State::unknown;
    uint16_t thread = 0;  // that has stored
    Site site = {};
  };
  struct Product {
    Wgmma w;
    Site site;
    int issued = 0, retired = 0;
    bool done = false, has_registers = false;
    struct Lane {
      float* d = nullptr;
      const unsigned* registers = nullptr;
      unsigned a[4];
      bool first;          // of those under way on these accumulators
      unsigned group;
    } lane[128];
    std::vector<float> d;  // (128, n/2)
  };
  struct Warpgroup {
    std::deque<Product> products;
    size_t done_before = 0;  // products that have left the list
    struct Thread {
      size_t issued = 0, retired = 0;
      unsigned group = 0;
      bool fenced = false;
    } thread[128];
  };

  Phases& phases(void* b, Site site);
  void advance(Phases& p);
  void start(Copy copy);
  void finish(const Copy& copy);
  void mark(const void* shared, size_t bytes, State state, Site site);
  const char* operand(unsigned address, Site site);
  void gather(float* to, uint64_t descriptor, bool mn_major, int rows, Site site);
  void multiply(Warpgroup& g, size_t index);
  Chunk& chunk(const void* shared);

  char* first_ = nullptr;
  size_t bytes_ = 0;
  unsigned window_ = 0;
  bool late_copies_ = false, late_products_ = false, used_ = false;
  std::map<void*, Phases> barriers_;
  std::vector<Copy> copies_;
  std::vector<Chunk> chunks_;
  std::vector<std::vector<unsigned>> stored_;  // chunks by thread, since its last fence
  std::set<const void*> acquired_;
  Warpgroup groups_[8];
  struct {
    int threads = 0, arrived = 0, round = 0;
    Site site = {};
  } named_[16];
};

}  // namespace sim
