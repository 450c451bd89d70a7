package cpu

import (
	"math"
	"unsafe"

	"example.com/gotrain/autograd/ir"
)

// normBlock is the number of elements of one partial sum of squares.
const normBlock = 64 << 10

// scratchSumSquares holds the partial sums, float64 in two floats each.
func scratchSumSquares(_ *Backend, in *ir.Instr) int {
	n := 0
	for _, g := range in.In {
		n += blocks(g.Shape.Size(), normBlock)
	}
	return 2 * n
}

func bindSumSquares(c *call) func() {
	y := c.y(0)
	own := y[2*c.Attrs.(ir.RootAttrs).Root:][:2]
	var parts [][]float32
	total := 0
	for i := range c.In {
		g := c.x(i)
		total += len(g)
		for ; len(g) > normBlock; g = g[normBlock:] {
			parts = append(parts, g[:normBlock])
		}
		parts = append(parts, g)
	}
	v := c.vec
	partial := float64s(c.scratch())[:len(parts)]
	squares := c.each(len(parts), total, func(task, _ int) { partial[task] = v.SumSquares(parts[task]) })
	return func() {
		squares()
		var sum float64
		for _, s := range partial {
			sum += s
		}
		clear(y)
		if own[0] = float32(sum); own[0] <= math.MaxFloat32 {
			own[1] = float32(sum - float64(own[0]))
		}
	}
}

func bindGradNorm(c *call) func() {
	hyper, squares, norm, clip := c.x(0), c.x(1), c.y(0), c.y(1)
	maxNorm := c.Attrs.(ir.GradNormAttrs).MaxNorm
	return func() {
		var sum float64
		for _, s := range squares {
			sum += float64(s)
		}
		n := float32(math.Sqrt(sum))
		norm[0], clip[0] = n, clipFactor(n, maxNorm, hyper[ir.NormLimit])
	}
}

// float64s views scratch, which begins at a cache line, as float64.
func float64s(scratch []float32) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(&scratch[0])), len(scratch)/2)
}

// clipFactor returns min(1, maxNorm/(norm + 1e-6)), 1 where maxNorm is 0, and
// NaN, which skips the step, when norm is not finite or above limit (0: none).
func clipFactor(norm, maxNorm, limit float32) float32 {
	switch {
	case !(norm <= math.MaxFloat32) || limit > 0 && norm > limit:
		return float32(math.NaN())
	case maxNorm == 0:
		return 1
	}
	return min(1, maxNorm/(norm+1e-6))
}
