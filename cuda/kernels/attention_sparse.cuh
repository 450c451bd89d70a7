// Which blocks of queries see which blocks of keys in sparse attention: ir.Sparsity of autograd/ir/sparsity.go.
#pragma once
#include "attention_simt.cuh"

namespace attention {

enum { kStrided = 1, kFixed = 2, kLocalGlobal = 3 };  // ir.Pattern

// Blocks is the view of sparse attention. block is a multiple of 64, so that a tile of keys lies in one block and a
// tile of queries in two at most.
struct Blocks : Scores {
  int pattern, block, local, stride, global;

  __device__ Blocks(int pattern, int block, int local, int stride, int global)
      : pattern(pattern), block(block), local(local), stride(stride), global(global) {}

  __device__ bool sees(int query, int key) const {
    int distance = query > key ? query - key : key - query;
    switch (pattern) {
      case kStrided: return distance < local || distance % stride == 0;
      case kFixed: return query / stride == key / stride || key % stride >= stride - global;
      case kLocalGlobal: return distance < local || key < global || query < global;
    }
    return true;
  }

  // some and whole say that one of, or all of, n queries from a position on see the block of a key.
  __device__ bool some(int query, int n, int key) const {
    return sees(query / block, key / block) || sees((query + n - 1) / block, key / block);
  }
  __device__ bool whole(int query, int n, int key) const {
    return sees(query / block, key / block) && sees((query + n - 1) / block, key / block);
  }
};

// TilesOf is the view (attention.cuh) of kernels whose tiles of queries lie in one block, too. Queries are at positions from
// shift on, a multiple of block.
template <bool ROWS_ARE_KEYS>
struct TilesOf {
  static constexpr bool kAll = false;
  Blocks blocks;
  int shift;

  __device__ bool sees(int row, int column) const {
    int query = ROWS_ARE_KEYS ? column : row, key = ROWS_ARE_KEYS ? row : column;
    return blocks.sees((query + shift) / blocks.block, key / blocks.block);
  }
};

}  // namespace attention
