// hopper.cu: products of a warpgroup on panels that tensor maps bring, each rule broken in turn.
#include "hopper.cuh"

using namespace hopper;

enum class Fault {
  none,
  no_product_fence,   // wgmma_fence
  wrong_phase,        // of the barrier of what has come
  too_few_bytes,      // expected
  too_many_bytes,
  layout,             // of the descriptor: another swizzle
  wrong_step,         // of the descriptor: along the rows instead of the columns
  misplaced,          // panels at no multiple of 1024 bytes
  early_release,      // of a panel, before the wait for its product
  no_wait,            // for the products
  touched,            // accumulators before the wait
  no_init_fence,      // of the barriers
  no_map_acquire,
  too_many_arrivals,
};

// C (64, 64) = A (64, k) · B (64, k)ᵀ, k a multiple of 64, by one warpgroup; panels of A and B go through a ring of two.
template <Fault FAULT>
__device__ void product(const TensorMap* a, const TensorMap* b, float* c, int k) {
  constexpr int kBytes = 64 * 128;
  DYNAMIC_SHARED(char, memory);
  __shared__ Barrier full[2], empty[2];
  char* ring = align_panels(memory) + (FAULT == Fault::misplaced ? 128 : 0);
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) {
      barrier_init(&full[i], 1);
      barrier_init(&empty[i], kWarpgroup);
    }
    if (FAULT != Fault::no_init_fence) {
      barrier_init_fence();
    }
    if (FAULT != Fault::no_map_acquire) {
      map_acquire(a);
      map_acquire(b);
    }
  }
  __syncthreads();
  const auto load = [&](int step) {
    const int slot = step % 2;
    if (step >= 2) {
      barrier_wait(&empty[slot], (step / 2 - 1) % 2);
    }
    barrier_expect(&full[slot],
                   FAULT == Fault::too_few_bytes ? kBytes : FAULT == Fault::too_many_bytes ? 3 * kBytes : 2 * kBytes);
    if (FAULT == Fault::too_many_arrivals) {
      barrier_arrive(&full[slot]);
    }
    copy_box(ring + slot * 2 * kBytes, a, &full[slot], step * 64, 0, 0, 0);
    copy_box(ring + slot * 2 * kBytes + kBytes, b, &full[slot], step * 64, 0, 0, 0);
  };
  const int steps = k / 64;
  float d[8][4];
  for (int step = 0; step < steps; step++) {
    const int slot = step % 2;
    if (threadIdx.x == 0) {
      if (step == 0) {
        load(0);
      }
      if (step + 1 < steps && (step == 0 || FAULT != Fault::early_release)) {
        load(step + 1);
      }
    }
    barrier_wait(&full[slot], FAULT == Fault::wrong_phase ? 0 : step / 2 % 2);
    unsigned long long of_a = k_major(ring + slot * 2 * kBytes), of_b = k_major(ring + slot * 2 * kBytes + kBytes);
    if (FAULT == Fault::layout) {
      of_b ^= 3ull << 62;
    }
    if (FAULT != Fault::no_product_fence) {
      wgmma_fence();
    }
    for (int i = 0; i < 4; i++) {
      wgmma<64, false>(d, of_a, of_b, step > 0 || i > 0);
      of_a = next_columns(of_a);
      of_b = FAULT == Fault::wrong_step ? next_rows(of_b) : next_columns(of_b);
    }
    wgmma_commit();
    if (FAULT == Fault::touched) {
      d[0][0] += 1;
    }
    if (FAULT == Fault::early_release) {
      barrier_arrive(&empty[slot]);
      if (threadIdx.x == 0 && step + 2 < steps) {
        load(step + 2);
      }
    }
    if (FAULT != Fault::no_wait) {
      wgmma_wait<0>();
    }
    if (FAULT != Fault::early_release) {
      barrier_arrive(&empty[slot]);
    }
  }
  const int t = threadIdx.x, row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
  for (int i = 0; i < 32; i++) {
    c[(row + i % 4 / 2 * 8) * 64 + i / 4 * 8 + column + i % 2] = d[i / 4][i % 4];
  }
}

