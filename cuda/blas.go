//go:build gpu

package cuda

// #include "blas_lt.h"
// #include "library.h"
import "C"

import (
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"unsafe"
)

// ErrNoBLAS says that libcublasLt was not found.
var ErrNoBLAS = errors.New("cuda: no cuBLASLt on this machine (install CUDA's libraries, or pip install nvidia-cublas in an active Python environment)")

// BLAS computes matrix products on one device by cuBLASLt.
type BLAS struct {
	lt *C.blas_library

	mu      sync.Mutex
	planned map[planning]*Matmul
}

// planning is a product with the number of its algorithm among the heuristic's answers.
type planning struct {
	Product
	number int
}

// NewBLAS opens cuBLASLt with a workspace for its algorithms, aligned to 256
// bytes; 32 MiB is what NVIDIA advises for Hopper and later. All products use the
// same workspace, so they have to run one after the other: on one stream, or on
// streams that wait for each other. Concurrent streams need a
// BLAS each.
func (d *Device) NewBLAS(workspace Ptr, bytes int64) (*BLAS, error) {
	if l := C.gotrain_open_cublasLt(); l.path[0] == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoBLAS, C.GoString(&l.error[0]))
	}
	b := &BLAS{planned: map[planning]*Matmul{}}
	var failure C.blas_error
	if C.blas_open(d.raw, C.uint64_t(workspace), C.size_t(bytes), &b.lt, &failure) != 0 {
		return nil, blasError(&failure)
	}
	return b, nil
}

// Close frees the library's handle and all planned products. Their launches must
// be finished, and graphs that captured them gone.
func (b *BLAS) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lt == nil {
		return nil
	}
	for _, m := range b.planned {
		C.blas_free_matmul(m.matmul)
	}
	C.blas_close(b.lt)
	b.planned, b.lt = nil, nil
	return nil
}

// Version is the version of the library: 13.1.0 is 130100.
func (b *BLAS) Version() int { return int(C.cublasLtGetVersion()) }

// Matmul is a planned product. It may be launched with other operands each time,
// from any goroutine.
type Matmul struct {
	product   Product
	algorithm string

	mu     sync.Mutex // the operands are fields of matmul for the time of a launch
	matmul *C.blas_matmul
}

// Plan chooses the algorithm of a product that cuBLASLt's heuristic takes for the
// fastest. The same product has the same Matmul. Where cuBLASLt lacks the epilogue,
// the error wraps [ErrEpilogue].
func (b *BLAS) Plan(p Product) (*Matmul, error) { return b.plan(p, 0) }

// Candidates plans a product by each algorithm that the heuristic names, at most eight,
// the fastest by its estimate first. They differ by rounding. The errors are Plan's.
func (b *BLAS) Candidates(p Product) ([]*Matmul, error) {
	var all []*Matmul
	for number := range C.BLAS_CANDIDATES {
		m, err := b.plan(p, number)
		if err != nil && number == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
		all = append(all, m)
	}
	return all, nil
}

func (b *BLAS) plan(p Product, number int) (*Matmul, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := planning{p, number}
	if m := b.planned[key]; m != nil {
		return m, nil
	}
	problem := p.columnMajor()
	m := &Matmul{product: p}
	var failure C.blas_error
	switch C.blas_plan(b.lt, &problem, C.int(number), &m.matmul, &failure) {
	case C.CUBLAS_STATUS_SUCCESS:
		b.planned[key] = m
		h := fnv.New64a()
		h.Write(C.GoBytes(unsafe.Pointer(&m.matmul.algo), C.int(unsafe.Sizeof(m.matmul.algo))))
		m.algorithm = fmt.Sprintf("%016x", h.Sum64())
		return m, nil
	case C.CUBLAS_STATUS_NOT_SUPPORTED, C.CUBLAS_STATUS_INVALID_VALUE:
		if p.Epilogue != Plain {
			return nil, fmt.Errorf("cuda: product %v: %w: %w", p, ErrEpilogue, blasError(&failure))
		}
	}
	return nil, fmt.Errorf("cuda: product %v: %w", p, blasError(&failure))
}

