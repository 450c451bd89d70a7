package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// scratchLinearCrossEntropy holds a chunk of logits, (Rows, V), then the loss of
// each row.
func scratchLinearCrossEntropy(_ *Backend, in *ir.Instr) int {
	return scratchLogits(in) + in.In[0].Shape[0]
}

// linearLoss is a LinearCrossEntropy.
type linearLoss struct {
	logitChunks
	losses, nll, lossWeight []float32
	cfg                     vec.Loss
}

func bindLinearCrossEntropy(c *call) func() {
	l := &linearLoss{
		logitChunks: newLogitChunks(c, c.y(2), c.y(3), c.x(4)),
		lossWeight:  c.x(3), nll: c.y(1),
		cfg: vec.Loss(c.Attrs.(ir.LinearCrossEntropyAttrs).LossAttrs),
	}
	l.losses = c.scratch()[scratchLogits(c.Instr):][:l.n]
	loss := c.y(0)
	run := l.each(l.classify)
	return func() {
		if run() {
			loss[0] = float32(float64(l.lossWeight[0]) * c.vec.Sum(l.losses))
		}
	}
}

// classify turns rows [lo, hi) of the chunk's logits into losses and, where a
// gradient is wanted, into its gradient.
func (l *linearLoss) classify(lo, hi, _ int) {
	scale := l.lossWeight[0]
	for r := lo; r < hi; r++ {
		z, t := l.row(r)
		loss, nll := &l.losses[l.first+r], &l.nll[l.first+r]
		switch {
		case t < 0:
			*loss, *nll = 0, 0
			clear(z)
		case !l.backward():
			*loss, *nll, _ = l.vec.CrossEntropy(z, t, l.cfg)
		default:
			*loss, *nll, _ = l.vec.CrossEntropyBackward(z, t, l.cfg, scale)
		}
	}
}
