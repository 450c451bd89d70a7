// cublaslt sets every attribute that cuda/blas_lt.c sets on descriptors of the real library, with the size and the
// values that it gives them; a wrong size has to be refused. A handle needs a GPU, descriptors do not.
#include <stdint.h>
#include <stdio.h>

#include "abi/cublaslt.h"

static int count, failed;

static void expect(const char* what, cublasStatus_t got, cublasStatus_t want) {
  count++;
  if (got == want) return;
  printf("%s: %s, want %s; ", what, cublasLtGetStatusName(got), cublasLtGetStatusName(want));
  failed = 1;
}

#define ACCEPTS(call) expect(#call, call, CUBLAS_STATUS_SUCCESS)
#define REFUSES(call) expect(#call, call, CUBLAS_STATUS_INVALID_VALUE)

static void descriptors(cublasComputeType_t compute) {
  static const uint32_t epilogues[] = {
      CUBLASLT_EPILOGUE_DEFAULT,  CUBLASLT_EPILOGUE_BIAS,          CUBLASLT_EPILOGUE_GELU,  CUBLASLT_EPILOGUE_GELU_BIAS,
      CUBLASLT_EPILOGUE_GELU_AUX, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DGELU, CUBLASLT_EPILOGUE_DGELU_BGRAD,
      CUBLASLT_EPILOGUE_BGRADA,   CUBLASLT_EPILOGUE_BGRADB};
  cublasLtMatmulDesc_t d = NULL;
  int32_t t = CUBLAS_OP_T, type = CUDA_R_16BF;
  int64_t ld = 3072, stride = 0;
  void* p = (void*)16;
  ACCEPTS(cublasLtMatmulDescCreate(&d, compute, CUDA_R_32F));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_TRANSA, &t, sizeof t));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_TRANSB, &t, sizeof t));
  for (size_t i = 0; i < sizeof epilogues / sizeof *epilogues; i++) {
    ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogues[i], sizeof epilogues[i]));
  }
  REFUSES(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogues[0], 2));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &ld, sizeof ld));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, &stride, sizeof stride));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p, sizeof p));
  ACCEPTS(cublasLtMatmulDescSetAttribute(d, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &p, sizeof p));
  ACCEPTS(cublasLtMatmulDescDestroy(d));
}

int main(void) {
  cublasLtMatrixLayout_t layout = NULL;
  cublasLtMatmulPreference_t preference = NULL;
  int32_t batch = 2;
  int64_t offset = 1 << 20;
  uint64_t workspace = 32 << 20;
  uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, alignment = 16;
  descriptors(CUBLAS_COMPUTE_32F);
  descriptors(CUBLAS_COMPUTE_32F_FAST_TF32);
  ACCEPTS(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, 768, 3072, 768));
  ACCEPTS(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch));
  ACCEPTS(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset, sizeof offset));
  ACCEPTS(cublasLtMatrixLayoutDestroy(layout));
  ACCEPTS(cublasLtMatmulPreferenceCreate(&preference));
  ACCEPTS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace));
  ACCEPTS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes));
  for (int i = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES; i <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES; i++) {
    ACCEPTS(cublasLtMatmulPreferenceSetAttribute(preference, i, &alignment, sizeof alignment));
  }
  ACCEPTS(cublasLtMatmulPreferenceDestroy(preference));
  printf("version %zu: %d calls as documented%s\n", cublasLtGetVersion(), count, failed ? ", save those" : "");
  return failed;
}
