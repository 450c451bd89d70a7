// Matrix products by cuBLASLt, planned once and launched often: one call from Go each.
#ifndef GOTRAIN_BLAS_LT_H
#define GOTRAIN_BLAS_LT_H

#include <cuda.h>
#include <stdint.h>

#include "abi/cublaslt.h"

// One product as cuBLASLt sees it, column-major: D(m, n) = epilogue(op(A)(m, k) · op(B)(k, n) + beta · C), where a
// matrix of a batch lies `stride` elements behind the one before.
typedef struct {
  int64_t m, n, k;
  int64_t lda, ldb, ldd, ld_aux;  // of the matrices as they are stored; C is laid out as D
  int64_t stride_a, stride_b, stride_d, stride_aux;
  int32_t batch;
  int32_t trans_a, trans_b;        // cublasOperation_t
  int32_t type_ab, type_d;         // cudaDataType
  int32_t compute;                 // cublasComputeType_t
  uint32_t epilogue;               // cublasLtEpilogue_t
  int32_t uses_bias, uses_aux;
  float beta;
} blas_problem;

// Why a call failed.
typedef struct {
  int status;        // cublasStatus_t, or ABI_MISSING_LIBRARY
  const char* call;  // "cublasLtMatmul"; a literal
  char name[64], text[256];
} blas_error;

// The library on one device.
typedef struct {
  CUcontext context;
  cublasLtHandle_t handle;
  void* workspace;
  size_t workspace_bytes;
} blas_library;

// A planned product. One thread at a time may launch it, since bias and aux are fields of the descriptor.
typedef struct {
  const blas_library* library;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, d;
  cublasLtMatmulAlgo_t algo;
  size_t workspace_bytes;
  float beta;
  int uses_bias, uses_aux;
  blas_error error;  // of the last launch
} blas_matmul;

// Answers of the heuristic that are looked at.
#define BLAS_CANDIDATES 8

// Every matrix, bias and aux of a product lies at a multiple of so many bytes. It is what 16-byte loads and the tensor
// memory accelerator need; the heuristic is told.
#define BLAS_ALIGNMENT 16

// Each returns error->status, 0 for success.
int blas_open(CUcontext context, uint64_t workspace, size_t workspace_bytes, blas_library** library,
              blas_error* error);

// Plans a product by the answer of the heuristic with this number, of those that can run here, the fastest by its
// estimate first; CUBLAS_STATUS_NOT_SUPPORTED beyond the last.
int blas_plan(const blas_library* library, const blas_problem* problem, int number, blas_matmul** matmul,
              blas_error* error);

// Queues the product on a stream; returns a cublasStatus_t and tells the rest in matmul->error.
int blas_launch(blas_matmul* matmul, CUstream stream, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t bias,
                uint64_t aux);

void blas_free_matmul(blas_matmul* matmul);
void blas_close(blas_library* library);

#endif
