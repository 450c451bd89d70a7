// classifier.cuh: what rows of logits z (N, V) with a target say, and the gradient of that, for crossentropy.cu and
// logprob.cu; logits and dlogits are T, the rest float32.
//
// A group of threads (row.cuh) takes a row: asynchronous copies bring it into shared memory, half of it while the other
// half is worked on; one sweep finds the maximum and the sum of exponentials under it (Milakov and Gimelshein 2018), a
// second one makes the gradient, in place if dlogits is logits. A thread reads only what it has copied itself. Shared
// memory holds 98 KB of a row, so that on an H100 two rows of 50,304 bf16 overlap; registers would hold one. What a
// wider row has beyond held columns is read twice.
// Rows with t < 0 score nothing and have gradient 0. Rows are stride elements apart; where stride is padded to whole
// spans, every V takes the 16-byte path.
// Bound: memory, V·sizeof(T) bytes read and, with a gradient, as many written a row.
//
// A Score is what is made of a row:
//
//   logit(z)                         of the stored one
//   kWeighted                        the sums have that of exp(z - top)·z
//   finish(row, hit, sums, classes)  writes the results of a row from its sums, and returns its slope
//   skip(row)                        writes those of a row without a target
//
// and slope(z, hit) is the gradient by a stored logit, where hit tells that it is the target's.
#pragma once
#include <cfloat>

#include "mma.cuh"
#include "row.cuh"

// Top is the maximum of the logits that a thread, or a row, has seen, with sums under it.
template <class Score>
struct Top {
  float top = -FLT_MAX;
  float sum = 0;       // of exp(z - top)
  float total = 0;     // of z
  float weighted = 0;  // of exp(z - top)·z

  // add takes a span; columns behind the last class do not count.
  template <class T, bool VECTOR>
  __device__ __forceinline__ void add(const Span<T, VECTOR>& span, float (&v)[Pack<T>::size], int classes,
                                      const Score& score) {
    float higher = top;
#pragma unroll
    for (int j = 0; j < Pack<T>::size; j++) {
      const bool counts = span.column(j) < classes;
      v[j] = score.logit(v[j]);
      total += counts ? v[j] : 0.f;
      v[j] = counts ? v[j] : -INFINITY;
      higher = fmaxf(higher, v[j]);
    }
    const float lower = __expf(top - higher);
    sum *= lower;
    if constexpr (Score::kWeighted) {
      weighted *= lower;
    }
    top = higher;
#pragma unroll
    for (int j = 0; j < Pack<T>::size; j++) {
      const float e = __expf(v[j] - top);
      sum += e;
      if constexpr (Score::kWeighted) {
        weighted += span.column(j) < classes ? e * v[j] : 0.f;
      }
    }
  }
};

template <class T, class Score>
struct Classifier {
  const T* logits;
  const int* targets;
  T* dlogits;  // null: not wanted
  int* fault;
  int instr;
  int first;  // the row of targets and results that belongs to row 0 of logits
  int rows, classes, stride, held;
  Score score;

  // run is the kernel; shared holds held elements for each group.
  __device__ void run(T* shared) const {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) {
      return;
    }
    int target = targets[first + row];
    if (target >= classes) {
      report(fault, instr, first + row, target);
      target = -1;
    }
    if (row_vectors<T>(stride, logits, dlogits)) {
      one_row<true>(row, target, shared + threadIdx.y * held);
    } else {
      one_row<false>(row, target, nullptr);
    }
  }

 private:
  template <bool VECTOR>
  __device__ __forceinline__ void one_row(int row, int target, T* kept) const {
    constexpr int W = Pack<T>::size;
    const long long at = static_cast<long long>(row) * stride;
    if (target < 0) {
      score.skip(first + row);
      if (dlogits != nullptr) {
        clear<VECTOR>(dlogits + at);
      }
      return;
    }
    const T* z = logits + at;
    const float hit = score.logit(to_float(z[target]));  // before the group meets, since its gradient may overwrite it
    Top<Score> all = read<VECTOR>(z, kept);
    const float top = group_max(all.top);
    const float lower = __expf(all.top - top);
    all.sum = group_sum(all.sum * lower);
    if constexpr (Score::kWeighted) {
      all.weighted = group_sum(all.weighted * lower);
    }
    all.top = top;
    const auto slope = score.finish(first + row, hit, all, classes);
    if (dlogits == nullptr) {
      return;
    }
    __syncwarp();  // hit is read before another lane overwrites it: shuffles do not order memory
    T* dz = dlogits + at;
    const auto gradient = [=](const T* row) {
      return [=](const Span<T, VECTOR>& span) {
        float v[W];
        span.load(row, v);
#pragma unroll
        for (int j = 0; j < W; j++) {
          v[j] = slope(v[j], span.column(j) == target);
        }
        span.store(dz, v);
      };
    };
    const int in_shared = VECTOR ? held : 0;
    each_span<T, VECTOR>(0, in_shared, gradient(kept));
    each_span<T, VECTOR>(in_shared, classes, gradient(z));
  }

  // read takes the row into account and leaves its first held columns in kept.
  template <bool VECTOR>
  __device__ __forceinline__ Top<Score> read(const T* z, T* kept) const {
    Top<Score> top;
    const auto add = [&](const T* row) {
      return [&top, row, this](const Span<T, VECTOR>& span) {
        float v[Pack<T>::size];
        span.load(row, v);
        top.add(span, v, classes, score);
      };
    };
    if constexpr (VECTOR) {
      const int step = blockDim.x * Pack<T>::size;
      const int half = min(cdiv(cdiv(held, step), 2) * step, held);  // whole steps, so that threads keep their columns
      const auto copy = [&](const Span<T, VECTOR>& span) { cp_async16(kept + span.first, z + span.first); };
      each_span<T, VECTOR>(0, half, copy);
      cp_async_commit();
      each_span<T, VECTOR>(half, held, copy);
      cp_async_commit();
      cp_async_wait<1>();
      each_span<T, VECTOR>(0, half, add(kept));
      cp_async_wait<0>();
      each_span<T, VECTOR>(half, held, add(kept));
      each_span<T, VECTOR>(held, classes, add(z));
    } else {
      each_span<T, VECTOR>(0, classes, add(z));
    }
    return top;
  }

  template <bool VECTOR>
  __device__ __forceinline__ void clear(T* dz) const {
    each_span<T, VECTOR>(0, classes, [&](const Span<T, VECTOR>& span) {
      const float zeros[Pack<T>::size] = {};
      span.store(dz, zeros);
    });
  }
};
