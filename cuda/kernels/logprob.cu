// logprob.cu: log-probabilities of targets t under softmax(z), z = scale·logits (N, V), the entropy of that, and their
// gradient, by classifier.cuh: chunk by chunk of LinearLogProb.
//
//   lse = ln Σ exp(z),  logp = z_t - lse,  H = lse - Σ p·z,  p = exp(z - lse)
//   dlogits = scale·(dlogp·([i = t] - p) - dH·p·(z - lse + H))
#include "classifier.cuh"

namespace {

struct LogProb {
  static constexpr bool kWeighted = true;
  float* logp;  // null: not wanted, as are the next two
  float* lse;
  float* entropy;
  const float* dlogp;     // null without a gradient
  const float* dentropy;  // null: 0
  float scale;

  // share·exp(z - top)·(level - tilt·z) + peak at the target
  struct Slope {
    float scale, top, share, level, tilt, peak;
    __device__ __forceinline__ float operator()(float z, bool hit) const {
      z *= scale;
      return share * __expf(z - top) * (level - tilt * z) + (hit ? peak : 0.f);
    }
  };

  __device__ __forceinline__ float logit(float z) const { return scale * z; }

  __device__ __forceinline__ void skip(int row) const { write(row, 0, 0, 0); }

  __device__ __forceinline__ Slope finish(int row, float hit, const Top<LogProb>& sums, int) const {
    const float log_sum = sums.top + logf(sums.sum);
    const float spread = log_sum - sums.weighted / sums.sum;
    write(row, hit - log_sum, log_sum, spread);
    if (dlogp == nullptr) {
      return {};
    }
    const float peak = scale * dlogp[row];
    const float tilt = dentropy == nullptr ? 0.f : scale * dentropy[row];
    return {scale, sums.top, 1 / sums.sum, tilt * (log_sum - spread) - peak, tilt, peak};
  }

 private:
  __device__ __forceinline__ void write(int row, float hit, float log_sum, float spread) const {
    if (threadIdx.x != 0) {
      return;
    }
    if (logp != nullptr) {
      logp[row] = hit;
    }
    if (lse != nullptr) {
      lse[row] = log_sum;
    }
    if (entropy != nullptr) {
      entropy[row] = spread;
    }
  }
};

}  // namespace

KERNEL(logprob_rows_f32, 512)(const float* logits, const int* targets, float* logp, float* lse, float* entropy,
                            const float* dlogp, const float* dentropy, float* dlogits, int* fault, int instr, int first,
                            int rows, int classes, int stride, int held, float scale) {
  const Classifier<float, LogProb> classifier{logits, targets, dlogits, fault, instr, first, rows, classes, stride, held,
                                             {logp, lse, entropy, dlogp, dentropy, scale}};
  DYNAMIC_SHARED(float, shared);
  classifier.run(shared);
}
EXPORT(logprob_rows_f32)

KERNEL(logprob_rows_bf16, 512)(const bf16* logits, const int* targets, float* logp, float* lse, float* entropy,
                            const float* dlogp, const float* dentropy, bf16* dlogits, int* fault, int instr, int first,
                            int rows, int classes, int stride, int held, float scale) {
  const Classifier<bf16, LogProb> classifier{logits, targets, dlogits, fault, instr, first, rows, classes, stride, held,
                                             {logp, lse, entropy, dlogp, dentropy, scale}};
  DYNAMIC_SHARED(bf16, shared);
  classifier.run(shared);
}
EXPORT(logprob_rows_bf16)
