//go:build gpu

package backend

import (
	"gotrain/autograd/ir"
	"gotrain/cuda"
)

// bindGradNorm sums the squares of all gradients in one launch and finishes in a
// second.
func bindGradNorm(c *call) func() {
	var words []uint64
	chunks := 0
	for i := 1; i < len(c.In); i++ {
		n := c.In[i].Shape.Size()
		words = append(words, uint64(chunks), uint64(n), uint64(c.in(i)))
		chunks += blocks(n, normChunk)
	}
	limit := c.in(0) + 4*ir.NormLimit
	return sequence(
		c.launch("gradnorm_squares", cuda.Dim{X: chunks, Y: 1, Z: 1}, elementBlock, 0,
			c.table(words), int32(len(c.In)-1), c.scratch()),
		c.launch("gradnorm_finish", cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 1024, Y: 1, Z: 1}, 0,
			c.scratch(), int32(chunks), limit, c.MaxNorm, c.out(0), c.out(1)))
}
