// crossentropy.cu: cross-entropy of rows of logits z (N, V) with target t, and its gradient; logits and dlogits are T,
// the rest float32.
//
//   lse = ln Σ exp(z),  nll = lse - z_t,  loss = (1-ε)·nll + ε·(lse - Σz/V) + ζ·lse²     ε smoothing, ζ z-loss
//   dz = scale·(p·(1 + 2ζ·lse) - ε/V - (1-ε)·[i = t]),  p = exp(z - lse),  scale = loss_weight·dloss
//
// One kernel serves CrossEntropy, its gradient and, chunk by chunk, LinearCrossEntropy. A group of threads (row.cuh)
// takes a row: asynchronous copies bring it into shared memory, half of it while the other half is worked on; one
// sweep finds the maximum and the sum of exponentials under it (Milakov and Gimelshein 2018), a second one makes the
// gradient, in place if dlogits is logits. A thread reads only what it has copied itself. Shared memory holds 98 KB of
// a row, so that on an H100 two rows of 50,304 bf16 overlap; registers would hold one. What a wider row has beyond
// held columns is read twice.
// Rows with t < 0 lose nothing and have gradient 0. Rows are stride elements apart; where stride is padded to whole
// spans, every V takes the 16-byte path.
// Bound: memory, V·sizeof(T) bytes read and, with a gradient, as many written a row.
#include <cfloat>

#include "mma.cuh"
#include "row.cuh"

namespace {

// Top is the maximum of the logits that a thread has seen, with sums under it.
struct Top {
  float top = -FLT_MAX;
  float sum = 0;    // of exp(z - top)
  float total = 0;  // of z

  // add takes a span; columns behind the last class do not count.
  template <class T, bool VECTOR>
  __device__ __forceinline__ void add(const Span<T, VECTOR>& span, float (&v)[Pack<T>::size], int classes) {
    float higher = top;
#pragma unroll
    for (int j = 0; j < Pack<T>::size; j++) {
      const bool counts = span.column(j) < classes;
      total += counts ? v[j] : 0.f;
      v[j] = counts ? v[j] : -INFINITY;
      higher = fmaxf(higher, v[j]);
    }
    sum *= __expf(top - higher);
    top = higher;
#pragma unroll
    for (int j = 0; j < Pack<T>::size; j++) {
      sum += __expf(v[j] - top);
    }
  }
};

template <class T>
struct Classifier {
  const T* logits;
  const int* targets;
  const float* loss_weight;
  const float* dloss;  // null: 1
  float* losses;       // of each row, without loss_weight; null: not wanted, as are the next three
  float* nll;
  float* lse;
  T* dlogits;
  int* fault;
  int instr;
  int first;  // the row of targets, losses, nll, lse that belongs to row 0 of logits
  int rows, classes, stride, held;
  float smoothing, z_loss;

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
      write(first + row, 0, 0, 0);
      if (dlogits != nullptr) {
        clear<VECTOR>(dlogits + at);
      }
      return;
    }
    const T* z = logits + at;
    const float hit = to_float(z[target]);  // before the group meets, since its gradient may overwrite it
    const Top own = read<VECTOR>(z, kept);
    const float top = group_max(own.top);
    const float sum = group_sum(own.sum * __expf(own.top - top));
    const float log_sum = top + logf(sum);
    const float miss = log_sum - hit;
    float loss = (1 - smoothing) * miss + z_loss * log_sum * log_sum;
    if (smoothing != 0) {
      loss += smoothing * (log_sum - group_sum(own.total) / classes);
    }
    write(first + row, loss, miss, log_sum);
    if (dlogits == nullptr) {
      return;
    }
    __syncwarp();  // hit is read before another lane overwrites it: shuffles do not order memory
    T* dz = dlogits + at;
    const float scale = *loss_weight * (dloss == nullptr ? 1.f : *dloss);
    const float share = scale * (1 + 2 * z_loss * log_sum) / sum;
    const float spread = scale * smoothing / classes;
    const float peak = scale * (1 - smoothing);
    const auto gradient = [=](const T* row) {
      return [=](const Span<T, VECTOR>& span) {
        float v[W];
        span.load(row, v);
#pragma unroll
        for (int j = 0; j < W; j++) {
          v[j] = share * __expf(v[j] - top) - spread - (span.column(j) == target ? peak : 0.f);
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
  __device__ __forceinline__ Top read(const T* z, T* kept) const {
    Top top;
    const auto add = [&](const T* row) {
      return [&top, row, this](const Span<T, VECTOR>& span) {
        float v[Pack<T>::size];
        span.load(row, v);
        top.add(span, v, classes);
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

  __device__ __forceinline__ void write(int row, float loss, float miss, float log_sum) const {
    if (threadIdx.x != 0) {
      return;
    }
    if (losses != nullptr) {
      losses[row] = loss;
    }
    if (nll != nullptr) {
      nll[row] = miss;
    }
    if (lse != nullptr) {
      lse[row] = log_sum;
    }
  }
};

}  // namespace

KERNEL(crossentropy_rows_f32, 512)(const float* logits, const int* targets, const float* loss_weight,
                                   const float* dloss, float* losses, float* nll, float* lse, float* dlogits,
                                   int* fault, int instr, int first, int rows, int classes, int stride, int held,
                                   float smoothing, float z_loss) {
  const Classifier<float> classifier{logits, targets, loss_weight, dloss,   losses, nll,  lse,       dlogits, fault,
                                     instr,  first,   rows,        classes, stride, held, smoothing, z_loss};
  DYNAMIC_SHARED(float, shared);
  classifier.run(shared);
}
EXPORT(crossentropy_rows_f32)

KERNEL(crossentropy_rows_bf16, 512)(const bf16* logits, const int* targets, const float* loss_weight,
                                    const float* dloss, float* losses, float* nll, float* lse, bf16* dlogits,
                                    int* fault, int instr, int first, int rows, int classes, int stride, int held,
                                    float smoothing, float z_loss) {
  const Classifier<bf16> classifier{logits, targets, loss_weight, dloss,   losses, nll,  lse,       dlogits, fault,
                                    instr,  first,   rows,        classes, stride, held, smoothing, z_loss};
  DYNAMIC_SHARED(bf16, shared);
  classifier.run(shared);
}
EXPORT(crossentropy_rows_bf16)

// loss = loss_weight·Σ losses, by one block.
KERNEL(crossentropy_loss, 1024)(const float* losses, const float* loss_weight, float* loss, int rows) {
  float sum = 0;
  for (int i = threadIdx.x; i < rows; i += blockDim.x) {
    sum += losses[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    *loss = *loss_weight * sum;
  }
}
EXPORT(crossentropy_loss)
