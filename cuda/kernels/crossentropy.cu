// crossentropy.cu: cross-entropy of rows of logits z (N, V) with target t, and its gradient, by classifier.cuh.
//
//   lse = ln Σ exp(z),  nll = lse - z_t,  loss = (1-ε)·nll + ε·(lse - Σz/V) + ζ·lse²     ε smoothing, ζ z-loss
//   dz = scale·(p·(1 + 2ζ·lse) - ε/V - (1-ε)·[i = t]),  p = exp(z - lse),  scale = loss_weight·dloss
//
// One kernel serves CrossEntropy, its gradient and, chunk by chunk, LinearCrossEntropy.
#include "classifier.cuh"

namespace {

struct CrossEntropy {
  static constexpr bool kWeighted = false;
  const float* loss_weight;
  const float* dloss;  // null: 1
  float* losses;       // of each row, without loss_weight; null: not wanted, as are the next two
  float* nll;
  float* lse;
  float smoothing, z_loss;

  struct Slope {
    float top, share, spread, peak;
    __device__ __forceinline__ float operator()(float z, bool hit) const {
      return share * __expf(z - top) - spread - (hit ? peak : 0.f);
    }
  };

  __device__ __forceinline__ float logit(float z) const { return z; }

  __device__ __forceinline__ void skip(int row) const { write(row, 0, 0, 0); }

  __device__ __forceinline__ Slope finish(int row, float hit, const Top<CrossEntropy>& sums, int classes) const {
    const float log_sum = sums.top + logf(sums.sum);
    const float miss = log_sum - hit;
    float loss = (1 - smoothing) * miss + z_loss * log_sum * log_sum;
    if (smoothing != 0) {
      loss += smoothing * (log_sum - group_sum(sums.total) / classes);
    }
    write(row, loss, miss, log_sum);
    const float scale = *loss_weight * (dloss == nullptr ? 1.f : *dloss);
    return {sums.top, scale * (1 + 2 * z_loss * log_sum) / sums.sum, scale * smoothing / classes,
            scale * (1 - smoothing)};
  }

 private:
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
  const Classifier<float, CrossEntropy> classifier{
      logits, targets, dlogits, fault, instr, first, rows, classes, stride, held,
      {loss_weight, dloss, losses, nll, lse, smoothing, z_loss}};
  DYNAMIC_SHARED(float, shared);
  classifier.run(shared);
}
EXPORT(crossentropy_rows_f32)

KERNEL(crossentropy_rows_bf16, 512)(const bf16* logits, const int* targets, const float* loss_weight,
                                    const float* dloss, float* losses, float* nll, float* lse, bf16* dlogits,
                                    int* fault, int instr, int first, int rows, int classes, int stride, int held,
                                    float smoothing, float z_loss) {
  const Classifier<bf16, CrossEntropy> classifier{
      logits, targets, dlogits, fault, instr, first, rows, classes, stride, held,
      {loss_weight, dloss, losses, nll, lse, smoothing, z_loss}};
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
