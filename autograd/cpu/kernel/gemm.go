package kernel

import (
	"fmt"
	"unsafe"
)

// Args is one matrix product:
//
//	C = op(A)·op(B) + C        if Accumulate
//	C = op(A)·op(B) + Residual if Residual is set
//	C = op(A)·op(B)            otherwise
//
// plus Bias on every row, then Tile. op(A) is (M, K), op(B) is (K, N), C and
// Residual are (M, N); all are row-major with a leading dimension in elements.
// C overlaps no input, except that Residual may be C.
type Args struct {
	M, N, K int

	TransA, TransB bool // A is stored (K, M); B is stored (N, K)

	A   []float32
	LDA int
	B   []float32
	LDB int
	C   []float32
	LDC int

	// ReadA and ReadB, if set, are asked for A and B, as stored, instead. The product has
	// the bits of that with what they write, if K is at most readFloats/4.
	ReadA, ReadB Reader

	Accumulate bool
	Residual   []float32 // excludes Accumulate
	LDR        int
	Bias       []float32 // (N), or nil

	// BF16 rounds A and B to bfloat16 (nearest, ties to even; subnormals to
	// zero) while they are packed. Products and sums stay float32.
	BF16 bool

	// Tile, if set, is called on the worker for each finished part of C, rows
	// [row0, row1) and columns [col0, col1), while it is in the cache. Each
	// element of C is in exactly one call. An activation belongs here.
	Tile func(row0, row1, col0, col1, worker int)
}

// A Reader writes rows [row, row+rows) and columns [col, col+cols) of a matrix that is
// nowhere as a whole, such as the patches of a picture or weights of few bits, to dst, one
// row behind the other. Workers call it at once.
type Reader func(dst []float32, row, rows, col, cols int)

// validate panics where the arguments contradict each other: shapes are checked
// by whoever built the program, so a mismatch here is a bug.
func (a *Args) validate() {
	matrix := func(name string, p []float32, ld, rows, cols int, transposed bool) {
		if transposed {
			rows, cols = cols, rows
		}
		if ld < cols || len(p) < (rows-1)*ld+cols {
			panic(fmt.Sprintf("kernel: GEMM (%d, %d) × (%d, %d): %s has %d elements and leading dimension %d, too few for (%d, %d)",
				a.M, a.K, a.K, a.N, name, len(p), ld, rows, cols))
		}
	}
	if a.M < 1 || a.N < 1 || a.K < 1 {
		panic(fmt.Sprintf("kernel: GEMM (%d, %d) × (%d, %d): dimensions must be positive", a.M, a.K, a.K, a.N))
	}
	if a.ReadA == nil {
		matrix("A", a.A, a.LDA, a.M, a.K, a.TransA)
	}
	if a.ReadB == nil {
		matrix("B", a.B, a.LDB, a.K, a.N, a.TransB)
	}
	matrix("C", a.C, a.LDC, a.M, a.N, false)
	if a.Residual != nil {
		matrix("Residual", a.Residual, a.LDR, a.M, a.N, false)
	}
	if a.Residual != nil && a.Accumulate {
		panic("kernel: GEMM: Accumulate and Residual exclude each other")
	}
	if a.Bias != nil && len(a.Bias) < a.N {
		panic(fmt.Sprintf("kernel: GEMM: bias has %d elements, N is %d", len(a.Bias), a.N))
	}
}

const (
	blockSteps     = 384                 // steps along K of a block; a panel of B then is 72 KiB
	chunkSteps     = 4224                // steps along K that are packed at once
	sharedFloats   = 1536 * 1024         // the packed operand that all workers read: 6 MiB
	residentRows   = 384                 // rows of A that are packed as a whole
	maxBlockRows   = 128                 // rows of A that a worker packs for itself
	smallProduct   = 1 << 17             // M·N·K below which one worker is faster than two
	smallPack      = 8192                // elements below which one worker packs
	readFloats     = 32 * 2 * blockSteps // what a Reader is asked for at once
	tilePanels     = 4                   // panels of B per call of Args.Tile
	blocksPerChunk = chunkSteps / blockSteps
)

// A GEMM multiplies matrices on a Pool. It owns the packing buffers, whose size
// depends on the number of threads only; Mul and MulSerial do not allocate.
//
// # Algorithm
//
// Goto's: K is cut into blocks of at most 384 steps; panels of 8 rows of A and of
// up to 48 columns of B are laid out contiguously, and a tile kernel keeps 8×48
// sums in registers over a block. The smaller operand is packed once for all
// workers and stays in the L2 (or L3) cache; the larger one is packed by the
// worker that uses it, and so streams from memory once:
//
//   - many rows (M > 288 or M ≥ N): B is shared, a task is a block of rows of C;
//   - few rows, many columns: A is shared, a task is one panel of columns of C.
//
// Packing and multiplying are loops of the Pool, so there is no barrier at which
// a worker without a core stops the others.
//
// An element of C is the same sum in the same order whatever tile, task or worker
// it falls into: results do not depend on the number of threads.
type GEMM struct {
	pool    *Pool
	float   kernels // float32 products
	bfloat  kernels // bfloat16 products
	shared  []float32
	workers []worker

	call                                                                     // of Mul in progress
	packShared, multiply, multiplyFew, multiplyStream func(task, worker int) // bound once
}

// A worker is the private memory of one worker of the Pool.
type worker struct {
	tile tile
	a    []float32 // maxBlockRows × blockSteps
	b    []float32 // blockSteps × width
	edge []float32 // 8 × width: a tile that overlaps the border of C
	read []float32 // what a Reader has written, before it is packed
	_    [64]byte
}

// NewGEMM allocates the buffers for products on pool by the kernels of isa.
func NewGEMM(pool *Pool, isa ISA) *GEMM {
	g := &GEMM{
		pool:    pool,
		float:   isa.kernels(false),
		bfloat:  isa.kernels(true),
		shared:  alignedFloats(sharedFloats),
		workers: make([]worker, pool.Threads()),
	}
	for i := range g.workers {
		w := &g.workers[i]
		w.a = alignedFloats(maxBlockRows * blockSteps)
		w.b = alignedFloats(blockSteps * g.float.width)
		w.edge = alignedFloats(panelRows * g.float.width)
		w.read = alignedFloats(readFloats)
	}
	g.packShared, g.multiply, g.multiplyFew, g.multiplyStream = g.packTask, g.multiplyTask, g.fewTask, g.streamTask
	return g
}

// Bytes is the size of all buffers.
func (g *GEMM) Bytes() int {
	n := cap(g.shared)
	for i := range g.workers {
		w := &g.workers[i]
		n += cap(w.a) + cap(w.b) + cap(w.edge) + cap(w.read)
	}
	return 4 * n
}

// alignedFloats allocates n floats that start at a cache line.
func alignedFloats(n int) []float32 {
	b := make([]float32, n+15)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) & 63 / 4)
	return b[skip : skip+n]
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// Mul computes the product on all workers of the Pool. Calls must not overlap.
func (g *GEMM) Mul(args *Args) {
	args.validate()
	c := &g.call
	c.begin(g, args)
	switch {
	case c.few(len(g.shared)):
		g.mulFew()
	case c.streams(len(g.shared)):
		g.mulStream()
	case args.M*args.N*args.K <= smallProduct:
		g.mulSerial(0, args)
	default:
		g.mulBlocked()
	}
	g.call = call{}
}
