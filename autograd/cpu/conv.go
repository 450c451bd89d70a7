package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// convolution is the geometry of a Conv or its kin. Pictures are matrices: a row is a
// pixel, its columns are channels. Each product is of matrices that are nowhere as a
// whole: their rows are what a pixel sees of the other picture (Chellapilla et al. 2006).
type convolution struct {
	ir.ConvAttrs
	outHeight, outWidth int
	in, out             int // channels of x and y of a group
}

func convolutionOf(a ir.ConvAttrs, w ir.Shape) *convolution {
	c := &convolution{ConvAttrs: a, in: w[3], out: w[0] / a.Groups}
	c.outHeight, c.outWidth = a.Out()
	return c
}

// taps is the number of columns of a group's row of weights.
func (c *convolution) taps() int { return c.Kernel[0] * c.Kernel[1] * c.in }

// pixels is the number of rows of y.
func (c *convolution) pixels() int { return c.Batch * c.outHeight * c.outWidth }

// patches reads what the pixels of y see of x in a group: row (b, i, j), columns (u, v, c).
func (c *convolution) patches(x []float32, group int) kernel.Reader {
	channels := c.Groups * c.in
	at := view4{x: x[group*c.in:], height: c.Height, width: c.Width, channels: channels, run: c.in, spread: c.Kernel[1]}
	return func(dst []float32, row, rows, col, cols int) {
		b, i, j := row/(c.outHeight*c.outWidth), row/c.outWidth%c.outHeight, row%c.outWidth
		for r := range rows {
			at.read(dst[r*cols:][:cols], b, i*c.Stride[0]-c.Pad[0], j*c.Stride[1]-c.Pad[1], col)
			if j++; j == c.outWidth {
				j = 0
				if i++; i == c.outHeight {
					i, b = 0, b+1
				}
			}
		}
	}
}

// view4 is channels of pictures, as rows of taps read them: a row has, for each line of
// the kernel, spread pixels of run channels.
type view4 struct {
	x                       []float32
	height, width, channels int
	run, spread             int
}

// read writes columns col, col+1, … of the row whose first tap is pixel (y, x) of picture b.
// Outside of the picture is 0.
func (v *view4) read(dst []float32, b, y, x, col int) {
	line := v.spread * v.run
	y, col = y+col/line, col%line
	for len(dst) > 0 {
		n := min(line-col, len(dst))
		part := dst[:n]
		dst = dst[n:]
		switch {
		case y < 0 || y >= v.height:
			clear(part)
		case v.run == v.channels: // pixels side by side are one run
			v.copyRun(part, v.x[(b*v.height+y)*v.width*v.channels:], x*v.run+col, v.width*v.run)
		default:
			v.copyPixels(part, (b*v.height+y)*v.width, x, col)
		}
		y, col = y+1, 0
	}
}

// copyRun copies elements from, from+1, … of a line of size elements, 0 where there are none.
func (v *view4) copyRun(dst, line []float32, from, size int) {
	if from < 0 {
		n := min(-from, len(dst))
		clear(dst[:n])
		dst, from = dst[n:], from+n
	}
	if n := min(size-from, len(dst)); n > 0 {
		dst = dst[copy(dst[:n], line[from:]):]
	}
	clear(dst)
}

// copyPixels copies channels of the pixels x, x+1, … of the line that begins at a pixel,
// from element col of them on.
func (v *view4) copyPixels(dst []float32, line, x, col int) {
	x, col = x+col/v.run, col%v.run
	for len(dst) > 0 {
		n := min(v.run-col, len(dst))
		if x < 0 || x >= v.width {
			clear(dst[:n])
		} else {
			copy(dst[:n], v.x[(line+x)*v.channels+col:])
		}
		dst, x, col = dst[n:], x+1, 0
	}
}

func scratchConv(b *Backend, in *ir.Instr) int {
	return b.slidingScratch(convolutionOf(in.Attrs.(ir.ConvAttrs), in.In[1].Shape).slides())
}

