// recurrent: what a step of a recurrent network does beside its matrix products (ir.Recurrent and its kin).
//
// A launch a step: cuBLASLt multiplies the states of all sequences by the weights, in float32 results, then a kernel of
// this file applies the gates, a thread a unit and sequence. The step's CUDA graph holds all of them. A persistent
// kernel that keeps the weights in shared memory would save the launches, but needs a barrier over the grid, and thus
// all of its blocks on the card at once. Nothing here adds up over threads, so results depend on no order.
//
// Bound: launches, some microseconds a step, until the product of a step is larger. "back" goes through the gates from the
// last step to the first; "previous" collects what the gradient of the weights is multiplied by, one product for all
// steps.
#include "common.cuh"

namespace {

__device__ __forceinline__ float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

// Scan is where the steps of the sequences are.
struct Scan {
  const int* segments;  // null: no sequence begins anew
  int tokens, reverse;

  // row of step s of sequence b.
  __device__ __forceinline__ long long row(int b, int s) const {
    return (long long)b * tokens + (reverse ? tokens - 1 - s : s);
  }
  // anew tells whether sequence b begins with 0 at step s.
  __device__ __forceinline__ bool anew(int b, int s) const {
    return segments && s > 0 && s < tokens && segments[row(b, s)] != segments[row(b, s - 1)];
  }
};

__device__ __forceinline__ bool fits(int position, int tokens, int capacity) {
  return position >= 0 && position + tokens <= capacity;
}

// The states before the first step: h (B, P) for the product, carry (B, H) in float32, the cell of an LSTM, the state of a
// GRU. They are those of h0 and c0, null for 0, or with a capacity those behind token position[b] - 1 of caches.
template <class T>
__device__ void begin(const float* h0, const float* c0, const int* position, T* h, float* carry, int* fault, int check,
                      int batch, int tokens, int capacity, int hidden, int state, int gru) {
  const int wide = hidden > state ? hidden : state;
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= (long long)batch * wide) return;
  const int b = at / wide, j = at % wide;
  long long from = b;
  bool zero = false;
  if (capacity) {
    const int p = position[b];
    zero = p <= 0 || !fits(p, tokens, capacity);
    from = (long long)b * capacity + p - 1;
    if (j == 0 && !fits(p, tokens, capacity)) {
      report(fault, check, b, p);
    }
  }
  if (j < state) {
    h[(long long)b * state + j] = from_float<T>(zero || !h0 ? 0.0f : h0[from * state + j]);
  }
  if (j < hidden) {
    const float* first = gru ? h0 : c0;
    carry[(long long)b * hidden + j] = zero || !first ? 0.0f : first[from * hidden + j];
  }
}

// One step: x + product + bias → gates → the states. y is null under a projection, where h is what it multiplies.
template <class T>
__device__ void step(const T* x, const float* product, const float* bias, float* carry, T* h, T* y, T* gates,
                     float* cell, const int* segments, const int* position, int s, int tokens, int reverse,
                     int capacity, int hidden, int gru, int elements) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Scan scan{segments, tokens, reverse};
  const int b = at / hidden, u = at % hidden, n = gru ? 3 : 4;
  if (capacity && !fits(position[b], tokens, capacity)) return;
  const long long row = scan.row(b, s);
  const T* in = x + row * n * hidden + u;
  const float* from = product + (long long)b * n * hidden + u;
  float g[4], input[4];
