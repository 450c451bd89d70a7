//go:build gpu

#include "blas_lt.h"

#include <stdlib.h>
#include <string.h>

static void copy_text(char* to, size_t size, const char* from) {
  strncpy(to, from ? from : "", size - 1);
  to[size - 1] = 0;
}

// Notes the outcome of a call. The texts are read at once: on the thread that made the call.
static int outcome(blas_error* error, const char* call, cublasStatus_t status) {
  error->status = status;
  if (status == CUBLAS_STATUS_SUCCESS) return 0;
  error->call = call;
  copy_text(error->name, sizeof error->name, cublasLtGetStatusName(status));
  copy_text(error->text, sizeof error->text, cublasLtGetStatusString(status));
  return status;
}

// Notes a refusal of our own.
static int refuse(blas_error* error, const char* call, cublasStatus_t status, const char* text) {
  outcome(error, call, status);
  copy_text(error->text, sizeof error->text, text);
  return status;
}

static int enter(CUcontext context, blas_error* error) {
  if (cuCtxSetCurrent(context) == CUDA_SUCCESS) return 0;
  return refuse(error, "cuCtxSetCurrent", CUBLAS_STATUS_NOT_INITIALIZED, "the device's context is lost");
}

int blas_open(CUcontext context, uint64_t workspace, size_t workspace_bytes, blas_library** library,
              blas_error* error) {
  if (enter(context, error)) return error->status;
  blas_library* l = calloc(1, sizeof *l);
  l->context = context;
  l->workspace = (void*)workspace;
  l->workspace_bytes = workspace_bytes;
  if (outcome(error, "cublasLtCreate", cublasLtCreate(&l->handle))) {
    free(l);
    return error->status;
  }
  *library = l;
  return 0;
}

void blas_close(blas_library* library) {
  cuCtxSetCurrent(library->context);
  cublasLtDestroy(library->handle);
  free(library);
}

static int set_desc(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void* value,
                    size_t bytes, blas_error* error) {
  return outcome(error, "cublasLtMatmulDescSetAttribute",
                 cublasLtMatmulDescSetAttribute(desc, attribute, value, bytes));
}

// Sets where bias and aux are. The heuristic reads the alignment off the same attributes.
static int set_pointers(blas_matmul* m, const void* bias, const void* aux, blas_error* error) {
  if (m->uses_bias && set_desc(m->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias, error)) {
    return error->status;
  }
  if (m->uses_aux && set_desc(m->desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &aux, sizeof aux, error)) {
    return error->status;
  }
  return 0;
}

static int make_desc(blas_matmul* m, const blas_problem* p, blas_error* error) {
  if (outcome(error, "cublasLtMatmulDescCreate", cublasLtMatmulDescCreate(&m->desc, p->compute, CUDA_R_32F))) {
    return error->status;
  }
  const struct {
    cublasLtMatmulDescAttributes_t attribute;
    const void* value;
    size_t bytes;
    int wanted;
  } attributes[] = {
      {CUBLASLT_MATMUL_DESC_TRANSA, &p->trans_a, sizeof p->trans_a, 1},
      {CUBLASLT_MATMUL_DESC_TRANSB, &p->trans_b, sizeof p->trans_b, 1},
      {CUBLASLT_MATMUL_DESC_EPILOGUE, &p->epilogue, sizeof p->epilogue, 1},
      {CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &p->type_d, sizeof p->type_d, p->uses_bias},
      {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &p->ld_aux, sizeof p->ld_aux, p->uses_aux},
      {CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, &p->stride_aux, sizeof p->stride_aux, p->uses_aux},
  };
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    if (!attributes[i].wanted) continue;
    if (set_desc(m->desc, attributes[i].attribute, attributes[i].value, attributes[i].bytes, error)) {
      return error->status;
    }
  }
  const void* aligned = (const void*)BLAS_ALIGNMENT;
  return set_pointers(m, aligned, aligned, error);
}

static int make_layout(cublasLtMatrixLayout_t* layout, int32_t type, int64_t rows, int64_t cols, int64_t ld,
                       int32_t batch, int64_t stride, blas_error* error) {
  if (outcome(error, "cublasLtMatrixLayoutCreate", cublasLtMatrixLayoutCreate(layout, type, rows, cols, ld))) {
    return error->status;
  }
  if (batch == 1) return 0;
  const char* call = "cublasLtMatrixLayoutSetAttribute";
  if (outcome(error, call,
              cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch))) {
    return error->status;
  }
  return outcome(error, call,
                 cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                                  sizeof stride));
}

