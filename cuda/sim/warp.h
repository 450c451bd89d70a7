// warp.h: shuffles, votes and reductions of a warp. Included by device.h.
// A lane waits until every lane of the mask has come; see warp_collective for what is an error.
#pragma once

namespace sim {

struct Shuffle {
  unsigned char value[16];
  int source;  // lane to read from
};
void combine_shuffle(void* const records[32], unsigned mask);

struct Vote {
  unsigned value;
  unsigned result;
};
void combine_ballot(void* const records[32], unsigned mask);
void combine_add(void* const records[32], unsigned mask);
void combine_min(void* const records[32], unsigned mask);
void combine_max(void* const records[32], unsigned mask);
void combine_match(void* const records[32], unsigned mask);
void combine_nothing(void* const records[32], unsigned mask);

template <class T>
inline T shuffle(unsigned mask, T value, int source, const char* file, int line) {
  static_assert(sizeof(T) <= sizeof(Shuffle::value) && std::is_trivially_copyable_v<T>);
  Shuffle record;
  memset(record.value, 0, sizeof record.value);
  memcpy(record.value, &value, sizeof value);
  record.source = source;
  warp_collective(mask, &record, combine_shuffle, false, file, line);
  memcpy(&value, record.value, sizeof value);
  return value;
}
inline unsigned vote(unsigned mask, unsigned value, Combine combine, const char* file, int line) {
  Vote record = {value, 0};
  warp_collective(mask, &record, combine, false, file, line);
  return record.result;
}

}  // namespace sim

#define SIM_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncwarp(unsigned mask = 0xffffffffu, SIM_SITE) {
  sim::warp_collective(mask, nullptr, sim::combine_nothing, false, file, line);
}

// width splits the warp in segments: a lane reads within its own, and keeps its value where the source lies outside.
template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, SIM_SITE) {
  const int first = sim::state.lane & ~(width - 1);
  return sim::shuffle(mask, value, first + (source & (width - 1)), file, line);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, SIM_SITE) {
  const int lane = sim::state.lane, source = lane ^ bits, first = lane & ~(width - 1);
  return sim::shuffle(mask, value, source >= first + width ? lane : source, file, line);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SIM_SITE) {
  const int lane = sim::state.lane, source = lane + delta, first = lane & ~(width - 1);
  return sim::shuffle(mask, value, source >= first + width ? lane : source, file, line);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SIM_SITE) {
  const int lane = sim::state.lane, source = lane - static_cast<int>(delta), first = lane & ~(width - 1);
  return sim::shuffle(mask, value, source < first ? lane : source, file, line);
}

inline unsigned __activemask() { return sim::active_lanes(); }
inline unsigned __ballot_sync(unsigned mask, int p, SIM_SITE) {
  return sim::vote(mask, p != 0, sim::combine_ballot, file, line);
}
inline int __any_sync(unsigned mask, int p, SIM_SITE) {
  return sim::vote(mask, p != 0, sim::combine_ballot, file, line) != 0;
}
inline int __all_sync(unsigned mask, int p, SIM_SITE) {
  return sim::vote(mask, p != 0, sim::combine_ballot, file, line) == mask;
}
inline unsigned __match_any_sync(unsigned mask, unsigned value, SIM_SITE) {
  return sim::vote(mask, value, sim::combine_match, file, line);
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value, SIM_SITE) {
  return sim::vote(mask, value, sim::combine_add, file, line);
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, SIM_SITE) {
  return sim::vote(mask, value, sim::combine_min, file, line);
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, SIM_SITE) {
  return sim::vote(mask, value, sim::combine_max, file, line);
}
