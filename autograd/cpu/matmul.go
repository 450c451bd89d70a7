package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// serialProduct is the M·N·K up to which the products of a batch are tasks of
// one thread each; larger ones run one after the other on all threads.
const serialProduct = 8 << 20

// product is one MatMul: dimensions of each matrix and the number of them.
type product struct{ batch, m, n, k int }

func productOf(in *ir.Instr) product {
	y, a := in.Out[0].Shape, in.In[0].Shape
	p := product{batch: y[:len(y)-2].Size(), m: y[len(y)-2], n: y[len(y)-1], k: a[len(a)-1]}
	if in.Attrs.(ir.MatMulAttrs).TransA {
		p.k = a[len(a)-2]
	}
	return p
}

// args returns the product of matrix i of the batch.
func (p product) args(c *call, i int) kernel.Args {
	attrs := c.Attrs.(ir.MatMulAttrs)
	b, read := c.weight(1)
	if read == nil {
		b = b[i*p.k*p.n:][:p.k*p.n]
	}
	g := kernel.Args{
		M: p.m, N: p.n, K: p.k, TransA: attrs.TransA, TransB: attrs.TransB, BF16: attrs.Compute == ir.BF16,
		A: c.x(0)[i*p.m*p.k:][:p.m*p.k], LDA: p.k,
		B: b, LDB: p.n, ReadB: read,
		C: c.y(0)[i*p.m*p.n:][:p.m*p.n], LDC: p.n,
		Bias: c.x(2),
	}
	if attrs.TransA {
		g.LDA = p.m
	}
	if attrs.TransB {
		g.LDB = p.k
	}
	if addend := c.x(3); addend != nil {
		g.Residual, g.LDR = addend[i*p.m*p.n:][:p.m*p.n], p.n
	}
	return g
}

// overPre tells whether y takes the storage of input pre, so that the product
// needs a place of its own until act'(pre) is known.
func overPre(in *ir.Instr) bool {
	return in.Attrs.(ir.MatMulAttrs).ActBackward && in.Out[0].Root() == in.In[4].Root()
}

// preRows bounds that place: the product is computed for so many rows at a time.
const preRows = 1024

func scratchMatMul(_ *Backend, in *ir.Instr) int {
	if in.Out[2] != nil {
		return scratchRows(in.In[summed(in)].Shape)
	}
	if !overPre(in) {
		return 0
	}
	p := productOf(in)
	return min(p.batch*p.m, preRows) * p.n
}

// summed is the input whose rows output sum adds up.
func summed(in *ir.Instr) int {
	if in.Attrs.(ir.MatMulAttrs).SumA {
		return 0
	}
	return 1
}

func bindMatMul(c *call) func() {
	product := c.bindProduct()
	if c.Out[2] == nil {
		return product
	}
	i := summed(c.Instr)
	sum := c.columnSum(c.In[i].Shape, c.x(i), nil, c.y(2))
	return func() {
		product()
		sum()
	}
}

func (c *call) bindProduct() func() {
	p := productOf(c.Instr)
	if overPre(c.Instr) {
		return c.productOverPre(p)
	}
	list := make([]kernel.Args, p.batch)
	for i := range list {
		list[i] = p.args(c, i)
		c.epilogue(&list[i], i*p.m*p.n)
	}
	gemm := c.gemm
	if p.batch == 1 {
		return func() { gemm.Mul(&list[0]) }
	}
	if p.m*p.n*p.k <= serialProduct {
		return c.each(p.batch, p.batch*p.m*p.n*p.k, func(task, worker int) { gemm.MulSerial(worker, &list[task]) })
	}
	return func() {
		for i := range list {
			gemm.Mul(&list[i])
		}
	}
}

// epilogue applies the activation, or the derivative of it, to each finished
// part of the product whose result begins at y[from].
func (c *call) epilogue(g *kernel.Args, from int) {
	attrs := c.Attrs.(ir.MatMulAttrs)
	forward, backward := activation(c.vec, attrs.Act)
	y, n := c.y(0)[from:], g.N
	switch {
	case attrs.ActBackward:
		pre := c.x(4)[from:]
		g.Tile = func(row0, row1, col0, col1, _ int) {
			for r := row0; r < row1; r++ {
				lo, hi := r*n+col0, r*n+col1
				backward(y[lo:hi], pre[lo:hi], y[lo:hi])
			}
		}
	case attrs.Act != ir.NoAct:
		pre := y
		if out := c.y(1); out != nil {
			pre = out[from:]
			g.C = pre[:len(g.C)]
		}
		g.Tile = func(row0, row1, col0, col1, _ int) {
			for r := row0; r < row1; r++ {
				lo, hi := r*n+col0, r*n+col1
				forward(y[lo:hi], pre[lo:hi])
			}
		}
	}
}

// productOverPre computes y = op(a)·op(b) ∘ act'(pre) where y and pre are the
// same memory: preRows rows at a time go through the workspace.
func (c *call) productOverPre(p product) func() {
	attrs := c.Attrs.(ir.MatMulAttrs)
	_, backward := activation(c.vec, attrs.Act)
	pre, y, space := c.x(4), c.y(0), c.scratch()
	var list []kernel.Args
	for i := range p.batch {
		whole := p.args(c, i)
		for row := 0; row < p.m; row += preRows {
			g := whole
			g.M = min(preRows, p.m-row)
			g.C = space
			if attrs.TransA {
				g.A = g.A[row:]
			} else {
				g.A = g.A[row*p.k:]
			}
			from, n := (i*p.m+row)*p.n, p.n
			g.Tile = func(row0, row1, col0, col1, _ int) {
				for r := row0; r < row1; r++ {
					lo, hi := from+r*n+col0, from+r*n+col1
					backward(y[lo:hi], pre[lo:hi], space[r*n+col0:r*n+col1])
				}
			}
			list = append(list, g)
		}
	}
	gemm := c.gemm
	return func() {
		for i := range list {
			gemm.Mul(&list[i])
		}
	}
}
