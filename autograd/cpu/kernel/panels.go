package kernel

// Panels is op(B) of many products, (K, N), laid out once as the tile kernels read it:
// what a recurrence multiplies by at every step. Each panel of columns is contiguous
// over all of K, and one call of MulPanel computes its columns of C, so that whoever
// uses them cuts the work into tasks, and does more with a panel's columns while they
// are in the cache.
type Panels struct {
	N, K  int
	BF16  bool // as Args.BF16
	Data  []float32
	width int // columns of a panel
}

// NewPanels describes the panels of op(B) in data, of at least PanelFloats elements,
// which PackPanel fills.
func (g *GEMM) NewPanels(n, k int, bf16 bool, data []float32) Panels {
	return Panels{N: n, K: k, BF16: bf16, Data: data, width: g.panelWidth(n)}
}

// PanelFloats is the size of the panels of op(B) (k, n).
func (g *GEMM) PanelFloats(n, k int, bf16 bool) int {
	kn := g.kernelsOf(bf16)
	return roundUp(n, kn.lanes) * kn.steps(k)
}

// panelWidth is the widest panel with which no worker has more vectors of columns to
// compute than with another. Results do not depend on it.
func (g *GEMM) panelWidth(n int) int {
	vectors, threads := ceilDiv(n, g.float.lanes), g.pool.Threads()
	best, least := 1, 0
	for width := g.float.width / g.float.lanes; width >= 1; width-- {
		if most := ceilDiv(ceilDiv(vectors, width), threads) * width; least == 0 || most < least {
			best, least = width, most
		}
	}
	return best * g.float.lanes
}

func (g *GEMM) kernelsOf(bf16 bool) *kernels {
	if bf16 {
		return &g.bfloat
	}
	return &g.float
}

// Count is the number of panels.
func (p *Panels) Count() int { return ceilDiv(p.N, p.width) }

// Columns are those of panel i.
func (p *Panels) Columns(i int) (from, to int) { return i * p.width, min(p.N, (i+1)*p.width) }

// panel returns panel i and its padded width.
func (p *Panels) panel(kn *kernels, i int) (data []float32, width int) {
	from, to := p.Columns(i)
	return p.Data[from*kn.steps(p.K):], roundUp(to-from, kn.lanes)
}

// PackPanel lays out panel i of B, which is stored (K, N), or (N, K) under transB. Panels
// may be packed by several workers at once.
func (g *GEMM) PackPanel(p *Panels, i int, b []float32, ldb int, transB bool) {
	kn := g.kernelsOf(p.BF16)
	from, to := p.Columns(i)
	data, width := p.panel(kn, i)
	o := operand{b, ldb, transB, nil}
	kn.pack(data, &o, nil, slab{i0: from, n: to - from, k0: 0, k: p.K, groups: width / 8, kStride: width, groupStride: 8})
}

// RowFloats is the size of the rows of A (m, k) as PackRows lays them out.
func (g *GEMM) RowFloats(m, k int, bf16 bool) int {
	return roundUp(m, panelRows) * g.kernelsOf(bf16).steps(k)
}

// PackRows lays out columns [from, to) of A (m, k), stored by rows; from is even. Workers
// may pack ranges that do not overlap at once.
func (g *GEMM) PackRows(dst, a []float32, lda, m, k, from, to int, bf16 bool) {
	kn := g.kernelsOf(bf16)
	o := operand{a, lda, true, nil}
	kn.pack(dst[panelRows*kn.steps(from):], &o, nil, slab{
		i0: 0, n: m, k0: from, k: to - from,
		groups: ceilDiv(m, panelRows), kStride: panelRows, groupStride: panelRows * kn.steps(k),
	})
}

// MulPanel computes, on the calling worker, the columns of panel i of the product that
// args describes: rows is its A by PackRows, args.A and args.B are not read, and N, K and
// BF16 are those of p. Bias, Residual and C are of the whole product; Tile is not called.
func (g *GEMM) MulPanel(worker int, args *Args, rows []float32, p *Panels, i int) {
	w := &g.workers[worker]
	var c call
	c.begin(g, args)
	c.k, c.n = args.K, args.N
	from, to := p.Columns(i)
	data, width := p.panel(c.kn, i)
	for block := range c.blocks() {
		at := c.kn.steps(block * c.kBlock)
		w.setBlock(&c, block, &rows[panelRows*at], &data[width*at], width)
		w.tile.aPanel = 4 * panelRows * c.kn.steps(args.K)
		w.compute(&c, 0, args.M, from, to-from)
	}
	w.forget()
}
