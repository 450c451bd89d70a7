package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// scratchCrossEntropy holds the loss of each row.
func scratchCrossEntropy(_ *Backend, in *ir.Instr) int { return in.In[0].Shape[0] }

func bindCrossEntropy(c *call) func() {
	logits, targets, lossWeight := c.x(0), c.ids(1), c.x(2)
	loss, nll, lse := c.y(0), c.y(1), c.y(2)
	n, classes := c.In[0].Shape[0], c.In[0].Shape[1]
	cfg := vec.Loss(c.Attrs.(ir.LossAttrs))
	v, losses := c.vec, c.scratch()[:n]
	rows := c.split(n, rowGrain(mathGrain, classes), func(lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			if t := int(targets[r]); t < 0 {
				losses[r], nll[r], lse[r] = 0, 0, 0
			} else {
				losses[r], nll[r], lse[r] = v.CrossEntropy(logits[r*classes:][:classes], t, cfg)
			}
		}
	})
	return func() {
		if c.checkIndices("target", targets, classes, true) {
			rows()
			loss[0] = float32(float64(lossWeight[0]) * v.Sum(losses))
		}
	}
}

func bindCrossEntropyBackward(c *call) func() {
	logits, targets, lossWeight, dloss, dlogits := c.x(0), c.ids(1), c.x(2), c.x(4), c.y(0)
	n, classes := c.In[0].Shape[0], c.In[0].Shape[1]
	cfg := vec.Loss(c.Attrs.(ir.LossAttrs))
	v, inPlace := c.vec, same(dlogits, logits)
	rows := c.split(n, rowGrain(mathGrain, classes), func(lo, hi, _ int) {
		scale := lossWeight[0] * dloss[0]
		for r := lo; r < hi; r++ {
			z := dlogits[r*classes:][:classes]
			t := int(targets[r])
			if t < 0 {
				clear(z)
				continue
			}
			if !inPlace {
				copy(z, logits[r*classes:][:classes])
			}
			v.CrossEntropyBackward(z, t, cfg, scale)
		}
	})
	return func() {
		if c.checkIndices("target", targets, classes, true) {
			rows()
		}
	}
}
