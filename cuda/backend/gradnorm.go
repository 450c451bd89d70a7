//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// bindSumSquares sums the squares of all gradients in one launch and finishes in a
// second.
func bindSumSquares(c *call) func() {
	var words []uint64
	chunks := 0
	for i := range c.In {
		n := c.In[i].Shape.Size()
		words = append(words, uint64(chunks), uint64(n), uint64(c.in(i)))
		chunks += blocks(n, normChunk)
	}
	return sequence(
		c.launch("gradnorm_squares", cuda.Dim{X: chunks, Y: 1, Z: 1}, elementBlock, 0,
			c.table(words), int32(len(c.In)), c.scratch()),
		c.launch("gradnorm_sum", cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 1024, Y: 1, Z: 1}, 0,
			c.scratch(), int32(chunks), int32(c.Attrs.(ir.RootAttrs).Root), int32(c.Out[0].Shape[0]), c.out(0)))
}

func bindGradNorm(c *call) func() {
	limit := c.in(0) + 4*ir.NormLimit
	return c.launch("gradnorm_finish", cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 1024, Y: 1, Z: 1}, 0,
		c.in(1), int32(c.In[1].Shape.Size()), limit, c.Attrs.(ir.GradNormAttrs).MaxNorm, c.out(0), c.out(1))
}
