// reduce.cu: ReduceSum and Broadcast.
//
// The axes of ReduceSum are merged into alternating groups of kept and reduced ones. Where the innermost group is
// reduced, a result is the sum of contiguous runs, made by a team of threads (a warp or a block); where it is kept, a
// row of results is the sum of the rows of matrices, made by blocks of 32 lanes across and 8 down. Sums in float32, in
// a fixed order. Bound by memory: x is read once, in 16-byte packs where alignment allows.
//
// Long sums are cut into parts, whose number depends on the shape only, and reduce_sum_parts adds the parts up. A run
// or the rows of a matrix are cut into `pieces` of `length`, or `together` whole ones make a part: part k is piece k
// mod pieces of the runs [k div pieces·together, …+together).
//
// Broadcast writes each row of y as one copy of a row of x or as one element of it, times alpha. Bound by the writes of
// y.
#include "lattice.cuh"

namespace {

// How long sums are cut. A sum is over `runs` runs, a matrix being a run of rows.
struct Cut {
  unsigned runs;
  unsigned pieces;
  unsigned together;
  long long length;
  unsigned parts;
};

// One part of a sum: elements [start, start+n) of each of the runs [first, last).
struct Part {
  unsigned first;
  unsigned last;
  long long start;
  long long n;

  __device__ __forceinline__ Part(const Cut& cut, unsigned part, long long run) {
    unsigned piece;
    first = divide(part, cut.pieces, &piece) * cut.together;
    last = min(cut.runs, first + cut.together);
    start = piece * cut.length;
    n = min(cut.length, run - start);
  }
};

// run_sum is this thread's share of Σ x[i], i < n, among a team of which it is number rank.
template <class T>
__device__ float run_sum(const T* x, long long n, int rank, int team) {
  constexpr int width = Pack<T>::size;
  const int misaligned = (int)((unsigned long long)x / sizeof(T) % width);
  const long long head = min((long long)((width - misaligned) % width), n);
  const long long packs = (n - head) / width;
  float sum = rank < head ? to_float(x[rank]) : 0.0f;
  for (long long p = rank; p < packs; p += team) {
    float v[width];
    Pack<T>::load(x + head + p * width).to_floats(v);
#pragma unroll
    for (int stride = width / 2; stride > 0; stride /= 2) {
#pragma unroll
      for (int e = 0; e < stride; e++) {
        v[e] += v[e + stride];
      }
    }
    sum += v[0];
  }
  const long long tail = head + packs * width + rank;
  return tail < n ? sum + to_float(x[tail]) : sum;
}

// Sums the runs, of width elements, of each result; kept and reduced are the lattices of the results and of their runs.
// Team t makes part t mod parts of result t div parts: partial[t] = sum, or y[t] = alpha·sum where parts is 1.
template <class T>
__device__ void reduce_rows(const T* x, T* y, float* partial, unsigned results, long long width, const Cut& cut,
                            Lattice kept, Lattice reduced, int team, float alpha) {
  const int rank = threadIdx.x % team;
  const long long t = (long long)blockIdx.x * (blockDim.x / team) + threadIdx.x / team;
  if (t >= (long long)results * cut.parts) {
    return;  // a warp too many in the last block
  }
  const unsigned result = (unsigned)(cut.parts == 1 ? t : t / cut.parts);
  const Part part(cut, (unsigned)(t - (long long)result * cut.parts), width);
  x += kept.offset(result) + part.start;
  float sum = 0.0f;
  for (unsigned run = part.first; run < part.last; run++) {
    sum += run_sum(x + reduced.offset(run), part.n, rank, team);
  }
  sum = team == WARP ? warp_sum(sum) : block_sum(sum);
  if (rank != 0) {
    return;
  }
  if (cut.parts > 1) {
    partial[t] = sum;
  } else {
    y[t] = from_float<T>(alpha * sum);
  }
}

constexpr int kDown = 8;  // rows of threads of a block of reduce_columns

// column_sum adds rows threadIdx.y, threadIdx.y + kDown, … < n of a matrix to sum, W columns from x on.
template <class T, int W>
__device__ __forceinline__ void column_sum(const T* x, long long n, long long pitch, float (&sum)[W]) {
  for (long long r = threadIdx.y; r < n; r += kDown) {
    if constexpr (W == 1) {
      sum[0] += to_float(x[r * pitch]);
    } else {
      float v[W];
      Pack<T>::load(x + r * pitch).to_floats(v);
#pragma unroll
      for (int e = 0; e < W; e++) {
        sum[e] += v[e];
      }
    }
  }
}

// Sums matrices (height, width) over their rows into each of the rows of y, width columns; kept and reduced are the
// lattices of the rows of y and of their matrices. A block makes a part of 32·W columns of a row; parts, columns and
// rows are counted from the fastest on. Outputs as reduce_rows. W is the size of a pack where that divides width,
// else 1.
template <class T, int W>
__device__ void reduce_columns(const T* x, T* y, float* partial, long long width, long long height, const Cut& cut,
                               Lattice kept, Lattice reduced, float alpha) {
  __shared__ float sums[kDown][WARP * W];
  const unsigned strips = (unsigned)cdiv(width, (long long)(WARP * W));
  unsigned number;
  unsigned strip;
  const unsigned row = divide(divide(blockIdx.x, cut.parts, &number), strips, &strip);
  const long long left = (long long)strip * WARP * W;
  const long long column = left + threadIdx.x * W;
  float sum[W] = {};
  if (column < width) {
    const Part part(cut, number, height);
    x += kept.offset(row) + part.start * width + column;
    for (unsigned matrix = part.first; matrix < part.last; matrix++) {
      column_sum<T, W>(x + reduced.offset(matrix), part.n, width, sum);
    }
  }
#pragma unroll
  for (int e = 0; e < W; e++) {
    sums[threadIdx.y][threadIdx.x * W + e] = sum[e];
  }
  __syncthreads();
  const int c = threadIdx.y * WARP + threadIdx.x;
  if (c >= WARP * W || left + c >= width) {
    return;
  }
  float total = 0.0f;
#pragma unroll
  for (int d = 0; d < kDown; d++) {
    total += sums[d][c];
  }
  const long long result = row * width + left + c;
  if (cut.parts > 1) {
    partial[result * cut.parts + number] = total;
  } else {
    y[result] = from_float<T>(alpha * total);
  }
}

// y[result] = alpha·Σ partial[result·parts + part], a warp a result
template <class T>
__device__ void reduce_parts(const float* partial, T* y, long long results, int parts, float alpha) {
  const int lane = threadIdx.x % WARP;
  const long long result = (long long)blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (result >= results) {
    return;
  }
  const float sum = warp_sum(run_sum(partial + result * parts, parts, lane, WARP));
  if (lane == 0) {
    y[result] = from_float<T>(alpha * sum);
  }
}

// y[r·width + c] = alpha·x[source.offset(r) + c], without + c under fill
template <class T>
__device__ void broadcast(const T* x, T* y, long long rows, long long width, int fill, Lattice source, float alpha) {
  constexpr int pack = Pack<T>::size;
  const bool packed = width % pack == 0 && aligned16(x) && aligned16(y);
  const int unit = packed ? pack : 1;
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < rows * width / unit; i += threads) {
    long long column;
    const unsigned row = (unsigned)divide(i, width / unit, &column);
    const T* from = x + source.offset(row) + (fill ? 0 : column * unit);
    if (!packed) {
      y[i] = from_float<T>(alpha * to_float(*from));
      continue;
    }
    float v[pack];
    if (fill) {
#pragma unroll
      for (int e = 0; e < pack; e++) {
        v[e] = to_float(*from);
      }
    } else {
      Pack<T>::load(from).to_floats(v);
    }
#pragma unroll
    for (int e = 0; e < pack; e++) {
      v[e] *= alpha;
    }
    Pack<T>::from_floats(v).store(y + i * pack);
  }
}

}  // namespace

