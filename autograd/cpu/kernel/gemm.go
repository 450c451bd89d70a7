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
	matrix("A", a.A, a.LDA, a.M, a.K, a.TransA)
	matrix("B", a.B, a.LDB, a.K, a.N, a.TransB)
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
	blockSteps     = 384         // steps along K of a block; a panel of B then is 72 KiB
	chunkSteps     = 3072        // steps along K that are packed at once
	sharedFloats   = 1536 * 1024 // the packed operand that all workers read: 6 MiB
	residentRows   = 288         // rows of A that are packed as a whole
	maxBlockRows   = 128         // rows of A that a worker packs for itself
	smallProduct   = 1 << 17     // M·N·K below which one worker is faster than two
	smallPack      = 8192        // elements below which one worker packs
	tilePanels     = 4           // panels of B per call of Args.Tile
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

	call                                                     // of Mul in progress
	packShared, multiply, multiplyFew func(task, worker int) // bound once
}

// A worker is the private memory of one worker of the Pool.
type worker struct {
	tile tile
	a    []float32 // maxBlockRows × blockSteps
	b    []float32 // blockSteps × width
	edge []float32 // 8 × width: a tile that overlaps the border of C
	_    [64]byte
}

// A call is a product, or the chunk of it, that is being computed.
type call struct {
	args *Args
	kn   *kernels
	a, b operand

	k0, k  int // chunk along K
	kBlock int // elements of a block, a multiple of 16
	n0, n  int // chunk along N

	columns   bool // tasks are panels of columns
	blockRows int  // else blocks of so many rows …
	segments  int  // … and panels of columns in so many parts

	fewColumns int // columns of a task of a product of few rows
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
	}
	g.packShared, g.multiply, g.multiplyFew = g.packTask, g.multiplyTask, g.fewTask
	return g
}

// Bytes is the size of all buffers.
func (g *GEMM) Bytes() int {
	n := cap(g.shared)
	for i := range g.workers {
		w := &g.workers[i]
		n += cap(w.a) + cap(w.b) + cap(w.edge)
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
	case args.M*args.N*args.K <= smallProduct:
		g.mulSerial(0, args)
	default:
		g.mulBlocked()
	}
	g.call = call{}
}

// mulBlocked computes the product chunk by chunk.
func (g *GEMM) mulBlocked() {
	c := &g.call
	args := c.args
	c.columns = c.args.M <= residentRows && args.N > args.M
	c.blockRows = min(max(roundUp(args.M/8, panelRows), 16), maxBlockRows)
	maxN := args.N
	if !c.columns {
		maxN = len(g.shared) / c.kn.steps(roundUp(min(args.K, c.chunk()), 16)) / c.kn.width * c.kn.width
	}
	for c.k0 = 0; c.k0 < args.K; c.k0 += c.chunk() {
		c.k = min(c.chunk(), args.K-c.k0)
		for c.n0 = 0; c.n0 < args.N; c.n0 += maxN {
			c.n = min(maxN, args.N-c.n0)
			g.mulChunk()
		}
	}
}

// begin sets what the whole product has in common.
func (c *call) begin(g *GEMM, args *Args) {
	c.args = args
	c.kn = &g.float
	if args.BF16 {
		c.kn = &g.bfloat
	}
	c.a = operand{args.A, args.LDA, !args.TransA}
	c.b = operand{args.B, args.LDB, args.TransB}
	block := c.elements(blockSteps)
	c.kBlock = roundUp(ceilDiv(args.K, ceilDiv(args.K, block)), 16)
}

// elements is the number of elements along K in so many steps.
func (c *call) elements(steps int) int {
	if c.kn.pairs {
		return 2 * steps
	}
	return steps
}

// chunk is the number of elements along K that are packed at once.
func (c *call) chunk() int { return c.kBlock * blocksPerChunk }

// blocks is the number of blocks in the chunk; block i covers K elements
// [from, from+k).
func (c *call) blocks() int { return ceilDiv(c.k, c.kBlock) }

