// collectives.cpp: what the lanes of a warp do together, run once by the lane that comes last; and cp.async.
#include "accesses.h"
#include "scheduler.h"
#include "tensor.h"

namespace sim {

void combine_nothing(void* const*, unsigned) {}

// A lane that is not in the mask has no value to give: the device leaves the result undefined, here it is 0xff….
void combine_shuffle(void* const records[32], unsigned mask) {
  unsigned char values[32][sizeof(Shuffle::value)];
  memset(values, 0xff, sizeof values);
  for (unsigned m = mask; m != 0; m &= m - 1) {
    const int lane = __builtin_ctz(m);
    memcpy(values[lane], static_cast<Shuffle*>(records[lane])->value, sizeof values[lane]);
  }
  for (unsigned m = mask; m != 0; m &= m - 1) {
    Shuffle* s = static_cast<Shuffle*>(records[__builtin_ctz(m)]);
    memcpy(s->value, values[s->source & 31], sizeof s->value);
  }
}

template <class F>
static void reduce(void* const records[32], unsigned mask, unsigned result, F combine) {
  for (unsigned m = mask; m != 0; m &= m - 1) {
    const int lane = __builtin_ctz(m);
    result = combine(result, static_cast<Vote*>(records[lane])->value, lane);
  }
  for (unsigned m = mask; m != 0; m &= m - 1) {
    static_cast<Vote*>(records[__builtin_ctz(m)])->result = result;
  }
}
void combine_ballot(void* const records[32], unsigned mask) {
  reduce(records, mask, 0, [](unsigned r, unsigned v, int lane) { return r | v << lane; });
}
void combine_add(void* const records[32], unsigned mask) {
  reduce(records, mask, 0, [](unsigned r, unsigned v, int) { return r + v; });
}
void combine_min(void* const records[32], unsigned mask) {
  reduce(records, mask, ~0u, [](unsigned r, unsigned v, int) { return v < r ? v : r; });
}
void combine_max(void* const records[32], unsigned mask) {
  reduce(records, mask, 0, [](unsigned r, unsigned v, int) { return v > r ? v : r; });
}
void combine_match(void* const records[32], unsigned mask) {
  for (unsigned m = mask; m != 0; m &= m - 1) {
    Vote* mine = static_cast<Vote*>(records[__builtin_ctz(m)]);
    for (unsigned o = mask; o != 0; o &= o - 1) {
      const int other = __builtin_ctz(o);
      mine->result |= (static_cast<Vote*>(records[other])->value == mine->value) << other;
    }
  }
}

static void unpack(unsigned pair, float* low, float* high) {
  *low = __uint_as_float(pair << 16);
  *high = __uint_as_float(pair & 0xffff0000u);
}

// A row of B or D.
typedef float Row __attribute__((vector_size(32)));

void combine_mma_m16n8k16(void* const records[32], unsigned) {
  state.scheduler->products++;
  float a[16][16];
  Row b[16], d[16];
  for (int lane = 0; lane < 32; lane++) {
    const Mma* m = static_cast<const Mma*>(records[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; i++) {
      float* pair = &a[g + 8 * (i & 1)][2 * t + 8 * (i >> 1)];
      unpack(m->a[i], pair, pair + 1);
      d[g + 8 * (i >> 1)][2 * t + (i & 1)] = m->d[i];
    }
    for (int i = 0; i < 2; i++) {
      float low, high;
      unpack(m->b[i], &low, &high);
      b[2 * t + 8 * i][g] = low;
      b[2 * t + 8 * i + 1][g] = high;
    }
  }
  for (int row = 0; row < 16; row++) {
    for (int k = 0; k < 16; k++) {
      d[row] += a[row][k] * b[k];
    }
  }
  for (int lane = 0; lane < 32; lane++) {
    const Mma* m = static_cast<const Mma*>(records[lane]);
    for (int i = 0; i < 4; i++) {
      m->d[i] = d[lane / 4 + 8 * (i >> 1)][2 * (lane % 4) + (i & 1)];
    }
  }
}

template <int MATRICES, bool TRANS>
void combine_ldmatrix(void* const records[32], unsigned) {
  uint16_t rows[MATRICES * 8][8];
  for (int i = 0; i < MATRICES * 8; i++) {
    const void* row = static_cast<const Ldmatrix*>(records[i])->row;
    check_aligned(row, 16, "ldmatrix");
    memcpy(rows[i], row, 16);
  }
  for (int lane = 0; lane < 32; lane++) {
    const int row = lane / 4, column = lane % 4 * 2;
    for (int i = 0; i < MATRICES; i++) {
      const uint16_t low = TRANS ? rows[i * 8 + column][row] : rows[i * 8 + row][column];
      const uint16_t high = TRANS ? rows[i * 8 + column + 1][row] : rows[i * 8 + row][column + 1];
      static_cast<const Ldmatrix*>(records[lane])->r[i] = low | static_cast<unsigned>(high) << 16;
    }
  }
}
template void combine_ldmatrix<2, false>(void* const*, unsigned);
template void combine_ldmatrix<2, true>(void* const*, unsigned);
template void combine_ldmatrix<4, false>(void* const*, unsigned);
template void combine_ldmatrix<4, true>(void* const*, unsigned);

static void copy(const AsyncCopy& c) {
  accesses_copy_done(c.shared);
  if (c.valid) {
    memcpy(c.shared, c.global, 16);
  } else {
    memset(c.shared, 0, 16);
  }
}

void cp_async(void* shared, const void* global, bool valid) {
  check_aligned(shared, 16, "cp_async16, shared");
  check_aligned(global, 16, "cp_async16, global");
  Scheduler& s = *state.scheduler;
  const AsyncCopy c = {shared, global, valid, s.copy_group()};
  if (s.copies_at_once()) {
    copy(c);
  } else {
    s.copies().push_back(c);
  }
}

void cp_async_commit_group() { state.scheduler->copy_group()++; }

void cp_async_wait_group(int newest) {
  Scheduler& s = *state.scheduler;
  std::vector<AsyncCopy>& copies = s.copies();
  size_t done = 0;
  while (done < copies.size() && copies[done].group + newest < s.copy_group()) {
    copy(copies[done++]);
  }
  copies.erase(copies.begin(), copies.begin() + done);
}

}  // namespace sim
