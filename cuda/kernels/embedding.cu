// embedding.cu: y[n] = table[ids[n]], ids (N) int32, table (V, D) float32, y (N, D) T.
//
// A warp copies one span (row.cuh) of a row a thread; gridDim.y covers the columns.
// Bound: memory, N·D·(4 + sizeof(T)) bytes, fewer where the second-level cache holds the rows of frequent ids.
#include "row.cuh"

namespace {

template <class T, bool VECTOR>
__device__ __forceinline__ void copy_span(const float* row, T* y, int cols) {
  const Span<T, VECTOR> span(blockIdx.y * WARP * Pack<T>::size, cols);
  if (!span.empty()) {
    float v[Pack<T>::size];
    span.load(row, v);
    span.store(y, v);
  }
}

template <class T>
__device__ __forceinline__ void embedding(const int* ids, const float* table, T* y, int* fault, int instr, int rows,
                                          int vocab, int cols) {
  const int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) {
    return;
  }
  const int id = ids[row];
  if (id < 0 || id >= vocab) {
    report(fault, instr, row, id);
    return;
  }
  const float* from = table + static_cast<long long>(id) * cols;
  T* to = y + static_cast<long long>(row) * cols;
  if (row_vectors<T>(cols, y) && row_vectors<T>(cols, table)) {
    copy_span<T, true>(from, to, cols);
  } else {
    copy_span<T, false>(from, to, cols);
  }
}

}  // namespace

KERNEL(embedding_f32, 256)(const int* ids, const float* table, float* y, int* fault, int instr, int rows, int vocab,
                           int cols) {
  embedding<float>(ids, table, y, fault, instr, rows, vocab, cols);
}
EXPORT(embedding_f32)

KERNEL(embedding_bf16, 256)(const int* ids, const float* table, bf16* y, int* fault, int instr, int rows, int vocab,
                            int cols) {
  embedding<bf16>(ids, table, y, fault, instr, rows, vocab, cols);
}
EXPORT(embedding_bf16)
