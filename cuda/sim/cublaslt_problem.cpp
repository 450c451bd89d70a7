#include "cublaslt_problem.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "extension.h"

namespace lt {
namespace {

// What an algorithm's opaque words hold.
enum { MARK, FINGERPRINT, ALIGNMENTS, BIAS_ALIGNMENT, AUX_ALIGNMENT, WORKSPACE, NUMBER };

constexpr uint64_t algo_mark = 0x73696d6c74;

thread_local char latest_reason[256];

bool known_type(int type) { return type == CUDA_R_32F || type == CUDA_R_16BF; }

gemm::Type element(int type) { return type == CUDA_R_32F ? gemm::Type::f32 : gemm::Type::bf16; }

gemm::Matrix matrix(const cublasLtMatrixLayout* l) {
  return {nullptr, element(l->type), int64_t(l->rows), int64_t(l->cols), l->ld, l->stride};
}

bool epilogue(uint32_t value, gemm::Epilogue* e) {
  *e = {};
  switch (value) {
    case CUBLASLT_EPILOGUE_DEFAULT:
      return true;
    case CUBLASLT_EPILOGUE_BIAS:
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
      e->bias = value & CUBLASLT_EPILOGUE_BIAS;
      e->gelu = value & CUBLASLT_EPILOGUE_GELU;
      e->store_aux = value & 128;
      return true;
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD:
      e->dgelu = true;
      e->bias_gradient = value == CUBLASLT_EPILOGUE_DGELU_BGRAD;
      return true;
    case CUBLASLT_EPILOGUE_BGRADA:
      return e->row_sums = true;
    case CUBLASLT_EPILOGUE_BGRADB:
      return e->column_sums = true;
  }
  return false;
}

bool uses_aux(const gemm::Epilogue& e) { return e.store_aux || e.dgelu; }

bool makes_bias(const gemm::Epilogue& e) { return e.bias_gradient || e.row_sums || e.column_sums; }

bool uses_bias(const gemm::Epilogue& e) { return e.bias || makes_bias(e); }

// The checks of types that the table of cublasLtMatmul in the library's documentation states.
cublasStatus_t check_types(const cublasLtMatmulDesc* desc, const cublasLtMatrixLayout* a, const cublasLtMatrixLayout* b,
                           const cublasLtMatrixLayout* c, const cublasLtMatrixLayout* d) {
  bool tf32 = desc->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (desc->scale != CUDA_R_32F || (desc->compute != CUBLAS_COMPUTE_32F && !tf32)) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "compute type %d with scale type %d", desc->compute, desc->scale);
  }
  for (const cublasLtMatrixLayout* l : {a, b, c, d}) {
    if (!known_type(l->type)) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "element type %d", l->type);
  }
  if (a->type != b->type || c->type != d->type || (a->type == CUDA_R_32F && d->type != CUDA_R_32F)) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "element types of A, B, C, D: %d, %d, %d, %d", a->type, b->type, c->type,
                  d->type);
  }
  if (tf32 && a->type != CUDA_R_32F) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "TF32 with bfloat16 operands");
  if (desc->bias_type != -1 && desc->bias_type != d->type) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "bias of type %d with D of type %d", desc->bias_type, d->type);
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_shapes(const gemm::Product& p, const cublasLtMatrixLayout* a, const cublasLtMatrixLayout* b,
                            const cublasLtMatrixLayout* c, const cublasLtMatrixLayout* d) {
  bool same = p.a.rows == (p.trans_a ? p.k : p.m) && p.b.rows == (p.trans_b ? p.n : p.k) &&
              p.b.cols == (p.trans_b ? p.k : p.n) && p.c.rows == p.m && p.c.cols == p.n;
  if (!same || p.m < 1 || p.n < 1 || p.k < 1) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "shapes: A %ld×%ld, B %ld×%ld, C %ld×%ld, D %ld×%ld", p.a.rows, p.a.cols,
                  p.b.rows, p.b.cols, p.c.rows, p.c.cols, p.d.rows, p.d.cols);
  }
  const char* name = "ABCD";
  for (const cublasLtMatrixLayout* l : {a, b, c, d}) {
    if (l->ld < int64_t(l->rows)) {
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "%c: leading dimension %ld below %lu rows", *name, l->ld, l->rows);
    }
    if (l->batch != d->batch || l->batch < 1) {
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "%c: batch count %d, D's is %d", *name, l->batch, d->batch);
    }
    name++;
  }
  if (p.batch > 1 && p.d.stride < p.d.ld * (p.n - 1) + p.m) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "matrices of D overlap: batch offset %ld", p.d.stride);
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_epilogue(const cublasLtMatmulDesc* desc, const gemm::Product& p) {
  if (uses_aux(p.epilogue)) {
    if (p.aux.ld % 8 || p.aux.ld < p.m) {
      return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "aux: leading dimension %ld for %ld rows, must be a multiple of 8",
                    p.aux.ld, p.m);
    }
    if (p.batch > 1 && (p.aux.stride % 8 || p.aux.stride < p.aux.ld * (p.n - 1) + p.m)) {
      return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "aux: batch stride %ld", p.aux.stride);
    }
    if (uintptr_t(desc->aux) % 16) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "aux: not aligned to 16 bytes");
  }
  if (p.epilogue.row_sums && p.trans_a) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "BGRADA is for an A that is not transposed");
  }
  if (p.epilogue.column_sums && !p.trans_b) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "BGRADB is for a transposed B");
  }
  if (makes_bias(p.epilogue) && p.batch > 1 && p.bias_stride < (p.epilogue.column_sums ? p.n : p.m)) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "the bias gradients of a batch overlap: stride %ld", p.bias_stride);
  }
  return CUBLAS_STATUS_SUCCESS;
}

