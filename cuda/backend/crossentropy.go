//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// scored is what the classifier reads and writes besides logits; absent pointers
// are 0. classes is the number of logits of a row.
type scored struct {
	targets, lossWeight, dloss, losses, nll, lse cuda.Ptr
	fault                                        cuda.Ptr
	check                                        int32
	classes                                      int
	attrs                                        ir.LossAttrs
}

// scored checks the targets at input i.
func (c *call) scored(i, classes int, attrs ir.LossAttrs) scored {
	s := scored{targets: c.in(i), classes: classes, attrs: attrs}
	s.fault, s.check = c.checks("target", classes)
	return s
}

// classify starts the classifier on rows of logits whose first is row first of
// the targets, losses and so on. dlogits, where it is present, gets the gradient.
func (c *call) classify(s scored, k classifier, logits, dlogits cuda.Ptr, first, rows int) func() {
	return c.launchElem("crossentropy_rows", k.grid(rows), k.dim(), k.shared,
		logits, s.targets, s.lossWeight, s.dloss, s.losses, s.nll, s.lse, dlogits, s.fault, s.check,
		int32(first), int32(rows), int32(s.classes), int32(k.stride), int32(k.held), s.attrs.Smoothing, s.attrs.ZLoss)
}

// sumLosses sets loss to lossWeight·Σ losses.
func (c *call) sumLosses(losses, lossWeight, loss cuda.Ptr, rows int) func() {
	return c.launch("crossentropy_loss", cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 1024, Y: 1, Z: 1}, 0,
		losses, lossWeight, loss, int32(rows))
}

func bindCrossEntropy(c *call) func() {
	n, classes := c.In[0].Shape[0], c.In[0].Shape[1]
	s := c.scored(1, classes, c.Attrs.(ir.LossAttrs))
	s.lossWeight, s.losses, s.nll, s.lse = c.in(2), c.scratch(), c.out(1), c.out(2)
	return sequence(
		c.classify(s, newClassifier(classes, c.elem()), c.in(0), 0, 0, n),
		c.sumLosses(s.losses, s.lossWeight, c.out(0), n))
}

// bindCrossEntropyBackward makes the sums of the rows anew, as it has to read the
// logits anyway.
func bindCrossEntropyBackward(c *call) func() {
	n, classes := c.In[0].Shape[0], c.In[0].Shape[1]
	s := c.scored(1, classes, c.Attrs.(ir.LossAttrs))
	s.lossWeight, s.dloss = c.in(2), c.in(4)
	return c.classify(s, newClassifier(classes, c.elem()), c.in(0), c.out(0), 0, n)
}
