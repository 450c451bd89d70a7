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
	l := newLinearLoss(c.Instr)
	n, classes := c.In[0].Shape[0], c.In[1].Shape[0]
	s := c.scored(2, classes, c.Attrs.(ir.LinearCrossEntropyAttrs).LossAttrs)
	s.lossWeight, s.losses, s.nll = c.in(3), c.scratch()+cuda.Ptr(l.losses), c.out(1)
	logits, dlogits := c.scratch(), cuda.Ptr(0)
	if c.out(2) != 0 || c.out(3) != 0 {
		dlogits = logits
	}
	var steps []func()
	for first := 0; first < n; first += l.rows {
		rows := min(l.rows, n-first)
		steps = append(steps, c.logits(l, first, rows),
			c.classify(s, newClassifier(l.stride, c.elem()), logits, dlogits, first, rows))
		if c.out(2) != 0 {
			steps = append(steps, c.inputGradient(l, first, rows))
		}
		if c.out(3) != 0 {
			steps = append(steps, c.weightGradient(l, first, rows))
		}
	}
	return sequence(append(steps, c.sumLosses(s.losses, s.lossWeight, c.out(0), n))...)
}

// rowsAt returns the address of row i of a matrix (N, D) of elements.
func (c *call) rowsAt(base cuda.Ptr, i int) cuda.Ptr {
	return base + cuda.Ptr(i*c.In[0].Shape[1]*c.elem().Bits()/8)
}

// part is a product of rows of the chunk, whose operands are elements.
func (c *call) part() cuda.Product {
	return cuda.Product{Batch: 1, AB: dtype(c.elem()), D: dtype(c.elem()), TF32: c.Attrs.(ir.LinearCrossEntropyAttrs).Compute == ir.TF32}
}

// logits is (rows, D) × (V, D)ᵀ → (rows, V).
func (c *call) logits(l linearLoss, first, rows int) func() {
	p := c.part()
	p.M, p.N, p.K, p.TransB, p.LDC = rows, c.In[1].Shape[0], c.In[1].Shape[1], true, l.stride
	return c.multiply(p, c.rowsAt(c.in(0), first), c.in(1), 0, c.scratch(), 0, 0)
}

// inputGradient is (rows, V) × (V, D) → (rows, D).
func (c *call) inputGradient(l linearLoss, first, rows int) func() {
	p := c.part()
	p.M, p.N, p.K, p.LDA = rows, c.In[1].Shape[1], c.In[1].Shape[0], l.stride
	return c.multiply(p, c.scratch(), c.in(1), 0, c.rowsAt(c.out(2), first), 0, 0)
}

// weightGradient is (rows, V)ᵀ × (rows, D) → (V, D), float32, on top of addend
// and of what the chunks before have left.
func (c *call) weightGradient(l linearLoss, first, rows int) func() {
	p := c.part()
	p.M, p.N, p.K, p.TransA, p.LDA, p.D = c.In[1].Shape[0], c.In[1].Shape[1], rows, true, l.stride, cuda.Float32
	dw, addend := c.out(3), c.in(4)
	if first > 0 {
		addend = dw
	}
	if addend != 0 {
		p.Beta = 1
	}
	return c.multiply(p, c.scratch(), c.rowsAt(c.in(0), first), addend, dw, 0, 0)
}