func (c *call) block(i int) (from, k int) {
	return c.k0 + i*c.kBlock, min(c.kBlock, c.k-i*c.kBlock)
}

// panels is the number of panels of B in the chunk.
func (c *call) panels() int { return ceilDiv(c.n, c.kn.width) }

// panel is the extent of panel p: its columns of C and its padded width.
func (c *call) panel(p int) (col, cols, width int) {
	col = p * c.kn.width
	cols = min(c.kn.width, c.n-col)
	return c.n0 + col, cols, roundUp(cols, c.kn.lanes)
}

// mulChunk packs the shared operand of the chunk and runs the tasks.
func (g *GEMM) mulChunk() {
	c := &g.call
	packs, tasks, size := 0, 0, 0
	if c.columns {
		packs, size = ceilDiv(c.args.M, c.blockRows), c.args.M*c.k
		tasks = c.panels()
	} else {
		packs, size = c.panels(), c.n*c.k
		rows := ceilDiv(c.args.M, c.blockRows)
		c.segments = min(c.panels(), max(1, 2*g.pool.Threads()/rows))
		tasks = rows * c.segments
	}
	packs *= c.blocks()
	if size > smallPack {
		g.pool.For(packs, g.packShared)
	} else {
		for i := range packs {
			g.packTask(i, 0)
		}
	}
	g.pool.For(tasks, g.multiply)
}

// sharedA is where row (a multiple of 8) of block i of the shared A begins.
func (g *GEMM) sharedA(row, i int) []float32 {
	c := &g.call
	_, k := c.block(i)
	return g.shared[c.kn.steps(i*c.kBlock)*roundUp(c.args.M, panelRows)+row*c.kn.steps(k):]
}

// sharedB is where panel p of block i of the shared B begins.
func (g *GEMM) sharedB(p, i int) []float32 {
	c := &g.call
	_, k := c.block(i)
	return g.shared[c.kn.steps(i*c.kBlock)*roundUp(c.n, c.kn.lanes)+p*c.kn.width*c.kn.steps(k):]
}

// packTask packs a part of one block of the shared operand.
func (g *GEMM) packTask(task, _ int) {
	c := &g.call
	i, part := task%c.blocks(), task/c.blocks()
	if c.columns {
		row := part * c.blockRows
		c.packA(g.sharedA(row, i), row, min(c.blockRows, c.args.M-row), i)
		return
	}
	c.packB(g.sharedB(part, i), part, i)
}

// packA packs rows of block i of A as panels of 8 rows.
func (c *call) packA(dst []float32, row, rows, i int) {
	from, k := c.block(i)
	c.kn.pack(dst, &c.a, slab{
		i0: row, n: rows, k0: from, k: k,
		groups: ceilDiv(rows, panelRows), kStride: panelRows, groupStride: panelRows * c.kn.steps(k),
	})
}

// packB packs panel p of block i of B.
func (c *call) packB(dst []float32, p, i int) {
	from, k := c.block(i)
	col, cols, width := c.panel(p)
	c.kn.pack(dst, &c.b, slab{
		i0: col, n: cols, k0: from, k: k,
		groups: width / 8, kStride: width, groupStride: 8,
	})
}

// multiplyTask computes one panel of columns, or one block of rows, of the chunk.
func (g *GEMM) multiplyTask(task, worker int) {
	c := &g.call
	defer g.workers[worker].forget()
	if c.columns {
		g.multiplyColumns(task, worker)
		return
	}
	row := task / c.segments * c.blockRows
	segment := task % c.segments
	from, to := segment*c.panels()/c.segments, (segment+1)*c.panels()/c.segments
	g.multiplyRows(row, min(c.blockRows, c.args.M-row), from, to, worker)
}

