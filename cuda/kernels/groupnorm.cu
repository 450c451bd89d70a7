// groupnorm.cu: GroupNorm (Wu & He 2018), followed by an activation, and its gradient.
//
//   n = (x - mean)·rstd over the pixels of a picture and the channels of a group,  y = act(n·w + b)
//   g = dy·act'(n·w + b),  dx = rstd·(g·w - Σgw/size - n·Σ(gwn)/size) + addend,  dw = Σ g·n,  db = Σ g
//
// Rows are pixels, columns channels: a block takes a group of a picture and goes through it in the order of memory, three
// times forward and once backward, behind groupnorm_sums, whose blocks of 32 channels by 8 rows of threads leave Σ g·n and
// Σ g of each picture and channel in partials (B, 2, C), which columnsum_final adds up over pictures. x, y, dy, dx and
// addend are T. Bound: memory; a group that the L2 cache holds is read from memory once.
#include "activation.cuh"

namespace {

// A group of a picture: element i of it, i < size.
struct Group {
  long long first;  // element of x
  int each, channels, size, channel;

  __device__ __forceinline__ Group(int pixels, int channels, int groups)
      : first(0), each(channels / groups), channels(channels), size(pixels * each), channel(blockIdx.x % groups * each) {
    first = static_cast<long long>(blockIdx.x / groups) * pixels * channels + channel;
  }
  __device__ __forceinline__ long long at(int i) const {
    return first + static_cast<long long>(i / each) * channels + i % each;
  }
  __device__ __forceinline__ int channel_of(int i) const { return channel + i % each; }
};

template <class T>
__device__ __forceinline__ void groupnorm(const T* x, const float* w, const float* b, T* y, float* mean, float* rstd,
                                          int pixels, int channels, int groups, float eps, int act) {
  const Group group(pixels, channels, groups);
  float sum = 0;
  for (int i = threadIdx.x; i < group.size; i += blockDim.x) {
    sum += to_float(x[group.at(i)]);
  }
  const float mu = block_sum(sum) / group.size;
  float squares = 0;
  for (int i = threadIdx.x; i < group.size; i += blockDim.x) {
    const float d = to_float(x[group.at(i)]) - mu;
    squares += d * d;
  }
  const float rs = rsqrtf(block_sum(squares) / group.size + eps);
  if (threadIdx.x == 0) {
    mean[blockIdx.x] = mu;
    rstd[blockIdx.x] = rs;
  }
  with_activation(act, [&](auto a) {
    for (int i = threadIdx.x; i < group.size; i += blockDim.x) {
      const int c = group.channel_of(i);
      y[group.at(i)] = from_float<T>(decltype(a)::value((to_float(x[group.at(i)]) - mu) * rs * w[c] + b[c]));
    }
  });
}

constexpr int kSumRows = 8;

// A block sums the pixels of 32 channels of a picture.
template <class T>
__device__ __forceinline__ void groupnorm_sums(const T* x, const float* w, const float* b, const float* mean,
                                               const float* rstd, const T* dy, float* partials, int pixels, int channels,
                                               int groups, int act) {
  __shared__ float shared[2][kSumRows][WARP];
  const int c = blockIdx.x * WARP + threadIdx.x, picture = blockIdx.y;
  float sum_n = 0, sum = 0;
  if (c < channels) {
    const int statistic = picture * groups + c / (channels / groups);
    const float mu = mean[statistic], rs = rstd[statistic];
    with_activation(act, [&](auto a) {
      for (int p = threadIdx.y; p < pixels; p += kSumRows) {
        const long long at = (static_cast<long long>(picture) * pixels + p) * channels + c;
        const float n = (to_float(x[at]) - mu) * rs;
        const float g = to_float(dy[at]) * decltype(a)::slope(n * w[c] + b[c]);
        sum_n += g * n;
        sum += g;
      }
    });
  }
  shared[0][threadIdx.y][threadIdx.x] = sum_n;
  shared[1][threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 1 || c >= channels) {
    return;
  }
  float total = 0;
#pragma unroll
  for (int r = 0; r < kSumRows; r++) {
    total += shared[threadIdx.y][r][threadIdx.x];
  }
  partials[(static_cast<long long>(picture) * 2 + threadIdx.y) * channels + c] = total;
}

template <class T>
__device__ __forceinline__ void groupnorm_backward(const T* x, const float* w, const float* b, const float* mean,
                                                   const float* rstd, const T* dy, const T* addend,
                                                   const float* partials, T* dx, int pixels, int channels, int groups,
                                                   int act) {
  const Group group(pixels, channels, groups);
  const float* sums = partials + static_cast<long long>(blockIdx.x / groups) * 2 * channels + group.channel;
  float2 both = make_float2(0.f, 0.f);
  for (int c = threadIdx.x; c < group.each; c += blockDim.x) {
    both.x += w[group.channel + c] * sums[c];
    both.y += w[group.channel + c] * sums[channels + c];
  }
  both = block_sum(both);
  const float normal = both.x / group.size, plain = both.y / group.size;
  const float mu = mean[blockIdx.x], rs = rstd[blockIdx.x];
  with_activation(act, [&](auto a) {
    for (int i = threadIdx.x; i < group.size; i += blockDim.x) {
      const int c = group.channel_of(i);
      const long long at = group.at(i);
      const float n = (to_float(x[at]) - mu) * rs;
      const float g = to_float(dy[at]) * decltype(a)::slope(n * w[c] + b[c]) * w[c];
      dx[at] = from_float<T>(rs * (g - plain - n * normal) + (addend == nullptr ? 0.f : to_float(addend[at])));
    }
  });
}

}  // namespace