#pragma unroll
  for (int k = 0; k < 4; k++) {
    if (k < n) {
      g[k] = from[k * hidden] + (bias ? bias[k * hidden + u] : 0.0f);
      input[k] = to_float(in[k * hidden]);
    }
  }
  float out, kept, next;
  if (gru) {
    const float r = sigmoid(input[0] + g[0]), z = sigmoid(input[1] + g[1]);
    kept = g[2];
    g[0] = r;
    g[1] = z;
    g[2] = tanhf(input[2] + r * kept);
    next = out = (1.0f - z) * g[2] + z * carry[at];
  } else {
    g[0] = sigmoid(input[0] + g[0]);
    g[1] = sigmoid(input[1] + g[1]);
    g[2] = tanhf(input[2] + g[2]);
    g[3] = sigmoid(input[3] + g[3]);
    next = kept = g[1] * carry[at] + g[0] * g[2];
    out = g[3] * tanhf(next);
  }
  if (gates) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
      if (k < n) {
        gates[(row * n + k) * hidden + u] = from_float<T>(g[k]);
      }
    }
  }
  if (cell) {
    cell[(capacity ? (long long)b * capacity + position[b] + s : row) * hidden + u] = kept;
  }
  const bool anew = scan.anew(b, s + 1);
  carry[at] = anew ? 0.0f : next;
  if (y) {
    y[row * hidden + u] = from_float<T>(out);
  }
  h[at] = from_float<T>(y && anew ? 0.0f : out);
}

// What a projection gives: product (B, P) → y and the next step's h.
template <class T>
__device__ void project(const float* product, T* h, T* y, const int* segments, int s, int tokens, int reverse,
                        int state, int elements) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Scan scan{segments, tokens, reverse};
  const int b = at / state;
  const float out = product[at];
  y[scan.row(b, s) * state + at % state] = from_float<T>(out);
  h[at] = from_float<T>(scan.anew(b, s + 1) ? 0.0f : out);
}

// y (B·T, P) → rows position[b] + t of the cache (B·S, P).
template <class T>
__device__ void keep(const T* y, float* cache, const int* position, int tokens, int capacity, int state,
                     long long elements) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const long long row = at / state, b = row / tokens;
  if (!fits(position[b], tokens, capacity)) return;
  cache[(b * capacity + position[b] + row % tokens) * state + at % state] = to_float(y[at]);
}

// The gradient of a step's projected state, dy + product: for the product with the projection, and kept.
template <class T>
__device__ void back_project(const T* dy, const float* product, T* dh, T* dprojected, int s, int tokens, int reverse,
                             int state, int elements) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Scan scan{nullptr, tokens, reverse};
  const long long to = scan.row(at / state, s) * state + at % state;
  const float d = to_float(dy[to]) + (s < tokens - 1 ? product[at] : 0.0f);
  dh[at] = from_float<T>(d);
  if (dprojected) {
    dprojected[to] = from_float<T>(d);
  }
}

// One step back through the gates. Without a projection the gradient of the state is dy + product + carry; with one,
// where dy is null, it is product. carry is the gradient of an LSTM's cell, of a GRU's state through z. back (B, G·H) is
// what the next product multiplies, 0 where the sequence began; dx may be gates.
template <class T>
__device__ void back(const T* gates, const float* cell, const T* y, const float* h0, const float* c0,
                     const int* segments, const T* dy, const float* product, float* carry, T* dx, T* dg, T* back,
                     T* full, int s, int tokens, int reverse, int hidden, int gru, int elements) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Scan scan{segments, tokens, reverse};
  const int b = at / hidden, u = at % hidden, n = gru ? 3 : 4;
  const long long row = scan.row(b, s);
  const bool last = s == tokens - 1, anew = scan.anew(b, s);
  float dh = !dy || !last ? product[at] : 0.0f;
  if (dy) {
    dh += to_float(dy[row * hidden + u]);
  }
  const float past = last ? 0.0f : carry[at];
  float g[4], d[4];