// multiplyRows computes rows of C in panels [from, to), with B shared.
func (g *GEMM) multiplyRows(row, rows, from, to, worker int) {
	c, w := &g.call, &g.workers[worker]
	for i := range c.blocks() {
		c.packA(w.a, row, rows, i)
		begin, _, _ := c.panel(from)
		for p := from; p < to; p++ {
			col, cols, width := c.panel(p)
			w.setBlock(c, i, &w.a[0], &g.sharedB(p, i)[0], width)
			w.compute(c, row, rows, col, cols)
			if c.finishes(i) && ((p-from)%tilePanels == tilePanels-1 || p == to-1) {
				c.args.Tile(row, row+rows, begin, col+cols, worker)
				begin = col + cols
			}
		}
	}
}

// multiplyColumns computes panel p of all rows of C, with A shared.
func (g *GEMM) multiplyColumns(p, worker int) {
	c, w := &g.call, &g.workers[worker]
	col, cols, width := c.panel(p)
	for i := range c.blocks() {
		c.packB(w.b, p, i)
		w.setBlock(c, i, &g.sharedA(0, i)[0], &w.b[0], width)
		w.compute(c, 0, c.args.M, col, cols)
		if c.finishes(i) {
			c.args.Tile(0, c.args.M, col, col+cols, worker)
		}
	}
}

// finishes says whether Args.Tile is due after block i.
func (c *call) finishes(i int) bool {
	return c.args.Tile != nil && c.k0+c.k == c.args.K && i == c.blocks()-1
}

// setBlock prepares the tile for packed panels of block i.
func (w *worker) setBlock(c *call, i int, a, b *float32, width int) {
	from, k := c.block(i)
	args, t := c.args, &w.tile
	t.k = c.kn.steps(k)
	t.a, t.aStep, t.aPanel = a, 4*panelRows, 4*panelRows*t.k
	t.b, t.bStep = b, 4*width
	t.ldc = 4 * args.LDC
	t.src, t.ldsrc, t.bias = nil, 0, nil
	switch {
	case from > 0 || args.Accumulate:
		t.src, t.ldsrc = &args.C[0], 4*args.LDC
	case args.Residual != nil:
		t.src, t.ldsrc = &args.Residual[0], 4*args.LDR
	}
	if from == 0 && args.Bias != nil {
		t.bias = &args.Bias[0]
	}
}

// forget drops the pointers to the caller's matrices, so that they neither keep
// memory alive nor point to memory that was unmapped.
func (w *worker) forget() { w.tile = tile{} }

// compute runs the tile set by setBlock on rows and columns of C. Tiles that
// overlap the border are computed aside and copied.
func (w *worker) compute(c *call, row, rows, col, cols int) {
	t, args := &w.tile, c.args
	vectors := ceilDiv(cols, c.kn.lanes)
	run := c.kn.tile[vectors-1]
	a, src, bias := t.a, t.src, t.bias
	if src != nil {
		src = at(src, row*t.ldsrc+4*col)
	}
	if bias != nil {
		bias = at(bias, 4*col)
	}
	whole := 0
	if cols == vectors*c.kn.lanes {
		whole = rows / panelRows
	}
	if whole > 0 {
		t.panels, t.c, t.src, t.bias = whole, &args.C[row*args.LDC+col], src, bias
		run(t)
	}
	for p := whole; p*panelRows < rows; p++ {
		ldc := t.ldc
		t.panels, t.a, t.src, t.bias = 1, at(a, p*t.aPanel), nil, nil
		t.c, t.ldc = &w.edge[0], 4*c.kn.width
		run(t)
		t.ldc = ldc
		for i := p * panelRows; i < min(rows, (p+1)*panelRows); i++ {
			from := src
			if src != nil {
				from = at(src, i*t.ldsrc)
			}
			sum := w.edge[(i-p*panelRows)*c.kn.width:][:cols]
			finishRow(args.C[(row+i)*args.LDC+col:][:cols], sum, from, bias)
		}
	}
}

// finishRow sets c = sum (+ src) (+ bias); src and bias may be nil.
func finishRow(c, sum []float32, src, bias *float32) {
	if src != nil {
		for j, v := range unsafe.Slice(src, len(sum)) {
			sum[j] += v
		}
	}
	if bias != nil {
		for j, v := range unsafe.Slice(bias, len(sum)) {
			sum[j] += v
		}
	}
	copy(c, sum)
}