// columnMajor describes p as cuBLASLt sees the same memory: every matrix
// transposed, so that Dᵀ (N, M) = op(B)ᵀ · op(A)ᵀ and A and B change places.
func (p Product) columnMajor() C.blas_problem {
	rowsA, _ := p.storedA()
	rowsB, _ := p.storedB()
	c := C.blas_problem{
		m: C.int64_t(p.N), n: C.int64_t(p.M), k: C.int64_t(p.K), batch: C.int32_t(p.Batch),
		trans_a: operation(p.TransB), trans_b: operation(p.TransA),
		lda: C.int64_t(p.LDB), ldb: C.int64_t(p.LDA), ldd: C.int64_t(p.LDC), ld_aux: C.int64_t(p.N),
		stride_a: C.int64_t(rowsB * p.LDB), stride_b: C.int64_t(rowsA * p.LDA), stride_d: C.int64_t(p.M * p.LDC),
		stride_aux: C.int64_t(p.M * p.N),
		type_ab:    dataType(p.AB), type_d: dataType(p.D), compute: C.CUBLAS_COMPUTE_32F,
		epilogue: columnEpilogues[p.Epilogue], beta: C.float(p.Beta),
	}
	if p.TF32 {
		c.compute = C.CUBLAS_COMPUTE_32F_FAST_TF32
	}
	if p.usesBias() {
		c.uses_bias = 1
	}
	if p.usesAux() {
		c.uses_aux = 1
	}
	return c
}

// columnEpilogues are cuBLASLt's names, for which A is this package's B.
var columnEpilogues = [...]C.uint32_t{
	Plain:             C.CUBLASLT_EPILOGUE_DEFAULT,
	Bias:              C.CUBLASLT_EPILOGUE_BIAS,
	GELU:              C.CUBLASLT_EPILOGUE_GELU,
	GELUBias:          C.CUBLASLT_EPILOGUE_GELU_BIAS,
	GELUAux:           C.CUBLASLT_EPILOGUE_GELU_AUX,
	GELUAuxBias:       C.CUBLASLT_EPILOGUE_GELU_AUX_BIAS,
	DGELU:             C.CUBLASLT_EPILOGUE_DGELU,
	DGELUBiasGradient: C.CUBLASLT_EPILOGUE_DGELU_BGRAD,
	BiasGradientA:     C.CUBLASLT_EPILOGUE_BGRADB,
	BiasGradientB:     C.CUBLASLT_EPILOGUE_BGRADA,
}

func operation(transposed bool) C.int32_t {
	if transposed {
		return C.CUBLAS_OP_T
	}
	return C.CUBLAS_OP_N
}

func dataType(t DType) C.int32_t {
	if t == BFloat16 {
		return C.CUDA_R_16BF
	}
	return C.CUDA_R_32F
}

// Algorithm names the algorithm by a hash of what cuBLASLt says of it: the same in
// every process with the same version of the library.
func (m *Matmul) Algorithm() string { return m.algorithm }

// Product tells what m computes.
func (m *Matmul) Product() Product { return m.product }

// Launch queues the product on a stream. All operands are aligned to 16 bytes.
// c may be d; 0 stands for d. bias and aux are read or stored where the epilogue
// says so.
func (m *Matmul) Launch(s *Stream, a, b, c, d, bias, aux Ptr) error {
	if c == 0 {
		c = d
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// cuBLASLt's A is B: see columnMajor.
	if C.blas_launch(m.matmul, s.handle(), C.uint64_t(b), C.uint64_t(a), C.uint64_t(c), C.uint64_t(d), C.uint64_t(bias), C.uint64_t(aux)) == 0 {
		return nil
	}
	return fmt.Errorf("cuda: product %v: %w", m.product, blasError(&m.matmul.error))
}

func blasError(e *C.blas_error) error {
	code := int(e.status)
	if code == C.ABI_MISSING_LIBRARY {
		return &Error{C.GoString(e.call), code, "function not found", "libcublasLt.so.12 or later is needed"}
	}
	return &Error{C.GoString(e.call), code, C.GoString(&e.name[0]), C.GoString(&e.text[0])}
}
