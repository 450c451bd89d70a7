package kernel

const (
	streamColumns = 256 // columns of C per task at most
	streamLeast   = 64  // and at least, where there are so many
)

// streams says whether the product has so few rows that they are a panel, whose product
// with every row of Bᵀ is a tile: B is then read in place, since to pack it would take
// longer than to multiply. Sums are those of mulBlocked, in the same order.
func (c *call) streams(capacity int) bool {
	return c.kn.stream[0] != nil && c.args.TransB && c.b.read == nil && c.args.M <= c.kn.width &&
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

// streamTask computes one range of columns of C. Its transpose comes first, block by block of
// K, in the worker's memory.
func (g *GEMM) streamTask(task, worker int) {
	c, w := &g.call, &g.workers[worker]
	defer w.forget()
	from := task * c.fewColumns
	to := min(from+c.fewColumns, c.args.N)
	var src []float32
	switch {
	case c.args.Accumulate:
		src = w.transpose(c, c.args.C, c.args.LDC, from, to)
	case c.args.Residual != nil:
		src = w.transpose(c, c.args.Residual, c.args.LDR, from, to)
	}
	for i := range c.blocks() {
		w.streamBlock(c, g.shared, src, i, from, to)
		src = w.a
	}
	width := c.streamWidth()
	for m := range c.args.M {
		row := c.args.C[m*c.args.LDC+from:][:to-from]
		for j := range row {
			row[j] = w.a[j*width+m]
		}
	}
	if c.args.Tile != nil {
		c.args.Tile(0, c.args.M, from, to, worker)
	}
}

// transpose copies columns [from, to) of p to the worker's memory, a row each.
func (w *worker) transpose(c *call, p []float32, ld, from, to int) []float32 {
	width := c.streamWidth()
	for m := range c.args.M {
		for j, v := range p[m*ld+from:][:to-from] {
			w.a[j*width+m] = v
		}
	}
	return w.a
}

// streamBlock sets w.a, of shape (to-from, width), to the product of block i, plus src and in the
// first block the bias. x is A as mulStream packs it.
func (w *worker) streamBlock(c *call, x, src []float32, i, from, to int) {
	args, t, width := c.args, &w.tile, c.streamWidth()
	k0, k := c.block(i)
	run := c.kn.stream[width/c.kn.lanes-1]
	t.k, t.b = k, &x[k0*width]
	t.ldc, t.ldsrc = 4*width, 4*width
	rows := func(b []float32, ld, row, panels int, bias []float32) {
		t.a, t.aStep, t.panels = &b[0], 4*ld, panels
		t.c, t.src, t.bias = &w.a[row*width], nil, nil
		if src != nil {
			t.src = &src[row*width]
		}
		if i == 0 && bias != nil {
			t.bias = &bias[0]
		}
		run(t)
	}
	whole := (to - from) / panelRows
	if whole > 0 {
		rows(args.B[from*args.LDB+k0:], args.LDB, 0, whole, tail(args.Bias, from))
	}
	row := whole * panelRows
	if from+row == to {
		return
	}
	// The last rows of B are no panel: they are copied where there is one.
	last := w.read[:panelRows*k]
	clear(last)
	var bias []float32
	if args.Bias != nil {
		bias = w.edge[:panelRows]
		copy(bias, args.Bias[from+row:to])
	}
	for j := from + row; j < to; j++ {
		copy(last[(j-from-row)*k:], args.B[j*args.LDB+k0:][:k])
	}
	rows(last, k, row, 1, bias)
}

// tail is p from i on, nil of nil.
func tail(p []float32, i int) []float32 {
	if p == nil {
		return nil
	}
	return p[i:]
}
