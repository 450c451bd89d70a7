package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// scratchLinearLogProb holds a chunk of logits, (Rows, V), then for each thread the
// probabilities of a piece of a row.
func scratchLinearLogProb(b *Backend, in *ir.Instr) int {
	return scratchLogits(in) + b.pool.Threads()*vec.LogProbScratch
}

// linearLogProb is a LinearLogProb or its gradient.
type linearLogProb struct {
	logitChunks
	scale         float32
	logp, entropy []float32 // or of the gradient d logp and d entropy; entropy may be nil
	lse           []float32 // may be nil
	pieces        []float32
}

func bindLinearLogProb(c *call) func() {
	l := newLinearLogProb(c, newLogitChunks(c, nil, nil, nil), c.y(0))
	l.lse = c.y(1)
	run := l.each(l.score)
	return func() { run() }
}

func bindLinearLogProbBackward(c *call) func() {
	l := newLinearLogProb(c, newLogitChunks(c, c.y(0), c.y(1), c.x(4)), c.x(3))
	run := l.each(l.differentiate)
	return func() { run() }
}

// newLinearLogProb takes y (1 or 2, N) apart.
func newLinearLogProb(c *call, chunks logitChunks, y []float32) *linearLogProb {
	attrs := c.Attrs.(ir.LinearLogProbAttrs)
	l := &linearLogProb{logitChunks: chunks, scale: attrs.Scale, logp: y[:chunks.n], pieces: c.scratch()[scratchLogits(c.Instr):]}
	if attrs.Entropy {
		l.entropy = y[chunks.n:]
	}
	return l
}

// scaled is row with the logits times scale.
func (l *linearLogProb) scaled(r int) (z []float32, target int) {
	z, target = l.row(r)
	if l.scale != 1 && target >= 0 {
		l.vec.Scale(z, z, l.scale)
	}
	return z, target
}

// piece is the scratch of a worker.
func (l *linearLogProb) piece(worker int) []float32 {
	return l.pieces[worker*vec.LogProbScratch:][:vec.LogProbScratch]
}

// score turns rows [lo, hi) of the chunk's logits into log-probabilities.
func (l *linearLogProb) score(lo, hi, worker int) {
	for r := lo; r < hi; r++ {
		var logp, lse, entropy float32
		if z, t := l.scaled(r); t >= 0 {
			logp, lse = l.vec.LogProb(z, t)
			if l.entropy != nil {
				entropy = l.vec.Entropy(z, lse, l.piece(worker))
			}
		}
		l.logp[l.first+r] = logp
		if l.lse != nil {
			l.lse[l.first+r] = lse
		}
		if l.entropy != nil {
			l.entropy[l.first+r] = entropy
		}
	}
}

// differentiate turns rows [lo, hi) of the chunk's logits into their gradient.
func (l *linearLogProb) differentiate(lo, hi, worker int) {
	for r := lo; r < hi; r++ {
		z, t := l.scaled(r)
		if t < 0 {
			clear(z)
			continue
		}
		dlogp, dentropy := l.logp[l.first+r]*l.scale, float32(0)
		if l.entropy != nil {
			dentropy = l.entropy[l.first+r] * l.scale
		}
		l.vec.LogProbBackward(z, t, dlogp, dentropy, l.piece(worker))
	}
}
