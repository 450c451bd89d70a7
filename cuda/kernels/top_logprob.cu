// top_logprob.cu: log-probabilities of K classes a row under softmax(z), z = scale·logits (N, V), and of all others
// together, and their gradient: chunk by chunk of LinearTopLogProb.
//
//   y_k = z_k - lse,  y_rest = lse_rest - lse,  lse = ln Σ exp(z)
//   dlogits = scale·(dy_k - S·p_k) of a class that is asked for, S = Σ dy,
//             scale·(dy_rest - S·p_rest)·exp(z - lse_rest) of another
//
// A block takes a row. It moves the logits that are asked for out of the row, where -∞ stays, so that the rest is a sum
// and not a difference. The gradient takes the place of the logits.
// Bound: memory, V·sizeof(T) bytes read three times (the later ones from L2), with a gradient as many written.
#include "common.cuh"

namespace {

template <class T>
struct TopRow {
  T* z;                // the row of logits
  const int* classes;  // (K)
  int count, k;        // V, K
  float scale;
  float* top;  // shared: the logits that are asked for

  // take moves them out; an absent one is -∞.
  __device__ void take() const {
    for (int i = threadIdx.x; i < k; i += blockDim.x) {
      const int c = classes[i];
      top[i] = c < 0 ? -INFINITY : scale * to_float(z[c]);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < k; i += blockDim.x) {
      if (classes[i] >= 0) {
        z[classes[i]] = from_float<T>(-INFINITY);
      }
    }
    __syncthreads();
  }

  // lse is that of n numbers that get(i) has; -∞ of none.
  template <class Get>
  __device__ static float lse(int n, Get get) {
    float highest = -INFINITY;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
      highest = fmaxf(highest, get(i));
    }
    highest = block_max(highest);
    if (highest == -INFINITY) {
      return highest;
    }
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
      sum += __expf(get(i) - highest);
    }
    return highest + logf(block_sum(sum));
  }

  __device__ float lse_rest() const {
    return lse(count, [&](int i) { return scale * to_float(z[i]); });
  }

  __device__ float lse_all(float rest) const {
    return lse(k + 1, [&](int i) { return i < k ? top[i] : rest; });
  }

  __device__ void score(float* y, int width) const {
    const float rest = lse_rest(), all = lse_all(rest);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      y[i] = i == k ? rest - all : classes[i] < 0 ? 0.f : top[i] - all;
    }
  }

  __device__ void differentiate(const float* dy, int width) const {
    const float rest = lse_rest(), all = lse_all(rest);
    float part = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      part += i == k || classes[i] >= 0 ? dy[i] : 0.f;
    }
    const float sum = block_sum(part);
    const float others = scale * ((width > k ? dy[k] : 0.f) - sum * __expf(rest - all));
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
      const float logit = scale * to_float(z[i]);
      z[i] = from_float<T>(logit == -INFINITY ? 0.f : others * __expf(logit - rest));
    }
    __syncthreads();
    for (int i = threadIdx.x; i < k; i += blockDim.x) {
      if (classes[i] >= 0) {
        z[classes[i]] = from_float<T>(scale * (dy[i] - sum * __expf(top[i] - all)));
      }
    }
  }
};

// kMost is the most classes that a row may ask for: what shared memory keeps.
constexpr int kMost = 1024;

// Row r of the chunk is row first + r of classes, y and dy, which has width columns. Without dy it writes y.
template <class T>
__device__ void top_logprob_rows(T* logits, const int* classes, float* y, const float* dy, int* fault, int instr,
                                 int first, int count, int stride, int k, int width, float scale) {
  __shared__ float top[kMost];
  __shared__ int bad;
  const int row = first + blockIdx.x;
  classes += static_cast<long long>(row) * k;
  T* z = logits + static_cast<long long>(blockIdx.x) * stride;
  if (threadIdx.x == 0) {
    bad = 0;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < k; i += blockDim.x) {
    if (classes[i] >= count) {
      report(fault, instr, row * k + i, classes[i]);
      bad = 1;
    }
  }
  __syncthreads();
  if (bad != 0 || classes[0] < 0) {
    for (int i = threadIdx.x; dy == nullptr && i < width; i += blockDim.x) {
      y[static_cast<long long>(row) * width + i] = 0;
    }
    for (int i = threadIdx.x; dy != nullptr && i < count; i += blockDim.x) {
      z[i] = from_float<T>(0.f);
    }
    return;
  }
  const TopRow<T> t{z, classes, count, k, scale, top};
  t.take();
  if (dy == nullptr) {
    t.score(y + static_cast<long long>(row) * width, width);
  } else {
    t.differentiate(dy + static_cast<long long>(row) * width, width);
  }
}

}  // namespace

KERNEL(top_logprob_rows_f32, 256)(float* logits, const int* classes, float* y, const float* dy, int* fault, int instr,
                                int first, int count, int stride, int k, int width, float scale) {
  top_logprob_rows(logits, classes, y, dy, fault, instr, first, count, stride, k, width, scale);
}
EXPORT(top_logprob_rows_f32)

KERNEL(top_logprob_rows_bf16, 256)(bf16* logits, const int* classes, float* y, const float* dy, int* fault, int instr,
                                int first, int count, int stride, int k, int width, float scale) {
  top_logprob_rows(logits, classes, y, dy, fault, instr, first, count, stride, k, width, scale);
}
EXPORT(top_logprob_rows_bf16)