func bindConv(c *call) func() {
	g := convolutionOf(c.Attrs.(ir.ConvAttrs), c.In[1].Shape)
	if s := g.slides(); c.direct(s...) {
		s[0].src, s[0].w, s[0].dst, s[0].bias, s[0].addend = c.x(0), c.x(1), c.y(0), c.x(2), c.x(3)
		return c.slide(s)
	}
	w, k := c.x(1), g.Groups*g.out
	var list []kernel.Args
	for group := range g.Groups {
		from := group * g.out
		list = append(list, kernel.Args{
			M: g.pixels(), N: g.out, K: g.taps(), BF16: g.Compute == ir.BF16, TransB: true,
			ReadA: g.patches(c.x(0), group), B: w[from*g.taps():], LDB: g.taps(),
			C: c.y(0)[from:], LDC: k, Bias: columns(c.x(2), from, g.out), Residual: rest(c.x(3), from), LDR: k,
		})
	}
	return c.multiply(list)
}

// columns returns n columns of a row, nil where that is absent.
func columns(row []float32, from, n int) []float32 {
	if row == nil {
		return nil
	}
	return row[from:][:n]
}

// rest returns x from an element on, nil where that is absent.
func rest(x []float32, from int) []float32 {
	if x == nil {
		return nil
	}
	return x[from:]
}

// multiply returns the closure that computes products one after the other.
func (c *call) multiply(list []kernel.Args) func() {
	gemm := c.gemm
	return func() {
		for i := range list {
			gemm.Mul(&list[i])
		}
	}
}

func bindConvWeights(c *call) func() {
	g := convolutionOf(c.Attrs.(ir.ConvAttrs), c.Out[0].Shape)
	if s := c.stepsOf(g); s != nil {
		return c.bindSteps(s)
	}
	dy, n := c.x(1), g.taps()
	var list []kernel.Args
	for group := range g.Groups {
		from := group * g.out
		list = append(list, kernel.Args{
			M: g.out, N: n, K: g.pixels(), BF16: g.Compute == ir.BF16, TransA: true,
			A: dy[from:], LDA: g.Groups * g.out, ReadB: g.patches(c.x(0), group),
			C: c.y(0)[from*n:], LDC: n, Residual: rest(c.x(2), from*n), LDR: n,
		})
	}
	return c.multiply(list)
}

// phase is the part of a ConvInput whose pixels of x lie on one grid of strides: rows
// y = first[0] + i·Stride[0], columns likewise. Pixel (i, j) sees, of dy, count taps from
// (i + at[0], j + at[1]) on, and those lie in w from tap on, backwards in strides.
type phase struct {
	first, size, at, count, tap [2]int
}

// phases lists the grids that have pixels.
func (c *convolution) phases() (list []phase) {
	extent := [2]int{c.Height, c.Width}
	for y := range min(c.Stride[0], c.Height) {
		for x := range min(c.Stride[1], c.Width) {
			p := phase{first: [2]int{y, x}}
			for a, first := range p.first {
				s := c.Stride[a]
				p.size[a] = (extent[a] - first + s - 1) / s
				tap := (first + c.Pad[a]) % s // the first that meets the grid
				p.count[a] = max(0, (c.Kernel[a]-tap+s-1)/s)
				p.tap[a] = tap + (p.count[a]-1)*s
				p.at[a] = (first+c.Pad[a]-tap)/s - (p.count[a] - 1)
			}
			list = append(list, p)
		}
	}
	return list
}

// pixels is the number of pixels of a phase.
func (p *phase) pixels(batch int) int { return batch * p.size[0] * p.size[1] }

// dense tells that the phase is all of x.
func (c *convolution) dense() bool { return c.Stride == [2]int{1, 1} }

// scratchConvInput holds a phase, before its pixels go to their places.
func scratchConvInput(b *Backend, in *ir.Instr) int {
	g := convolutionOf(in.Attrs.(ir.ConvAttrs), in.In[1].Shape)
	if s := g.slidesBack(); b.direct(s...) {
		return b.slidingScratch(s)
	}
	if g.dense() {
		return 0
	}
	most := 0
	for _, p := range g.phases() {
		most = max(most, p.pixels(g.Batch))
	}
	return most * g.in
}

