// libcublasLt.so.13 for the simulator: descriptors, heuristic and matmul; cublaslt_gemm.cpp computes the products when
// the stream gets to them. It honours every attribute that cuda/abi/cublaslt.h lists and refuses, as the library's
// documentation says, what the library cannot do; cublasLtGetStatusString then tells the reason in words.
//
// Beyond the library it checks what a GPU would not: operands inside live allocations, pointers as aligned as the
// heuristic was told, an algorithm used for the problem that it was chosen for, a workspace that nobody else uses
// (each run overwrites it).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>

#include "cublaslt_problem.h"
#include "extension.h"

using lt::refuse;

namespace {

template <class T>
cublasStatus_t set(T* field, const void* value, size_t bytes) {
  if (!value || bytes != sizeof(T)) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "an attribute of %zu bytes was given %zu", sizeof(T), bytes);
  }
  memcpy(field, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t unknown_attribute(int attribute) {
  return refuse(CUBLAS_STATUS_INVALID_VALUE, "the simulator does not know attribute %d", attribute);
}

struct Work {
  gemm::Product product;
  void* workspace;
  size_t workspace_bytes;
  char name[64];  // as CUDASIM_TIMES has it
};

// Whether the kernel of an algorithm may run: as the library does, it is loaded at its first launch. In a capture that
// may wait for the device, which never ends where the device waits for another rank.
bool load(const cublasLtMatmulAlgo_t* algo, cudaStream_t stream) {
  static std::mutex mutex;
  static std::set<uint64_t> loaded;
  CUstreamCaptureStatus capture = CU_STREAM_CAPTURE_STATUS_NONE;
  cuStreamIsCapturing(stream, &capture);
  const std::lock_guard<std::mutex> lock(mutex);
  if (capture != CU_STREAM_CAPTURE_STATUS_NONE) return loaded.count(lt::kernel(algo)) || !cudasimRanks(0);
  loaded.insert(lt::kernel(algo));
  return true;
}

int run(void* data) {
  const Work* w = static_cast<Work*>(data);
  cudasimTook(w->name);
  gemm::run(w->product);
  if (w->workspace_bytes) memset(w->workspace, 0xff, w->workspace_bytes);
  return CUDA_SUCCESS;
}

void release(void* data) { delete static_cast<Work*>(data); }

}  // namespace

extern "C" {

size_t cublasLtGetVersion(void) { return 130000; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}

// The reason for the thread's latest refusal, whatever the status.
const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : lt::reason();
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  CUcontext context = nullptr;
  if (!handle) return refuse(CUBLAS_STATUS_INVALID_VALUE, "no place for the handle");
  if (cuCtxGetCurrent(&context) != CUDA_SUCCESS || !context) {
    return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "no current context");
  }
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute, cudaDataType scale) {
  *desc = new cublasLtMatmulDesc;
  (*desc)->compute = compute;
  (*desc)->scale = scale;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return set(&desc->trans_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return set(&desc->trans_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return set(&desc->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return set(&desc->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
      return set(&desc->bias_stride, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return set(&desc->aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return set(&desc->aux_ld, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE:
      return set(&desc->aux_stride, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return set(&desc->bias_type, value, bytes);
  }
  return unknown_attribute(attribute);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  *layout = new cublasLtMatrixLayout{type, rows, cols, ld};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return set(&layout->batch, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return set(&layout->stride, value, bytes);
  }
  return unknown_attribute(attribute);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return set(&preference->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return set(&preference->schemes, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return set(&preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
  }
  return unknown_attribute(attribute);
}

// The first of two or more answers is one that cannot be used, as the library's interface allows.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
                                              int wanted, cublasLtMatmulHeuristicResult_t results[], int* found) {
  gemm::Product p;
  if (wanted < 1 || !results || !found || !preference) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "no place for results");
  }
  *found = 0;
  if (cublasStatus_t s = lt::describe(desc, a, b, c, d, &p)) return s;
  if (wanted > 1) {
    results[(*found)++] = {};
    results[0].state = CUBLAS_STATUS_NOT_SUPPORTED;
  }
  for (int i = 0; i < lt::algorithms && *found < wanted; i++) {
    cublasLtMatmulHeuristicResult_t* r = &results[(*found)++];
    *r = {};
    r->state = CUBLAS_STATUS_SUCCESS;
    r->wavesCount = 1;
    r->algo = lt::choose(p, desc->epilogue, preference, i);
    r->workspaceSize = lt::workspace(&r->algo);
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  gemm::Product p;
  if (!handle || !alpha || !beta || !algo) return refuse(CUBLAS_STATUS_INVALID_VALUE, "an argument is missing");
  if (cublasStatus_t s = lt::describe(desc, a_layout, b_layout, c_layout, d_layout, &p)) return s;
  p.alpha = *static_cast<const float*>(alpha);
  p.beta = *static_cast<const float*>(beta);
  p.a.data = const_cast<void*>(a);
  p.b.data = const_cast<void*>(b);
  p.c.data = const_cast<void*>(c);
  p.d.data = d;
  if (cublasStatus_t s = lt::check(p, desc->epilogue, algo, workspace, workspace_bytes)) return s;
  if (!load(algo, stream)) return refuse(CUBLAS_STATUS_EXECUTION_FAILED, "a kernel is loaded lazily in a capture");
  p.backward = lt::number(algo) == 1;
  Work* work = new Work{p, workspace, lt::workspace(algo), {}};
  snprintf(work->name, sizeof work->name, "product/%d/epilogue %u", lt::number(algo), desc->epilogue);
  if (CUresult error = cudasimEnqueue(stream, nullptr, run, release, work)) {
    delete work;
    return refuse(CUBLAS_STATUS_EXECUTION_FAILED, "the stream refused the work: CUDA error %d", error);
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
