// order.cu: blocks that go one behind the other by a flag, and ways to get it wrong.
#include "order.cuh"

enum class Fault { none, unwaited, early, by_number };

// total[0] = 2·total[0] + x[i] for each block i, in the order of tickets; flags are a counter of tickets and the turn.
template <Fault F>
__device__ void chain(const float* x, float* total, int* flags) {
  if (threadIdx.x != 0) {
    return;
  }
  const int turn = F == Fault::by_number ? blockIdx.x : take_ticket(flags);
  while (F != Fault::unwaited && load_acquire(flags + 1) != turn) {
    pause();
  }
  if (F == Fault::early) {
    store_release(flags + 1, turn + 1);
  }
  *total = 2 * *total + x[turn];
  if (F != Fault::early) {
    store_release(flags + 1, turn + 1);
  }
}
KERNEL(chain_correct, 32)(const float* x, float* total, int* flags) { chain<Fault::none>(x, total, flags); }
EXPORT(chain_correct)
KERNEL(chain_unwaited, 32)(const float* x, float* total, int* flags) { chain<Fault::unwaited>(x, total, flags); }
EXPORT(chain_unwaited)
KERNEL(chain_early, 32)(const float* x, float* total, int* flags) { chain<Fault::early>(x, total, flags); }
EXPORT(chain_early)
KERNEL(chain_by_number, 32)(const float* x, float* total, int* flags) { chain<Fault::by_number>(x, total, flags); }
EXPORT(chain_by_number)
