package kernel

// Rows is op(A) of a product whose rows lie in memory as they are read, apart from each other
// and perhaps over each other, as what the pixels of a padded picture see does: row i is Runs
// runs of Run elements, of which the first begins at element i·Step of Data and the next Pitch
// behind it. With bfloat16 kernels Data has pairs of elements, and all but Runs is even. The
// tile kernels read up to 7 rows behind the last.
type Rows struct {
	Data                   []float32
	Step, Run, Runs, Pitch int // in elements of A
}

// Pairs tells that elements of Rows are pairs of bfloat16; otherwise RoundRows rounds them.
func (g *GEMM) Pairs(bf16 bool) bool { return g.kernelsOf(bf16).pairs }

// RoundRows rounds elements of Rows to bfloat16 in place where the kernels for bf16 want that;
// there are a multiple of 8.
func (g *GEMM) RoundRows(data []float32, bf16 bool) {
	if kn := g.kernelsOf(bf16); kn.round != nil {
		kn.round(&data[0], len(data))
	}
}

// NewWidePanels describes panels as NewPanels does, for callers whose tasks each multiply by
// all of them: as few as there can be, and of like width.
func (g *GEMM) NewWidePanels(n, k int, bf16 bool, data []float32) Panels {
	vectors, most := ceilDiv(n, g.float.lanes), g.float.width/g.float.lanes
	width := ceilDiv(vectors, ceilDiv(vectors, most)) * g.float.lanes
	return Panels{N: n, K: k, BF16: bf16, Data: data, width: width}
}

// PackPanelOf is PackPanel of a B (K, N) that read gives, on the calling worker.
func (g *GEMM) PackPanelOf(worker int, p *Panels, i int, read Reader) {
	kn := g.kernelsOf(p.BF16)
	from, to := p.Columns(i)
	data, width := p.panel(kn, i)
	o := operand{read: read}
	kn.pack(data, &o, g.workers[worker].read, slab{i0: from, n: to - from, k0: 0, k: p.K, groups: width / 8, kStride: width, groupStride: 8})
}

// MulRows is MulPanel with A as it lies in rows.
func (g *GEMM) MulRows(worker int, args *Args, rows *Rows, p *Panels, i int) {
	w := &g.workers[worker]
	var c call
	c.begin(g, args)
	c.n, c.apart = args.N, true
	size := 1
	if c.kn.pairs {
		size = 2
	}
	from, to := p.Columns(i)
	data, width := p.panel(c.kn, i)
	most := c.elements(blockSteps)
	for run := range rows.Runs {
		for at := 0; at < rows.Run; at += most {
			k := min(most, rows.Run-at)
			c.kBlock, c.k0, c.k = k, run*rows.Run+at, k
			w.setBlock(&c, 0, &rows.Data[(run*rows.Pitch+at)/size], &data[width*c.kn.steps(c.k0)], width)
			w.tile.aRow = 4 * rows.Step / size
			w.tile.aPanel = panelRows * w.tile.aRow
			w.compute(&c, 0, args.M, from, to-from)
		}
	}
	w.forget()
}

// PackSteps lays out k steps, an even number, of groups of 8 columns of a matrix whose rows
// are the steps, ld floats apart: step s of group i begins at dst[i·groupStride + s·stride], where
// Pairs of two steps together.
func (g *GEMM) PackSteps(dst, src []float32, bf16 bool, k, ld, stride, groups, groupStride int) {
	g.kernelsOf(bf16).packAcross(&dst[0], &src[0], k, ld, stride, groups, groupStride)
}

// Columns tells how many columns of a B that is not packed MulSteps takes at once of n, which
// has to be a multiple of what it takes at least; 0 where it is none.
func (g *GEMM) Columns(n int) int {
	vectors, most := n/g.float.lanes, g.float.width/g.float.lanes
	if n%g.float.lanes != 0 {
		return 0
	}
	return ceilDiv(vectors, ceilDiv(vectors, most)) * g.float.lanes
}

// MulSteps computes C (M, N) = A·B on the calling worker: a is A by PackSteps with stride 8 and
// groups behind each other, M a multiple of 8; b is B (K, N) as it lies, or by PackSteps with
// stride ldb where there are pairs, its rows ldb floats apart, N at most what Columns tells.
// Residual, Accumulate, BF16 and C are those of args.
func (g *GEMM) MulSteps(worker int, args *Args, a, b []float32, ldb int) {
	w := &g.workers[worker]
	var c call
	c.begin(g, args)
	c.kBlock, c.k, c.n = args.K, args.K, args.N
	w.setBlock(&c, 0, &a[0], &b[0], args.N)
	w.tile.bStep = 4 * ldb
	w.compute(&c, 0, args.M, 0, args.N)
	w.forget()
}
