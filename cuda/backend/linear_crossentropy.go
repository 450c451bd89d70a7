//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// bindLinearCrossEntropy makes the logits of a chunk of rows, from them losses
// and in place their gradient, and from that the chunk's rows of dx and its share
// of dw.
func bindLinearCrossEntropy(c *call) func() {
	l := newLogitChunks(c.Instr)
	n, classes := c.In[0].Shape[0], c.In[1].Shape[0]
	s := c.scored(2, classes, c.Attrs.(ir.LinearCrossEntropyAttrs).LossAttrs)
	s.lossWeight, s.losses, s.nll = c.in(3), c.scratch()+cuda.Ptr(l.bytes), c.out(1)
	steps := c.eachChunk(l, linearGradients{dx: c.out(2), dw: c.out(3), addend: c.in(4)}, func(dlogits cuda.Ptr, first, rows int) func() {
		return c.classify(s, newClassifier(l.stride, c.elem()), c.scratch(), dlogits, first, rows)
	})
	return c.decoded(sequence(append(steps, c.sumLosses(s.losses, s.lossWeight, c.out(0), n))...))
}

// linearGradients are those of logits x·wᵀ; dx and dw are 0 where they are not wanted,
// addend where nothing is added to dw.
type linearGradients struct{ dx, dw, addend cuda.Ptr }

// eachChunk lists what makes the logits of each chunk of rows in the workspace, scores
// them, which leaves their gradient at dlogits unless that is 0, and makes the products
// of that.
func (c *call) eachChunk(l logitChunks, g linearGradients, score func(dlogits cuda.Ptr, first, rows int) func()) []func() {
	dlogits := cuda.Ptr(0)
	if g.dx != 0 || g.dw != 0 {
		dlogits = c.scratch()
	}
	var steps []func()
	n := c.In[0].Shape[0]
	for first := 0; first < n; first += l.rows {
		rows := min(l.rows, n-first)
		steps = append(steps, c.logits(l, first, rows), score(dlogits, first, rows))
		if g.dx != 0 {
			steps = append(steps, c.inputGradient(l, g.dx, first, rows))
		}
		if g.dw != 0 {
			steps = append(steps, c.weightGradient(l, g, first, rows))
		}
	}
	return steps
}

// rowsAt returns the address of row i of a matrix (N, D) of elements.
func (c *call) rowsAt(base cuda.Ptr, i int) cuda.Ptr {
	return base + cuda.Ptr(i*c.In[0].Shape[1]*c.elem().Bits()/8)
}

// part is a product of rows of the chunk, whose operands are elements.
func (c *call) part() cuda.Product {
	return cuda.Product{Batch: 1, AB: dtype(c.elem()), D: dtype(c.elem()), TF32: c.Attrs.(ir.Products).Precision() == ir.TF32}
}

// logits is (rows, D) × (V, D)ᵀ → (rows, V).
func (c *call) logits(l logitChunks, first, rows int) func() {
	p := c.part()
	p.M, p.N, p.K, p.TransB, p.LDC = rows, c.In[1].Shape[0], c.In[1].Shape[1], true, l.stride
	return c.multiply(p, c.rowsAt(c.in(0), first), c.weight(), 0, c.scratch(), 0, 0)
}

// inputGradient is (rows, V) × (V, D) → (rows, D).
func (c *call) inputGradient(l logitChunks, dx cuda.Ptr, first, rows int) func() {
	p := c.part()
	p.M, p.N, p.K, p.LDA = rows, c.In[1].Shape[1], c.In[1].Shape[0], l.stride
	return c.multiply(p, c.scratch(), c.weight(), 0, c.rowsAt(dx, first), 0, 0)
}

// weightGradient is (rows, V)ᵀ × (rows, D) → (V, D), float32, on top of addend
// and of what the chunks before have left.
func (c *call) weightGradient(l logitChunks, g linearGradients, first, rows int) func() {
	p := c.part()
	p.M, p.N, p.K, p.TransA, p.LDA, p.D = c.In[1].Shape[0], c.In[1].Shape[1], rows, true, l.stride, cuda.Float32
	dw, addend := g.dw, g.addend
	if first > 0 {
		addend = dw
	}
	if addend != 0 {
		p.Beta = 1
	}
	return c.multiply(p, c.scratch(), c.rowsAt(c.in(0), first), addend, dw, 0, 0)
}