KERNEL(hopper_product, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::none>(a, b, c, k);
}
EXPORT(hopper_product)
KERNEL(hopper_no_product_fence, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::no_product_fence>(a, b, c, k);
}
EXPORT(hopper_no_product_fence)
KERNEL(hopper_wrong_phase, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::wrong_phase>(a, b, c, k);
}
EXPORT(hopper_wrong_phase)
KERNEL(hopper_too_few_bytes, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::too_few_bytes>(a, b, c, k);
}
EXPORT(hopper_too_few_bytes)
KERNEL(hopper_too_many_bytes, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::too_many_bytes>(a, b, c, k);
}
EXPORT(hopper_too_many_bytes)
KERNEL(hopper_layout, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::layout>(a, b, c, k);
}
EXPORT(hopper_layout)
KERNEL(hopper_wrong_step, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::wrong_step>(a, b, c, k);
}
EXPORT(hopper_wrong_step)
KERNEL(hopper_misplaced, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::misplaced>(a, b, c, k);
}
EXPORT(hopper_misplaced)
KERNEL(hopper_early_release, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::early_release>(a, b, c, k);
}
EXPORT(hopper_early_release)
KERNEL(hopper_no_wait, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::no_wait>(a, b, c, k);
}
EXPORT(hopper_no_wait)
KERNEL(hopper_touched, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::touched>(a, b, c, k);
}
EXPORT(hopper_touched)
KERNEL(hopper_no_init_fence, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::no_init_fence>(a, b, c, k);
}
EXPORT(hopper_no_init_fence)
KERNEL(hopper_no_map_acquire, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::no_map_acquire>(a, b, c, k);
}
EXPORT(hopper_no_map_acquire)
KERNEL(hopper_too_many_arrivals, 128)(const TensorMap* a, const TensorMap* b, float* c, int k) {
  product<Fault::too_many_arrivals>(a, b, c, k);
}
EXPORT(hopper_too_many_arrivals)

enum class Stores { correct, no_proxy_fence, changed };

// C (64, 64) = A (64, 16) · B (16, 64): A from registers, B stored by the threads and read across its rows.
template <Stores KIND>
__device__ void small_product(const bf16* a, const bf16* b, float* c, int) {
  DYNAMIC_SHARED(char, memory);
  char* panel = align_panels(memory);
  const int t = threadIdx.x, row = t / 8, chunk = t % 8;
  store_operand(panel + row * 128 + (chunk ^ row % 8) * 16, *reinterpret_cast<const uint4*>(b + row * 64 + chunk * 8));
  if (KIND != Stores::no_proxy_fence) {
    proxy_fence();
  }
  __syncthreads();
  const int g = t / 32 * 16 + t % 32 / 4, q = t % 4;
  unsigned fa[4];
  for (int i = 0; i < 4; i++) {
    fa[i] = *reinterpret_cast<const unsigned*>(a + (g + i % 2 * 8) * 16 + q * 2 + i / 2 * 8);
  }
  float d[8][4];
  wgmma_fence();
  wgmma<64, true>(d, fa, mn_major(panel, 64 * 128), false);
  wgmma_commit();
  if (KIND == Stores::changed) {
    fa[0]++;
  }
  wgmma_wait<0>();
  for (int i = 0; i < 32; i++) {
    c[(g + i % 4 / 2 * 8) * 64 + i / 4 * 8 + q * 2 + i % 2] = d[i / 4][i % 4];
  }
}
KERNEL(hopper_small_product, 128)(const bf16* a, const bf16* b, float* c, int k) {
  small_product<Stores::correct>(a, b, c, k);
}
EXPORT(hopper_small_product)
KERNEL(hopper_no_proxy_fence, 128)(const bf16* a, const bf16* b, float* c, int k) {
  small_product<Stores::no_proxy_fence>(a, b, c, k);
}
EXPORT(hopper_no_proxy_fence)
KERNEL(hopper_changed, 128)(const bf16* a, const bf16* b, float* c, int k) {
  small_product<Stores::changed>(a, b, c, k);
}
EXPORT(hopper_changed)

// y = x, 64 floats, by a copy of bytes; the wrong one reads before the copy's barrier.
template <bool WAIT>
__device__ void copy_floats(const float* x, float* y) {
  DYNAMIC_SHARED(float, s);
  __shared__ Barrier full;
  if (threadIdx.x == 0) {
    barrier_init(&full, 1);
    barrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    barrier_expect(&full, 256);
    copy_bytes(s, x, 256, &full);
  }
  if (WAIT) {
    barrier_wait(&full, 0);
  }
  y[threadIdx.x] = s[threadIdx.x];
  barrier_wait(&full, 0);
}
KERNEL(hopper_copy, 64)(const float* x, float* y, int) { copy_floats<true>(x, y); }
EXPORT(hopper_copy)
KERNEL(hopper_copy_unwaited, 64)(const float* x, float* y, int) { copy_floats<false>(x, y); }
EXPORT(hopper_copy_unwaited)