#pragma unroll
  for (int k = 0; k < 4; k++) {
    g[k] = k < n ? to_float(gates[(row * n + k) * hidden + u]) : 0.0f;
  }
  const float kept = cell[row * hidden + u];
  float next, inner = 0.0f;
  if (gru) {
    float before = 0.0f;
    if (s > 0 && !anew) {
      before = to_float(y[scan.row(b, s - 1) * hidden + u]);
    } else if (s == 0 && h0) {
      before = h0[at];
    }
    dh += past;
    d[2] = dh * (1.0f - g[1]) * (1.0f - g[2] * g[2]);
    d[1] = dh * (before - g[2]) * g[1] * (1.0f - g[1]);
    d[0] = d[2] * kept * g[0] * (1.0f - g[0]);
    inner = d[2] * g[0];
    next = dh * g[1];
  } else {
    float before = 0.0f;
    if (s > 0 && !anew) {
      before = cell[scan.row(b, s - 1) * hidden + u];
    } else if (s == 0 && c0) {
      before = c0[at];
    }
    const float t = tanhf(kept), dc = past + dh * g[3] * (1.0f - t * t);
    d[3] = dh * t * g[3] * (1.0f - g[3]);
    d[0] = dc * g[2] * g[0] * (1.0f - g[0]);
    d[2] = dc * g[0] * (1.0f - g[2] * g[2]);
    d[1] = dc * before * g[1] * (1.0f - g[1]);
    next = dc * g[1];
    if (full) {
      full[row * hidden + u] = from_float<T>(g[3] * t);
    }
  }
  carry[at] = anew ? 0.0f : next;
#pragma unroll
  for (int k = 0; k < 4; k++) {
    if (k < n) {
      const long long to = (row * n + k) * hidden + u;
      const T e = from_float<T>(gru && k == 2 ? inner : d[k]);
      dx[to] = from_float<T>(d[k]);
      if (dg) {
        dg[to] = e;
      }
      back[((long long)b * n + k) * hidden + u] = anew ? from_float<T>(0.0f) : e;
    }
  }
}

// The state from which each step went on, (B·T, P).
template <class T>
__device__ void previous(const T* y, const float* h0, const int* segments, T* before, int tokens, int reverse,
                         int state, long long elements) {
  const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Scan scan{segments, tokens, reverse};
  const long long row = at / state;
  const int b = row / tokens, j = at % state, t = row % tokens, s = reverse ? tokens - 1 - t : t;
  if (s > 0 && !scan.anew(b, s)) {
    before[at] = y[scan.row(b, s - 1) * state + j];
  } else {
    before[at] = from_float<T>(s == 0 && h0 ? h0[(long long)b * state + j] : 0.0f);
  }
}

}  // namespace

// The gradients of the states before the first step: product, to which a GRU adds carry, and carry of an LSTM.
KERNEL(recurrent_first, 256)
(const float* product, const float* carry, float* dh0, float* dc0, int states, int cells, int gru) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (dh0 && at < states) {
    dh0[at] = product[at] + (gru ? carry[at] : 0.0f);
  }
  if (dc0 && at < cells) {
    dc0[at] = carry[at];
  }
}
EXPORT(recurrent_first)

KERNEL(recurrent_begin_f32, 256)
(const float* h0, const float* c0, const int* position, float* h, float* carry, int* fault, int check, int batch,
 int tokens, int capacity, int hidden, int state, int gru) {
  begin(h0, c0, position, h, carry, fault, check, batch, tokens, capacity, hidden, state, gru);
}
EXPORT(recurrent_begin_f32)

KERNEL(recurrent_begin_bf16, 256)
(const float* h0, const float* c0, const int* position, bf16* h, float* carry, int* fault, int check, int batch,
 int tokens, int capacity, int hidden, int state, int gru) {
  begin(h0, c0, position, h, carry, fault, check, batch, tokens, capacity, hidden, state, gru);
}
EXPORT(recurrent_begin_bf16)

KERNEL(recurrent_step_f32, 256)
(const float* x, const float* product, const float* bias, float* carry, float* h, float* y, float* gates, float* cell,
 const int* segments, const int* position, int s, int tokens, int reverse, int capacity, int hidden, int gru,
 int elements) {
  step(x, product, bias, carry, h, y, gates, cell, segments, position, s, tokens, reverse, capacity, hidden, gru,
      elements);
}
EXPORT(recurrent_step_f32)

