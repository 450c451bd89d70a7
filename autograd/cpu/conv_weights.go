package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// steps is a ConvWeights as products over units, bands of lines of a picture: x is copied with
// zeros beside it, so that what a tap sees of neighbouring channels lies in rows at one
// distance, and dy is packed at the same pitch with zeros behind each line. So nothing is
// copied for each tap. The products of a chunk of units run for all taps and blocks of
// channels at once.
type steps struct {
	*convolution
	lines, pitch int // of a unit
	units        int // in a picture
	chunk        int // units that are copied at once
	columns      int // channels of a task
}

const (
	stepsOfUnit = 384     // along K, as the blocks of products
	chunkFloats = 1 << 18 // that stay in the L2 cache
	leastLine   = 12      // pixels, below which zeros are too many of the steps
)

// stepsOf is the convolution so computed, nil where it is not.
func (b *Backend) stepsOf(c *convolution) *steps {
	s := &steps{convolution: c, pitch: c.outWidth + c.Kernel[1] - 1, columns: b.gemm.Columns(c.in)}
	fits := c.Groups == 1 && c.Stride == [2]int{1, 1} && c.Compute == ir.F32 && c.out%8 == 0 && c.outWidth%2 == 0 && c.outWidth >= leastLine && s.columns > 0
	if !fits || s.pitch > c.outWidth*5/4 {
		return nil
	}
	s.lines = max(1, min(c.outHeight, stepsOfUnit/s.pitch))
	s.lines = blocks(c.outHeight, blocks(c.outHeight, s.lines))
	s.units = blocks(c.outHeight, s.lines)
	s.chunk = min(c.Batch*s.units, max(2, chunkFloats/(s.xFloats()+s.dyFloats())))
	return s
}

// xFloats is the size of a unit's lines of x, with what the last tap reads behind them.
func (s *steps) xFloats() int {
	return (((s.lines+s.Kernel[0]-1)*s.pitch+s.Kernel[1]-1)*s.in + 15) / 16 * 16
}

// dyFloats is the size of a unit's steps of dy.
func (s *steps) dyFloats() int { return (s.lines*s.pitch*s.out + 15) / 16 * 16 }

func scratchConvWeights(b *Backend, in *ir.Instr) int {
	s := b.stepsOf(convolutionOf(in.Attrs.(ir.ConvAttrs), in.Out[0].Shape))
	if s == nil {
		return 0
	}
	return s.chunk * (s.xFloats() + s.dyFloats())
}

// bindSteps binds a ConvWeights as steps.
func (c *call) bindSteps(s *steps) func() {
	x, dy, addend, dw := c.x(0), c.x(1), c.x(2), c.y(0)
	space, gemm := c.scratch(), c.gemm
	size := s.xFloats() + s.dyFloats()
	all, first := s.Batch*s.units, 0 // first unit of the chunk
	parts := blocks(s.in, s.columns)
	args := make([]kernel.Args, c.pool.Threads())
	lay := func(unit, _ int) { s.lay(gemm, space[unit*size:][:size], x, dy, first+unit) }
	multiply := func(task, worker int) {
		tap, from := task/parts, task%parts*s.columns
		n := min(s.columns, s.in-from)
		u, v := tap/s.Kernel[1], tap%s.Kernel[1]
		at := tap*s.in + from
		a := &args[worker]
		*a = kernel.Args{M: s.out, N: n, C: dw[at:], LDC: s.taps(), Residual: rest(addend, at), LDR: s.taps()}
		for unit := range min(s.chunk, all-first) {
			if first+unit > 0 {
				a.Residual, a.Accumulate = nil, true
			}
			a.K = s.linesOf(first+unit) * s.pitch
			b := space[unit*size:]
			gemm.MulSteps(worker, a, b[s.xFloats():], b[(u*s.pitch+v)*s.in+from:], s.in)
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

// lay copies a unit: lines of x, then the steps of dy.
func (s *steps) lay(gemm *kernel.GEMM, to, x, dy []float32, unit int) {
	b, first, lines := unit/s.units, unit%s.units*s.lines, s.linesOf(unit)
	at := view4{x: x, height: s.Height, width: s.Width, channels: s.in, run: s.in, spread: s.pitch}
	count := (lines + s.Kernel[0] - 1) * s.pitch * s.in
	at.read(to[:count], b, first-s.Pad[0], -s.Pad[1], 0)
	clear(to[count:s.xFloats()])
	to = to[s.xFloats():]
	group := lines * s.pitch * 8
	clear(to[:s.out/8*group])
	for line := range lines {
		from := ((b*s.outHeight + first + line) * s.outWidth) * s.out
		gemm.PackSteps(to[line*s.pitch*8:], dy[from:], s.outWidth, s.out, s.out/8, group)
	}
}
