package cpu

import (
	"math"
	"unsafe"

	"gotrain/autograd/ir"
)

// normBlock is the number of elements of one partial sum of squares.
const normBlock = 64 << 10

// scratchGradNorm holds the partial sums, float64 in two floats each.
func scratchGradNorm(_ *Backend, in *ir.Instr) int {
	n := 0
	for _, g := range in.In[1:] {
		n += blocks(g.Shape.Size(), normBlock)
	}
	return 2 * n
}

func bindGradNorm(c *call) func() {
	hyper, norm, clip := c.x(0), c.y(0), c.y(1)
	var parts [][]float32
	total := 0
	for i := 1; i < len(c.In); i++ {
		g := c.x(i)
		total += len(g)
		for ; len(g) > normBlock; g = g[normBlock:] {
			parts = append(parts, g[:normBlock])
		}
		parts = append(parts, g)
	}
	v, maxNorm := c.vec, c.MaxNorm
	partial := float64s(c.scratch())[:len(parts)]
	squares := c.each(len(parts), total, func(task, _ int) { partial[task] = v.SumSquares(parts[task]) })
	return func() {
		squares()
		var sum float64
		for _, s := range partial {
			sum += s
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