KERNEL(recurrent_step_bf16, 256)
(const bf16* x, const float* product, const float* bias, float* carry, bf16* h, bf16* y, bf16* gates, float* cell,
 const int* segments, const int* position, int s, int tokens, int reverse, int capacity, int hidden, int gru,
 int elements) {
  step(x, product, bias, carry, h, y, gates, cell, segments, position, s, tokens, reverse, capacity, hidden, gru,
      elements);
}
EXPORT(recurrent_step_bf16)

KERNEL(recurrent_project_f32, 256)
(const float* product, float* h, float* y, const int* segments, int s, int tokens, int reverse, int state,
 int elements) {
  project(product, h, y, segments, s, tokens, reverse, state, elements);
}
EXPORT(recurrent_project_f32)

KERNEL(recurrent_project_bf16, 256)
(const float* product, bf16* h, bf16* y, const int* segments, int s, int tokens, int reverse, int state, int elements)
 {
  project(product, h, y, segments, s, tokens, reverse, state, elements);
}
EXPORT(recurrent_project_bf16)

KERNEL(recurrent_keep_f32, 256)
(const float* y, float* cache, const int* position, int tokens, int capacity, int state, long long elements) {
  keep(y, cache, position, tokens, capacity, state, elements);
}
EXPORT(recurrent_keep_f32)

KERNEL(recurrent_keep_bf16, 256)
(const bf16* y, float* cache, const int* position, int tokens, int capacity, int state, long long elements) {
  keep(y, cache, position, tokens, capacity, state, elements);
}
EXPORT(recurrent_keep_bf16)

KERNEL(recurrent_back_project_f32, 256)
(const float* dy, const float* product, float* dh, float* dprojected, int s, int tokens, int reverse, int state,
 int elements) {
  back_project(dy, product, dh, dprojected, s, tokens, reverse, state, elements);
}
EXPORT(recurrent_back_project_f32)

KERNEL(recurrent_back_project_bf16, 256)
(const bf16* dy, const float* product, bf16* dh, bf16* dprojected, int s, int tokens, int reverse, int state,
 int elements) {
  back_project(dy, product, dh, dprojected, s, tokens, reverse, state, elements);
}
EXPORT(recurrent_back_project_bf16)

KERNEL(recurrent_back_f32, 256)
(const float* gates, const float* cell, const float* y, const float* h0, const float* c0, const int* segments,
 const float* dy, const float* product, float* carry, float* dx, float* dg, float* inner, float* full, int s,
 int tokens, int reverse, int hidden, int gru, int elements) {
  back(gates, cell, y, h0, c0, segments, dy, product, carry, dx, dg, inner, full, s, tokens, reverse, hidden, gru,
      elements);
}
EXPORT(recurrent_back_f32)

KERNEL(recurrent_back_bf16, 256)
(const bf16* gates, const float* cell, const bf16* y, const float* h0, const float* c0, const int* segments,
 const bf16* dy, const float* product, float* carry, bf16* dx, bf16* dg, bf16* inner, bf16* full, int s, int tokens,
 int reverse, int hidden, int gru, int elements) {
  back(gates, cell, y, h0, c0, segments, dy, product, carry, dx, dg, inner, full, s, tokens, reverse, hidden, gru,
      elements);
}
EXPORT(recurrent_back_bf16)

KERNEL(recurrent_previous_f32, 256)
(const float* y, const float* h0, const int* segments, float* before, int tokens, int reverse, int state,
 long long elements) {
  previous(y, h0, segments, before, tokens, reverse, state, elements);
}
EXPORT(recurrent_previous_f32)

KERNEL(recurrent_previous_bf16, 256)
(const bf16* y, const float* h0, const int* segments, bf16* before, int tokens, int reverse, int state,
 long long elements) {
  previous(y, h0, segments, before, tokens, reverse, state, elements);
}
EXPORT(recurrent_previous_bf16)