KERNEL(groupnorm_f32, 256)
(const float* x, const float* w, const float* b, float* y, float* mean, float* rstd, int pixels, int channels, int groups,
 float eps, int act) {
  groupnorm<float>(x, w, b, y, mean, rstd, pixels, channels, groups, eps, act);
}
EXPORT(groupnorm_f32)

KERNEL(groupnorm_sums_f32, 256)
(const float* x, const float* w, const float* b, const float* mean, const float* rstd, const float* dy, float* partials,
 int pixels, int channels, int groups, int act) {
  groupnorm_sums<float>(x, w, b, mean, rstd, dy, partials, pixels, channels, groups, act);
}
EXPORT(groupnorm_sums_f32)

KERNEL(groupnorm_backward_f32, 256)
(const float* x, const float* w, const float* b, const float* mean, const float* rstd, const float* dy, const float* addend,
 const float* partials, float* dx, int pixels, int channels, int groups, int act) {
  groupnorm_backward<float>(x, w, b, mean, rstd, dy, addend, partials, dx, pixels, channels, groups, act);
}
EXPORT(groupnorm_backward_f32)

KERNEL(groupnorm_bf16, 256)
(const bf16* x, const float* w, const float* b, bf16* y, float* mean, float* rstd, int pixels, int channels, int groups,
 float eps, int act) {
  groupnorm<bf16>(x, w, b, y, mean, rstd, pixels, channels, groups, eps, act);
}
EXPORT(groupnorm_bf16)

KERNEL(groupnorm_sums_bf16, 256)
(const bf16* x, const float* w, const float* b, const float* mean, const float* rstd, const bf16* dy, float* partials,
 int pixels, int channels, int groups, int act) {
  groupnorm_sums<bf16>(x, w, b, mean, rstd, dy, partials, pixels, channels, groups, act);
}
EXPORT(groupnorm_sums_bf16)

KERNEL(groupnorm_backward_bf16, 256)
(const bf16* x, const float* w, const float* b, const float* mean, const float* rstd, const bf16* dy, const bf16* addend,
 const float* partials, bf16* dx, int pixels, int channels, int groups, int act) {
  groupnorm_backward<bf16>(x, w, b, mean, rstd, dy, addend, partials, dx, pixels, channels, groups, act);
}
EXPORT(groupnorm_backward_bf16)
