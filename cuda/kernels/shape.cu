// shape.cu: Transpose, Slice, SliceBackward and Concat: elements move, none changes.
//
// Rows move in units of 16, 4 or 2 bytes, the largest that divides every width, pitch and offset of the call (the
// suffix is the unit's bits), one unit a thread: the index arithmetic, in 32 bits where it fits, hides behind memory.
// Where the innermost axis moves, tiles of 32 × 32 go through shared memory, one column of padding keeping the
// transposed reads free of bank conflicts, so that reads and writes of memory are both in runs of 32 elements. Bound by
// memory: 2 elements moved, the least there is.
#include "lattice.cuh"

namespace {

// y[r·to + c] = x[r·from + c]   for r < rows, c < width, in units
template <class U>
__device__ void copy_rows(const U* x, U* y, long long rows, long long width, long long from, long long to) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < rows * width; i += threads) {
    long long column;
    const long long row = divide(i, width, &column);
    y[row * to + column] = x[row * from + column];
  }
}

// y[r·width + c] = x[source.offset(r) + c]
template <class U>
__device__ void gather_rows(const U* x, U* y, long long rows, long long width, Lattice source) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < rows * width; i += threads) {
    long long column;
    const unsigned row = (unsigned)divide(i, width, &column);
    y[i] = x[source.offset(row) + column];
  }
}

// dx[r·to + c] = dy[r·from + c - start] where start ≤ c < start + from, else 0
template <class U>
__device__ void pad_rows(const U* dy, U* dx, long long rows, long long from, long long to, long long start) {
  const long long threads = (long long)gridDim.x * blockDim.x;
#pragma unroll 1
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < rows * to; i += threads) {
    long long column;
    const long long row = divide(i, to, &column);
    const bool inside = column >= start && column < start + from;
    dx[i] = inside ? dy[row * from + column - start] : U{};
  }
}

constexpr int kTile = 32;
constexpr int kTileRows = 8;  // threads of a block along the rows of a tile

// y[matrix, c, r] = x[matrix, r, c] for a grid of matrices (rows, columns) whose rows are xpitch apart in x; those of
// y, (columns, rows), are ypitch apart. from and to are the lattices of the matrices' offsets. A block a tile.
template <class T>
__device__ void transpose(const T* x, T* y, long long rows, long long columns, long long xpitch, long long ypitch,
                          Lattice from, Lattice to) {
  __shared__ T tile[kTile][kTile + 1];
  unsigned across, down;
  const unsigned strip = divide(blockIdx.x, (unsigned)cdiv(columns, (long long)kTile), &across);
  const unsigned matrix = divide(strip, (unsigned)cdiv(rows, (long long)kTile), &down);
  const long long column = (long long)across * kTile;
  const long long row = (long long)down * kTile;
  x += from.offset(matrix);
  y += to.offset(matrix);
#pragma unroll
  for (int i = threadIdx.y; i < kTile; i += kTileRows) {
    if (row + i < rows && column + threadIdx.x < columns) {
      tile[i][threadIdx.x] = x[(row + i) * xpitch + column + threadIdx.x];
    }
  }
  __syncthreads();
#pragma unroll
  for (int i = threadIdx.y; i < kTile; i += kTileRows) {
    if (column + i < columns && row + threadIdx.x < rows) {
      y[(column + i) * ypitch + row + threadIdx.x] = tile[threadIdx.x][i];
    }
  }
}

}  // namespace

KERNEL(copy_rows_b128, 256)(const uint4* x, uint4* y, long long rows, long long width, long long from, long long to) {
  copy_rows(x, y, rows, width, from, to);
}
EXPORT(copy_rows_b128)

KERNEL(gather_rows_b128, 256)
(const uint4* x, uint4* y, long long rows, long long width, const long long* axes, int rank) {
  gather_rows(x, y, rows, width, Lattice{axes, rank});
}
EXPORT(gather_rows_b128)

KERNEL(pad_rows_b128, 256)(const uint4* dy, uint4* dx, long long rows, long long from, long long to, long long start) {
  pad_rows(dy, dx, rows, from, to, start);
}
EXPORT(pad_rows_b128)

KERNEL(copy_rows_b32, 256)
(const unsigned* x, unsigned* y, long long rows, long long width, long long from, long long to) {
  copy_rows(x, y, rows, width, from, to);
}
EXPORT(copy_rows_b32)

KERNEL(gather_rows_b32, 256)
(const unsigned* x, unsigned* y, long long rows, long long width, const long long* axes, int rank) {
  gather_rows(x, y, rows, width, Lattice{axes, rank});
}
EXPORT(gather_rows_b32)

KERNEL(pad_rows_b32, 256)
(const unsigned* dy, unsigned* dx, long long rows, long long from, long long to, long long start) {
  pad_rows(dy, dx, rows, from, to, start);
}
EXPORT(pad_rows_b32)

KERNEL(copy_rows_b16, 256)
(const unsigned short* x, unsigned short* y, long long rows, long long width, long long from, long long to) {
  copy_rows(x, y, rows, width, from, to);
}
EXPORT(copy_rows_b16)

KERNEL(gather_rows_b16, 256)
(const unsigned short* x, unsigned short* y, long long rows, long long width, const long long* axes, int rank) {
  gather_rows(x, y, rows, width, Lattice{axes, rank});
}
EXPORT(gather_rows_b16)

KERNEL(pad_rows_b16, 256)
(const unsigned short* dy, unsigned short* dx, long long rows, long long from, long long to, long long start) {
  pad_rows(dy, dx, rows, from, to, start);
}
EXPORT(pad_rows_b16)

KERNEL(transpose_f32, 256)
(const float* x, float* y, long long rows, long long columns, long long xpitch, long long ypitch,
 const long long* from, const long long* to, int rank) {
  transpose<float>(x, y, rows, columns, xpitch, ypitch, Lattice{from, rank}, Lattice{to, rank});
}
EXPORT(transpose_f32)

KERNEL(transpose_bf16, 256)
(const bf16* x, bf16* y, long long rows, long long columns, long long xpitch, long long ypitch, const long long* from,
 const long long* to, int rank) {
  transpose<bf16>(x, y, rows, columns, xpitch, ypitch, Lattice{from, rank}, Lattice{to, rank});
}
EXPORT(transpose_bf16)