// The largest power of two up to 256 that divides an address; null is aligned to anything.
uint64_t alignment(const void* p) {
  uint64_t bits = uintptr_t(p) | 256;
  return bits & -bits;
}

// A value that differs between problems for which an algorithm chosen for one must not be used for the other.
uint64_t fingerprint(const gemm::Product& p, uint32_t epilogue) {
  uint64_t hash = 14695981039346656037u;
  for (int64_t v : {p.m, p.n, p.k, p.batch, int64_t(p.trans_a), int64_t(p.trans_b), int64_t(p.tf32), int64_t(epilogue),
                    int64_t(p.a.type), int64_t(p.d.type), p.a.ld, p.b.ld, p.c.ld, p.d.ld, p.aux.ld}) {
    hash = (hash ^ uint64_t(v)) * 1099511628211u;
  }
  return hash;
}

int64_t extent(const gemm::Matrix& m, int64_t batch) {
  return ((batch - 1) * m.stride + (m.cols - 1) * m.ld + m.rows) * gemm::size(m.type);
}

cublasStatus_t check_operand(const char* name, const void* p, int64_t bytes, uint64_t align) {
  if (uintptr_t(p) % align) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "%s: %p is not aligned to %lu bytes, which the heuristic was told", name,
                  p, align);
  }
  if (!cudasimIsDevice(reinterpret_cast<CUdeviceptr>(p), bytes)) {
    return refuse(CUBLAS_STATUS_EXECUTION_FAILED, "%s: %ld bytes at %p are not inside one live allocation", name, bytes,
                  p);
  }
  return CUBLAS_STATUS_SUCCESS;
}

// Fails when the packed matrix D shares bytes with another operand.
cublasStatus_t check_overlap(const gemm::Product& p, const char* name, const void* other, int64_t bytes) {
  if (p.d.ld != p.m) return CUBLAS_STATUS_SUCCESS;
  const char *d = static_cast<const char*>(p.d.data), *o = static_cast<const char*>(other);
  if (d + extent(p.d, p.batch) <= o || o + bytes <= d) return CUBLAS_STATUS_SUCCESS;
  return refuse(CUBLAS_STATUS_INVALID_VALUE, "D overlaps %s", name);
}