func bindConvInput(c *call) func() {
	g := convolutionOf(c.Attrs.(ir.ConvAttrs), c.In[1].Shape)
	if s := g.slidesBack(); c.direct(s...) {
		for i := range s {
			s[i].src, s[i].dst, s[i].bias, s[i].addend = c.x(0), c.y(0), c.x(2), c.x(3)
			s[i].read = g.flipped(c.x(1), s[i].phase, 0)
		}
		return c.slide(s)
	}
	var list []kernel.Args
	var empty []func()
	for _, p := range g.phases() {
		for group := range g.Groups {
			if p.count[0]*p.count[1] == 0 {
				empty = append(empty, c.unseen(g, p, group))
				continue
			}
			list = append(list, c.phaseProduct(g, p, group))
		}
	}
	products := c.multiply(list)
	return func() {
		products()
		for _, fill := range empty {
			fill()
		}
	}
}

// phaseProduct is a phase of a group of a ConvInput.
func (c *call) phaseProduct(g *convolution, p phase, group int) kernel.Args {
	channels, from := g.Groups*g.in, group*g.in
	args := kernel.Args{
		M: p.pixels(g.Batch), N: g.in, K: p.count[0] * p.count[1] * g.out, BF16: g.Compute == ir.BF16,
		ReadA: g.seen(c.x(0), p, group), ReadB: g.flipped(c.x(1), p, group), Bias: columns(c.x(2), from, g.in),
	}
	dx, addend := c.y(0), c.x(3)
	if g.dense() {
		args.C, args.LDC, args.Residual, args.LDR = dx[from:], channels, rest(addend, from), channels
		return args
	}
	space, v := c.scratch(), c.vec
	args.C, args.LDC = space, g.in
	args.Tile = func(row0, row1, col0, col1, _ int) {
		for row := row0; row < row1; row++ {
			at := g.place(p, row)*channels + from
			y, sum := dx[at+col0:at+col1], space[row*g.in+col0:][:col1-col0]
			if addend == nil {
				copy(y, sum)
				continue
			}
			v.Add(y, sum, addend[at+col0:at+col1])
		}
	}
	return args
}

// place is the pixel of x that is pixel row of a phase.
func (c *convolution) place(p phase, row int) int {
	b, i, j := row/(p.size[0]*p.size[1]), row/p.size[1]%p.size[0], row%p.size[1]
	return (b*c.Height+p.first[0]+i*c.Stride[0])*c.Width + p.first[1] + j*c.Stride[1]
}

// seen reads what the pixels of a phase see of dy: row (b, i, j), columns (u, v, k), whose
// taps are those of w backwards.
func (c *convolution) seen(dy []float32, p phase, group int) kernel.Reader {
	at := view4{x: dy[group*c.out:], height: c.outHeight, width: c.outWidth, channels: c.Groups * c.out, run: c.out, spread: p.count[1]}
	return func(dst []float32, row, rows, col, cols int) {
		for r := range rows {
			b, i, j := (row+r)/(p.size[0]*p.size[1]), (row+r)/p.size[1]%p.size[0], (row+r)%p.size[1]
			at.read(dst[r*cols:][:cols], b, i+p.at[0], j+p.at[1], col)
		}
	}
}

// flipped reads the weights that meet seen: row (u, v, k), columns c.
func (c *convolution) flipped(w []float32, p phase, group int) kernel.Reader {
	return func(dst []float32, row, rows, col, cols int) {
		for r := range rows {
			k, tap := (row+r)%c.out, (row+r)/c.out
			u, v := p.tap[0]-tap/p.count[1]*c.Stride[0], p.tap[1]-tap%p.count[1]*c.Stride[1]
			copy(dst[r*cols:][:cols], w[(((group*c.out+k)*c.Kernel[0]+u)*c.Kernel[1]+v)*c.in+col:])
		}
	}
}

// unseen writes the pixels of a phase that no tap meets.
func (c *call) unseen(g *convolution, p phase, group int) func() {
	dx, bias, addend, v := c.y(0), columns(c.x(2), group*g.in, g.in), c.x(3), c.vec
	channels, from := g.Groups*g.in, group*g.in
	return c.split(p.pixels(g.Batch), rowGrain(streamGrain, g.in), func(lo, hi, _ int) {
		for row := lo; row < hi; row++ {
			at := g.place(p, row)*channels + from
			y := dx[at : at+g.in]
			if addend == nil {
				clear(y)
			} else {
				copy(y, addend[at:])
			}
			if bias != nil {
				v.Add(y, y, bias)
			}
		}
	})
}