static int make_layouts(blas_matmul* m, const blas_problem* p, blas_error* error) {
  int ta = p->trans_a == CUBLAS_OP_T, tb = p->trans_b == CUBLAS_OP_T;
  if (make_layout(&m->a, p->type_ab, ta ? p->k : p->m, ta ? p->m : p->k, p->lda, p->batch, p->stride_a, error) ||
      make_layout(&m->b, p->type_ab, tb ? p->n : p->k, tb ? p->k : p->n, p->ldb, p->batch, p->stride_b, error)) {
    return error->status;
  }
  return make_layout(&m->d, p->type_d, p->m, p->n, p->ldd, p->batch, p->stride_d, error);
}

// Tells the heuristic the workspace, the alignment of the matrices, and that a sum over k may be split only where its
// parts are added up in float32: the library may otherwise do that in D's type.
static int make_preference(const blas_library* l, cublasLtMatmulPreference_t* preference, blas_error* error) {
  if (outcome(error, "cublasLtMatmulPreferenceCreate", cublasLtMatmulPreferenceCreate(preference))) {
    return error->status;
  }
  const char* call = "cublasLtMatmulPreferenceSetAttribute";
  uint64_t workspace = l->workspace_bytes;
  if (outcome(error, call,
              cublasLtMatmulPreferenceSetAttribute(*preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                                   sizeof workspace))) {
    return error->status;
  }
  uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  if (outcome(error, call,
              cublasLtMatmulPreferenceSetAttribute(*preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes,
                                                   sizeof schemes))) {
    return error->status;
  }
  uint32_t alignment = BLAS_ALIGNMENT;
  for (int i = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES; i <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES; i++) {
    if (outcome(error, call, cublasLtMatmulPreferenceSetAttribute(*preference, i, &alignment, sizeof alignment))) {
      return error->status;
    }
  }
  return 0;
}

// Takes an answer of the heuristic, which are sorted by estimated time, of those that can run here.
static int choose(blas_matmul* m, cublasLtMatmulPreference_t preference, int number, blas_error* error) {
  cublasLtMatmulHeuristicResult_t results[BLAS_CANDIDATES];
  memset(results, 0, sizeof results);
  const char* call = "cublasLtMatmulAlgoGetHeuristic";
  int found = 0;
  cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(m->library->handle, m->desc, m->a, m->b, m->d, m->d,
                                                         preference, BLAS_CANDIDATES, results, &found);
  if (outcome(error, call, status)) return error->status;
  for (int i = 0; i < found; i++) {
    if (results[i].state != CUBLAS_STATUS_SUCCESS || results[i].workspaceSize > m->library->workspace_bytes) continue;
    if (number-- > 0) continue;
    m->algo = results[i].algo;
    m->workspace_bytes = results[i].workspaceSize;
    return 0;
  }
  return refuse(error, call, CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm for this product");
}

int blas_plan(const blas_library* library, const blas_problem* problem, int number, blas_matmul** matmul,
              blas_error* error) {
  if (enter(library->context, error)) return error->status;
  blas_matmul* m = calloc(1, sizeof *m);
  m->library = library;
  m->beta = problem->beta;
  m->uses_bias = problem->uses_bias;
  m->uses_aux = problem->uses_aux;
  cublasLtMatmulPreference_t preference = NULL;
  int failed = make_desc(m, problem, error) || make_layouts(m, problem, error) ||
               make_preference(library, &preference, error) || choose(m, preference, number, error);
  if (preference) cublasLtMatmulPreferenceDestroy(preference);
  if (failed) {
    blas_free_matmul(m);
    return error->status;
  }
  *matmul = m;
  return 0;
}

int blas_launch(blas_matmul* m, CUstream stream, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t bias,
                uint64_t aux) {
  if (enter(m->library->context, &m->error)) return m->error.status;
  if ((a | b | c | d | (m->uses_bias ? bias : 0) | (m->uses_aux ? aux : 0)) % BLAS_ALIGNMENT) {
    return refuse(&m->error, "cublasLtMatmul", CUBLAS_STATUS_INVALID_VALUE, "an operand is not aligned to 16 bytes");
  }
  if (set_pointers(m, (const void*)bias, (const void*)aux, &m->error)) return m->error.status;
  const float alpha = 1;
  cublasStatus_t status =
      cublasLtMatmul(m->library->handle, m->desc, &alpha, (const void*)a, m->a, (const void*)b, m->b, &m->beta,
                     (const void*)c, m->d, (void*)d, m->d, &m->algo, m->library->workspace, m->workspace_bytes, stream);
  return outcome(&m->error, "cublasLtMatmul", status);
}

void blas_free_matmul(blas_matmul* m) {
  if (m->a) cublasLtMatrixLayoutDestroy(m->a);
  if (m->b) cublasLtMatrixLayoutDestroy(m->b);
  if (m->d) cublasLtMatrixLayoutDestroy(m->d);
  if (m->desc) cublasLtMatmulDescDestroy(m->desc);
  free(m);
}
