package kernel

import "unsafe"

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

	apart bool // rows of A lie apart

	fewColumns int // columns of a task of a product of few rows
}

// begin sets what the whole product has in common.
func (c *call) begin(g *GEMM, args *Args) {
	c.args = args
	c.kn = &g.float
	if args.BF16 {
		c.kn = &g.bfloat
	}
	c.a = operand{args.A, args.LDA, !args.TransA, args.ReadA}
	c.b = operand{args.B, args.LDB, args.TransB, args.ReadB}
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

// mulBlocked computes the product chunk by chunk.
func (g *GEMM) mulBlocked() {
	c := &g.call
	args := c.args
	c.columns = c.args.M <= residentRows && args.N > args.M
	// As many blocks as every worker can have the same number of, of like size.
	blocks := roundUp(max(ceilDiv(args.M, maxBlockRows), min(8, ceilDiv(args.M, 16))), g.pool.Threads())
	c.blockRows = max(roundUp(ceilDiv(args.M, blocks), panelRows), 16)
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
func (g *GEMM) packTask(task, worker int) {
	c := &g.call
	i, part := task%c.blocks(), task/c.blocks()
	w := &g.workers[worker]
	if c.columns {
		row := part * c.blockRows
		w.packA(c, g.sharedA(row, i), row, min(c.blockRows, c.args.M-row), i)
		return
	}
	w.packB(c, g.sharedB(part, i), part, i)
}

// packA packs rows of block i of A as panels of 8 rows.
func (w *worker) packA(c *call, dst []float32, row, rows, i int) {
	from, k := c.block(i)
	c.kn.pack(dst, &c.a, w.read, slab{
		i0: row, n: rows, k0: from, k: k,
		groups: ceilDiv(rows, panelRows), kStride: panelRows, groupStride: panelRows * c.kn.steps(k),
	})
}

// packB packs panel p of block i of B.
func (w *worker) packB(c *call, dst []float32, p, i int) {
	from, k := c.block(i)
	col, cols, width := c.panel(p)
	c.kn.pack(dst, &c.b, w.read, slab{
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
		w.packA(c, w.a, row, rows, i)
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
	direct := c.readsB() && c.args.M <= c.kn.width && cols == width
	for i := range c.blocks() {
		if !direct {
			w.packB(c, w.b, p, i)
		}
		w.setBlock(c, i, &g.sharedA(0, i)[0], &w.b[0], width)
		if direct {
			w.readB(c, i, col)
		}
		w.compute(c, 0, c.args.M, col, cols)
		if c.finishes(i) {
			c.args.Tile(0, c.args.M, col, col+cols, worker)
		}
	}
}

// readsB says whether the tile kernel can read B in place: rows of floats across K.
func (c *call) readsB() bool {
	return c.kn.round == nil && !c.kn.pairs && c.args.ReadB == nil && !c.args.TransB
}

// readB lets the tile of block i read B in place, from column col on.
func (w *worker) readB(c *call, i, col int) {
	from, _ := c.block(i)
	w.tile.b, w.tile.bStep = &c.args.B[from*c.args.LDB+col], 4*c.args.LDB
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
	if c.apart {
		run = c.kn.rows[vectors-1]
	}
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