KERNEL(reduce_sum_rows_f32, 256)
(const float* x, float* y, float* partial, int results, long long width, int runs, int pieces, int together,
 long long length, int parts, const long long* kept, int kept_rank, const long long* reduced, int reduced_rank,
 int team, float alpha) {
  const Cut cut = {(unsigned)runs, (unsigned)pieces, (unsigned)together, length, (unsigned)parts};
  reduce_rows(x, y, partial, results, width, cut, Lattice{kept, kept_rank}, Lattice{reduced, reduced_rank}, team,
              alpha);
}
EXPORT(reduce_sum_rows_f32)

KERNEL(reduce_sum_columns_f32, 256)
(const float* x, float* y, float* partial, long long width, long long height, int matrices, int pieces, int together,
 long long length, int parts, const long long* kept, int kept_rank, const long long* reduced, int reduced_rank,
 int packed, float alpha) {
  const Cut cut = {(unsigned)matrices, (unsigned)pieces, (unsigned)together, length, (unsigned)parts};
  const Lattice rows = {kept, kept_rank};
  const Lattice summed = {reduced, reduced_rank};
  if (packed) {
    reduce_columns<float, Pack<float>::size>(x, y, partial, width, height, cut, rows, summed, alpha);
  } else {
    reduce_columns<float, 1>(x, y, partial, width, height, cut, rows, summed, alpha);
  }
}
EXPORT(reduce_sum_columns_f32)