cublasStatus_t check_operands(const gemm::Product& p, const cublasLtMatmulAlgo_t* algo) {
  struct {
    const char* name;
    const gemm::Matrix& m;
  } matrices[] = {{"A", p.a}, {"B", p.b}, {"C", p.c}, {"D", p.d}};
  for (int i = 0; i < 4; i++) {
    if (i == 2 && p.beta == 0) continue;
    const gemm::Matrix& m = matrices[i].m;
    int64_t bytes = extent(m, p.batch);
    uint64_t align = algo->data[ALIGNMENTS] >> 16 * i & 0xffff;
    if (cublasStatus_t s = check_operand(matrices[i].name, m.data, bytes, align)) return s;
    bool in_place = i == 2 && m.data == p.d.data && m.ld == p.d.ld && m.stride == p.d.stride;
    if (i == 3 || in_place || (i < 2 && m.ld != m.rows)) continue;
    if (cublasStatus_t s = check_overlap(p, matrices[i].name, m.data, bytes)) return s;
  }
  if (uses_bias(p.epilogue)) {
    int64_t count = (p.batch - 1) * p.bias_stride + (p.epilogue.column_sums ? p.n : p.m);
    int64_t bytes = count * gemm::size(p.d.type);
    if (cublasStatus_t s = check_operand("bias", p.bias, bytes, algo->data[BIAS_ALIGNMENT])) return s;
    if (cublasStatus_t s = check_overlap(p, "the bias", p.bias, bytes)) return s;
  }
  if (uses_aux(p.epilogue)) {
    int64_t bytes = extent(p.aux, p.batch);
    if (cublasStatus_t s = check_operand("aux", p.aux.data, bytes, algo->data[AUX_ALIGNMENT])) return s;
    if (cublasStatus_t s = check_overlap(p, "aux", p.aux.data, bytes)) return s;
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

cublasStatus_t refuse(cublasStatus_t status, const char* format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(latest_reason, sizeof latest_reason, format, args);
  va_end(args);
  return status;
}

const char* reason() { return latest_reason; }

cublasStatus_t describe(const cublasLtMatmulDesc* desc, const cublasLtMatrixLayout* a, const cublasLtMatrixLayout* b,
                        const cublasLtMatrixLayout* c, const cublasLtMatrixLayout* d, gemm::Product* p) {
  if (!desc || !a || !b || !c || !d) return refuse(CUBLAS_STATUS_INVALID_VALUE, "a descriptor is missing");
  if (cublasStatus_t s = check_types(desc, a, b, c, d)) return s;
  p->trans_a = desc->trans_a == CUBLAS_OP_T;
  p->trans_b = desc->trans_b == CUBLAS_OP_T;
  p->tf32 = desc->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  p->m = d->rows;
  p->n = d->cols;
  p->k = p->trans_a ? a->rows : a->cols;
  p->batch = d->batch;
  p->a = matrix(a);
  p->b = matrix(b);
  p->c = matrix(c);
  p->d = matrix(d);
  if (cublasStatus_t s = check_shapes(*p, a, b, c, d)) return s;
  if (!epilogue(desc->epilogue, &p->epilogue)) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "the simulator does not know epilogue %u", desc->epilogue);
  }
  p->aux = {desc->aux, p->d.type, p->m, p->n, desc->aux_ld, desc->aux_stride};
  p->bias = desc->bias;
  p->bias_stride = desc->bias_stride;
  return check_epilogue(desc, *p);
}

cublasLtMatmulAlgo_t choose(const gemm::Product& p, uint32_t epilogue, const cublasLtMatmulPreference* preference,
                            int algorithm) {
  cublasLtMatmulAlgo_t algo = {};
  algo.data[MARK] = algo_mark;
  algo.data[FINGERPRINT] = fingerprint(p, epilogue);
  for (int i = 0; i < 4; i++) algo.data[ALIGNMENTS] |= uint64_t(preference->alignment[i]) << 16 * i;
  algo.data[BIAS_ALIGNMENT] = alignment(p.bias);
  algo.data[AUX_ALIGNMENT] = alignment(p.aux.data);
  algo.data[WORKSPACE] = preference->workspace >= algo_workspace ? algo_workspace : 0;
  algo.data[NUMBER] = algorithm;
  return algo;
}

int number(const cublasLtMatmulAlgo_t* algo) { return static_cast<int>(algo->data[NUMBER]); }

uint64_t kernel(const cublasLtMatmulAlgo_t* algo) { return algo->data[FINGERPRINT] * algorithms + algo->data[NUMBER]; }

cublasStatus_t check(const gemm::Product& p, uint32_t epilogue, const cublasLtMatmulAlgo_t* algo, void* workspace,
                     size_t workspace_bytes) {
  if (algo->data[MARK] != algo_mark || algo->data[FINGERPRINT] != fingerprint(p, epilogue)) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "the algorithm was chosen for another problem");
  }
  if (cublasStatus_t s = check_operands(p, algo)) return s;
  size_t needed = algo->data[WORKSPACE];
  if (needed > workspace_bytes) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "workspace of %zu bytes, needs %zu", workspace_bytes, needed);
  }
  if (!needed) return CUBLAS_STATUS_SUCCESS;
  if (cublasStatus_t s = check_operand("workspace", workspace, needed, 16)) return s;
  return check_overlap(p, "the workspace", workspace, needed);
}

size_t workspace(const cublasLtMatmulAlgo_t* algo) { return algo->data[WORKSPACE]; }

}  // namespace lt
