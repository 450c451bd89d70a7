package kernel

// MulSerial computes the product on the calling goroutine alone, which must be
// the given worker of the Pool, or worker 0 outside of its loops. It is meant for
// the many small products inside one task, such as the tiles of attention. Tile
// is called once, for all of C.
//
// What need not be packed is read in place: for float32, a transposed A of whole
// panels and a B that is not transposed.
func (g *GEMM) MulSerial(worker int, args *Args) {
	args.validate()
	g.mulSerial(worker, args)
}

func (g *GEMM) mulSerial(worker int, args *Args) {
	w := &g.workers[worker]
	var c call
	c.begin(g, args)
	c.k, c.n = args.K, args.N
	if c.few(len(w.b)) {
		c.packFew(w.b)
		for from := 0; from < args.N; from += c.maxFewColumns() {
			w.multiplyFew(&c, w.b, from, min(from+c.maxFewColumns(), args.N))
		}
	} else {
		for i := range c.blocks() {
			for row := 0; row < args.M; row += maxBlockRows {
				w.serialBlock(&c, i, row, min(maxBlockRows, args.M-row))
			}
		}
	}
	w.forget()
	if args.Tile != nil {
		args.Tile(0, args.M, 0, args.N, worker)
	}
}

// serialBlock computes rows of C over block i of K.
func (w *worker) serialBlock(c *call, i, row, rows int) {
	args := c.args
	from, _ := c.block(i)
	inPlace := c.kn.round == nil && !c.kn.pairs
	directA := inPlace && args.ReadA == nil && args.TransA && rows%panelRows == 0
	if !directA {
		w.packA(c, w.a, row, rows, i)
	}
	for p := range c.panels() {
		col, cols, width := c.panel(p)
		directB := c.readsB() && cols == width
		if !directB {
			w.packB(c, w.b, p, i)
		}
		w.setBlock(c, i, &w.a[0], &w.b[0], width)
		if directA {
			w.tile.a = &args.A[from*args.LDA+row]
			w.tile.aStep, w.tile.aPanel = 4*args.LDA, 4*panelRows
		}
		if directB {
			w.readB(c, i, col)
		}
		w.compute(c, row, rows, col, cols)
	}
}
