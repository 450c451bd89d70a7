//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// dim is the block for b.
func (b rowBlock) dim() cuda.Dim { return cuda.Dim{X: b.threads, Y: b.rows, Z: 1} }

// grid is the grid for n rows.
func (b rowBlock) grid(n int) cuda.Dim { return cuda.Dim{X: blocks(n, b.rows), Y: 1, Z: 1} }

// launchRows starts a kernel that takes rows of input 0 by row.cuh. Its last
// parameters are the number of rows, that of columns, and rest.
func (c *call) launchRows(name string, pointers []cuda.Ptr, rest ...any) func() {
	n, d := c.In[0].Shape.Rows(), c.In[0].Shape.Cols()
	var args []any
	for _, p := range pointers {
		args = append(args, p)
	}
	b := newRowBlock(spansOf(d, c.elem()), heldSpans)
	return c.launchElem(name, b.grid(n), b.dim(), 0, append(append(args, int32(n), int32(d)), rest...)...)
}

func bindLayerNorm(c *call) func() {
	return c.launchRows("layernorm", []cuda.Ptr{c.in(0), c.in(1), c.in(2), c.out(0), c.out(1), c.out(2)}, c.Attrs.(ir.NormAttrs).Eps)
}

func bindRMSNorm(c *call) func() {
	return c.launchRows("rmsnorm", []cuda.Ptr{c.in(0), c.in(1), c.out(0), c.out(1)}, c.Attrs.(ir.NormAttrs).Eps)
}

func bindLayerNormBackward(c *call) func() {
	p := newNormBackward(c.Instr)
	return c.normBackward(p, "layernorm_backward",
		c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.in(5), c.out(0), c.scratch(), c.inputRows(), c.inputCols(), int32(p.blockRows), flag(c.out(2) != 0), flag(c.out(3) != 0), flag(p.inPartials))
}

func bindRMSNormBackward(c *call) func() {
	p := newNormBackward(c.Instr)
	return c.normBackward(p, "rmsnorm_backward",
		c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.out(0), c.scratch(), c.inputRows(), c.inputCols(), int32(p.blockRows), flag(p.inPartials))
}

// normBackward starts the kernel that makes dx and partial sums, then the one that adds
// those up for the results behind dx.
func (c *call) normBackward(p normBackward, name string, args ...any) func() {
	var sums []cuda.Ptr
	for i := range c.Out[1:] {
		if y := c.out(1 + i); y != 0 {
			sums = append(sums, y)
		}
	}
	return sequence(
		c.launchElem(name, cuda.Dim{X: p.parts, Y: 1, Z: 1}, p.dim(), p.shared, args...),
		c.sumPartials(c.scratch(), 0, p.parts, int(c.inputCols()), sums...))
}

// sumPartials adds up partials (parts, planes, cols), the first plane on top of addend if
// there is one: columnsum.cu. There are as many results as planes, three at most.
func (c *call) sumPartials(partials, addend cuda.Ptr, parts, cols int, results ...cuda.Ptr) func() {
	var y [3]cuda.Ptr
	copy(y[:], results)
	grid := cuda.Dim{X: blocks(cols, warp), Y: len(results), Z: 1}
	block := cuda.Dim{X: warp, Y: min(parts, warp), Z: 1}
	return c.launch("columnsum_final", grid, block, 0, partials, addend, y[0], y[1], y[2], int32(parts), int32(cols))
}

// inputRows and inputCols are the shape of input 0 as a matrix.
func (c *call) inputRows() int32 { return int32(c.In[0].Shape.Rows()) }
func (c *call) inputCols() int32 { return int32(c.In[0].Shape.Cols()) }

func flag(set bool) int32 {
	if set {
		return 1
	}
	return 0
}
