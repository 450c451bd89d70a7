package kernel

const (
	streamColumns = 256 // columns of C per task at most
	streamLeast   = 64  // and at least, where there are so many
)

// streams says whether the product has so few rows that they are a panel, whose product
// with every row of Bᵀ is a tile: B is then read in place, since to pack it would take
// longer than to multiply. Sums are those of mulBlocked, in the same order.
func (c *call) streams(capacity int) bool {
	return c.kn.round == nil && !c.kn.pairs && c.args.TransB && c.b.read == nil && c.args.M <= c.kn.width &&
		c.args.N > c.args.M && c.args.K*c.streamWidth() <= capacity
}

// streamWidth is the number of rows of A in its panel, with those that fill it.
func (c *call) streamWidth() int { return roundUp(c.args.M, c.kn.lanes) }

// mulStream computes a product of one panel of rows on the Pool.
func (g *GEMM) mulStream() {
	c := &g.call
	args := c.args
	c.k, c.n = args.K, args.N
	width := c.streamWidth()
	for i := range c.blocks() {
		from, k := c.block(i)
		c.kn.pack(g.shared[from*width:], &c.a, g.workers[0].read, slab{
			n: args.M, k0: from, k: k, groups: width / 8, kStride: width, groupStride: 8,
		})
	}
	c.fewColumns = min(max(roundUp(ceilDiv(args.N, 4*g.pool.Threads()), panelRows), streamLeast), streamColumns)
	g.pool.For(ceilDiv(args.N, c.fewColumns), g.multiplyStream)
}

// streamTask computes one range of columns of C. Its transpose, a row of streamWidth for each
// column, comes first in the worker's memory.
func (g *GEMM) streamTask(task, worker int) {
	c, w := &g.call, &g.workers[worker]
	defer w.forget()
	args, width := c.args, c.streamWidth()
	from := task * c.fewColumns
	to := min(from+c.fewColumns, args.N)
	added, ld := args.Residual, args.LDR
	if args.Accumulate {
		added, ld = args.C, args.LDC
	}
	if added != nil {
		for m := range args.M {
			for j, v := range added[m*ld+from:][:to-from] {
				w.a[j*width+m] = v
			}
		}
	}
	for i := range c.blocks() {
		w.streamBlock(c, g.shared, i, from, to, i > 0 || added != nil)
		if i > 0 || args.Bias == nil {
			continue
		}
		for j, bias := range args.Bias[from:to] {
			for m := range width {
				w.a[j*width+m] += bias
			}
		}
	}
	for m := range args.M {
		row := args.C[m*args.LDC+from:][:to-from]
		for j := range row {
			row[j] = w.a[j*width+m]
		}
	}
	if args.Tile != nil {
		args.Tile(0, args.M, from, to, worker)
	}
}

// streamBlock sets w.a, of shape (to-from, width), to the product of block i, or adds it. x is A as
// mulStream packs it.
func (w *worker) streamBlock(c *call, x []float32, i, from, to int, add bool) {
	args, t, width := c.args, &w.tile, c.streamWidth()
	k0, k := c.block(i)
	vectors := width / c.kn.lanes
	t.k, t.b, t.bStep = k, &x[k0*width], 4*width
	t.ldc, t.ldsrc = 4*width, 4*width
	rows := func(run func(*tile), a *float32, row, panels int) {
		t.a, t.panels, t.c = a, panels, &w.a[row*width]
		if add {
			t.src = t.c
		}
		run(t)
	}
	rest := (to - from) % panelRows
	last := to - rest
	if last > from {
		t.aRow, t.aPanel = 4*args.LDB, 4*args.LDB*panelRows
		rows(c.kn.rows[vectors-1], &args.B[from*args.LDB+k0], 0, (last-from)/panelRows)
	}
	if rest > 0 { // these rows of Bᵀ are no panel, beyond which the kernel would read
		c.kn.pack(w.b, &c.b, w.read, slab{i0: last, n: rest, k0: k0, k: k, groups: 1, kStride: panelRows})
		t.aStep = 4 * panelRows
		rows(c.kn.tile[vectors-1], &w.b[0], last-from, 1)
	}
}
