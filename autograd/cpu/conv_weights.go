package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// steps is a ConvWeights as products over units, bands of lines of a picture: for each column of
// the kernel x is copied once, moved by it, with zeros beside it, so that what a tap sees lies in
// rows behind each other; dy is packed beside them. So nothing is copied for each tap, and no
// step is lost. In bfloat16 a row has two pixels. The products of a chunk of units run for all
// taps and blocks of channels at once.
type steps struct {
	*convolution
	pixels  int // of a step
	lines   int // of a unit
	units   int // in a picture
	chunk   int // units that are copied at once
	columns int // channels of a task
}

const (
	stepsOfUnit = 384     // along K, as the blocks of products
	chunkFloats = 1 << 18 // that stay in the L2 cache
	leastPixels = 64      // of a picture, below which the sums are written too often
)

// stepsOf is the convolution so computed, nil where it is not.
func (b *Backend) stepsOf(c *convolution) *steps {
	bf16 := c.Compute == ir.BF16
	s := &steps{convolution: c, pixels: 1, columns: b.gemm.Columns(c.in)}
	if bf16 {
		s.pixels = 2
	}
	fits := c.Groups == 1 && c.Stride == [2]int{1, 1} && bf16 == b.gemm.Pairs(bf16) && c.out%8 == 0 && c.outWidth%2 == 0
	if !fits || s.columns == 0 || c.outHeight*c.outWidth < leastPixels {
		return nil
	}
	s.lines = max(1, min(c.outHeight, stepsOfUnit*s.pixels/c.outWidth))
	s.lines = blocks(c.outHeight, blocks(c.outHeight, s.lines))
	s.units = blocks(c.outHeight, s.lines)
	s.chunk = min(c.Batch*s.units, max(2, chunkFloats/s.floats()))
	return s
}

// line is the size of a line of the copies of x.
func (s *steps) line() int { return s.outWidth / s.pixels * s.in }

// copied is the size of one of the copies of x, one for each column of the kernel.
func (s *steps) copied() int { return (s.lines + s.Kernel[0] - 1) * s.line() }

// xFloats is the size of a unit's copies of x.
func (s *steps) xFloats() int { return (s.Kernel[1]*s.copied() + 15) / 16 * 16 }

// floats is the size of a unit.
func (s *steps) floats() int {
	return s.xFloats() + (s.lines*s.outWidth/s.pixels*s.out+15)/16*16
}

// padded is the size of a line of x with zeros beside it, which each worker has for pairs.
func (s *steps) padded() int {
	if s.pixels == 1 {
		return 0
	}
	return ((s.outWidth+s.Kernel[1]-1)*s.in + 15) / 16 * 16
}

func scratchConvWeights(b *Backend, in *ir.Instr) int {
	s := b.stepsOf(convolutionOf(in.Attrs.(ir.ConvAttrs), in.Out[0].Shape))
	if s == nil {
		return 0
	}
	return s.chunk*s.floats() + b.pool.Threads()*s.padded()
}

// bindSteps binds a ConvWeights as steps.
func (c *call) bindSteps(s *steps) func() {
	x, dy, addend, dw := c.x(0), c.x(1), c.x(2), c.y(0)
	space, gemm := c.scratch(), c.gemm
	size := s.floats()
	padded := space[s.chunk*size:]
	all, first := s.Batch*s.units, 0 // first unit of the chunk
	parts := blocks(s.in, s.columns)
	args := make([]kernel.Args, c.pool.Threads())
	lay := func(unit, worker int) {
		s.lay(gemm, space[unit*size:][:size], padded[worker*s.padded():][:s.padded()], x, dy, first+unit)
	}
	multiply := func(task, worker int) {
		tap, from := task/parts, task%parts*s.columns
		n := min(s.columns, s.in-from)
		u, v := tap/s.Kernel[1], tap%s.Kernel[1]
		at := tap*s.in + from
		a := &args[worker]
		*a = kernel.Args{M: s.out, N: n, BF16: s.pixels == 2, C: dw[at:], LDC: s.taps(), Residual: rest(addend, at), LDR: s.taps()}
		for unit := range min(s.chunk, all-first) {
			if first+unit > 0 {
				a.Residual, a.Accumulate = nil, true
			}
			a.K = s.linesOf(first+unit) * s.outWidth
			of := space[unit*size:]
			gemm.MulSteps(worker, a, of[s.xFloats():], of[v*s.copied()+u*s.line()+from:], s.in)
		}
	}
	pool := c.pool
	return func() {
		for first = 0; first < all; first += s.chunk {
			pool.For(min(s.chunk, all-first), lay)
			pool.For(s.Kernel[0]*s.Kernel[1]*parts, multiply)
		}
	}
}

// linesOf is the number of lines of a unit.
func (s *steps) linesOf(unit int) int { return min(s.lines, s.outHeight-unit%s.units*s.lines) }

// lay copies a unit: lines of x, once for each column of the kernel, then the steps of dy. padded
// is space for a line.
func (s *steps) lay(gemm *kernel.GEMM, to, padded, x, dy []float32, unit int) {
	b, first, lines := unit/s.units, unit%s.units*s.lines, s.linesOf(unit)
	top, count := first-s.Pad[0], lines+s.Kernel[0]-1
	at := view4{x: x, height: s.Height, width: s.Width, channels: s.in, run: s.in, spread: s.outWidth}
	if s.pixels == 1 {
		for v := range s.Kernel[1] {
			at.read(to[v*s.copied():][:count*s.line()], b, top, v-s.Pad[1], 0)
		}
	} else {
		at.spread = s.outWidth + s.Kernel[1] - 1
		for line := range count {
			at.read(padded[:at.spread*s.in], b, top+line, -s.Pad[1], 0)
			for v := range s.Kernel[1] {
				gemm.PackSteps(to[v*s.copied()+line*s.line():], padded[v*s.in:], true, s.outWidth, s.in, s.in, s.in/8, 8)
			}
		}
	}
	from, pixels := (b*s.outHeight+first)*s.outWidth*s.out, lines*s.outWidth
	gemm.PackSteps(to[s.xFloats():], dy[from:], s.pixels == 2, pixels, s.out, 8, s.out/8, 8*pixels/s.pixels)
}
