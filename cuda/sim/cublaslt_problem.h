// The problems that the simulated cuBLASLt is given: what its descriptors hold, and the checks of one problem.
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
#include "../abi/cublaslt.h"
#pragma GCC visibility pop
#include "cublaslt_gemm.h"

struct cublasLtContext {};

struct cublasLtMatmulDesc {
  cublasComputeType_t compute;
  cudaDataType scale;
  int32_t trans_a = CUBLAS_OP_N, trans_b = CUBLAS_OP_N;
  uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
  int64_t bias_stride = 0;
  void* aux = nullptr;
  int64_t aux_ld = 0, aux_stride = 0;
  int32_t bias_type = -1;
};

struct cublasLtMatrixLayout {
  cudaDataType type;
  uint64_t rows, cols;
  int64_t ld;
  int32_t batch = 1;
  int64_t stride = 0;
};

struct cublasLtMatmulPreference {
  uint64_t workspace = 0;
  uint32_t schemes = 7;  // how split sums may be added up; the simulator splits none
  uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D
};

namespace lt {

// Bytes of workspace that the simulator's algorithm asks for where it may.
constexpr size_t algo_workspace = 64 << 10;

// Notes why a call is refused, for cublasLtGetStatusString on the same thread, and returns the status.
__attribute__((format(printf, 2, 3))) cublasStatus_t refuse(cublasStatus_t status, const char* format, ...);

// The calling thread's latest reason.
const char* reason();

// Fills p with the operation, without pointers to matrices; fails as the library's heuristic does.
cublasStatus_t describe(const cublasLtMatmulDesc* desc, const cublasLtMatrixLayout* a, const cublasLtMatrixLayout* b,
                        const cublasLtMatrixLayout* c, const cublasLtMatrixLayout* d, gemm::Product* p);

// Algorithms for a problem: the sum from the first k on, and that from the last.
constexpr int algorithms = 2;

// One of the algorithms for a problem, which remembers the problem and the alignments that it was promised.
cublasLtMatmulAlgo_t choose(const gemm::Product& p, uint32_t epilogue, const cublasLtMatmulPreference* preference,
                            int algorithm);

// Which of them an algorithm is.
int number(const cublasLtMatmulAlgo_t* algo);

// A value of the problem and the algorithm.
uint64_t kernel(const cublasLtMatmulAlgo_t* algo);

// Checks the pointers of a complete problem, and that the algorithm was chosen for it.
cublasStatus_t check(const gemm::Product& p, uint32_t epilogue, const cublasLtMatmulAlgo_t* algo, void* workspace,
                     size_t workspace_bytes);

// Bytes of workspace that the algorithm uses.
size_t workspace(const cublasLtMatmulAlgo_t* algo);

}  // namespace lt