KERNEL(reduce_sum_parts_f32, 256)(const float* partial, float* y, long long results, int parts, float alpha) {
  reduce_parts(partial, y, results, parts, alpha);
}
EXPORT(reduce_sum_parts_f32)

KERNEL(broadcast_f32, 256)
(const float* x, float* y, long long rows, long long width, int fill, const long long* axes, int rank, float alpha) {
  broadcast(x, y, rows, width, fill, Lattice{axes, rank}, alpha);
}
EXPORT(broadcast_f32)

KERNEL(reduce_sum_rows_bf16, 256)
(const bf16* x, bf16* y, float* partial, int results, long long width, int runs, int pieces, int together,
 long long length, int parts, const long long* kept, int kept_rank, const long long* reduced, int reduced_rank,
 int team, float alpha) {
  const Cut cut = {(unsigned)runs, (unsigned)pieces, (unsigned)together, length, (unsigned)parts};
  const Lattice sums = {kept, kept_rank};
  const Lattice summed = {reduced, reduced_rank};
  reduce_rows(x, y, partial, results, width, cut, sums, summed, team, alpha);
}
EXPORT(reduce_sum_rows_bf16)

KERNEL(reduce_sum_columns_bf16, 256)
(const bf16* x, bf16* y, float* partial, long long width, long long height, int matrices, int pieces, int together,
 long long length, int parts, const long long* kept, int kept_rank, const long long* reduced, int reduced_rank,
 int packed, float alpha) {
  const Cut cut = {(unsigned)matrices, (unsigned)pieces, (unsigned)together, length, (unsigned)parts};
  const Lattice rows = {kept, kept_rank};
  const Lattice summed = {reduced, reduced_rank};
  if (packed) {
    reduce_columns<bf16, Pack<bf16>::size>(x, y, partial, width, height, cut, rows, summed, alpha);
  } else {
    reduce_columns<bf16, 1>(x, y, partial, width, height, cut, rows, summed, alpha);
  }
}
EXPORT(reduce_sum_columns_bf16)

KERNEL(reduce_sum_parts_bf16, 256)(const float* partial, bf16* y, long long results, int parts, float alpha) {
  reduce_parts(partial, y, results, parts, alpha);
}
EXPORT(reduce_sum_parts_bf16)

KERNEL(broadcast_bf16, 256)
(const bf16* x, bf16* y, long long rows, long long width, int fill, const long long* axes, int rank, float alpha) {
  broadcast(x, y, rows, width, fill, Lattice{axes, rank}, alpha);
}
EXPORT(broadcast_bf16)
