package cpu

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// scratchLinearTopLogProb holds a chunk of logits, (Rows, V), then for each thread what a row
// has at the top.
func scratchLinearTopLogProb(b *Backend, in *ir.Instr) int {
	return scratchLogits(in) + b.pool.Threads()*(in.In[2].Shape[1]+1)
}

// linearTopLogProb is a LinearTopLogProb or its gradient. The logits of the classes that are
// asked for are taken out of a row, so that what is left of it sums up to the rest exactly.
type linearTopLogProb struct {
	logitChunks
	scale float32
	k     int       // classes that are asked for
	width int       // of y: k, and one of the rest
	y     []float32 // or of the gradient dy
	tops  []float32 // (threads, k + 1)
}

func bindLinearTopLogProb(c *call) func() {
	l := newLinearTopLogProb(c, newLogitChunks(c, nil, nil, nil), c.y(0))
	run := l.each(l.score)
	return func() { run() }
}

func bindLinearTopLogProbBackward(c *call) func() {
	l := newLinearTopLogProb(c, newLogitChunks(c, c.y(0), c.y(1), c.x(4)), c.x(3))
	run := l.each(l.differentiate)
	return func() { run() }
}

func newLinearTopLogProb(c *call, chunks logitChunks, y []float32) *linearTopLogProb {
	attrs := c.Attrs.(ir.LinearTopLogProbAttrs)
	l := &linearTopLogProb{logitChunks: chunks, scale: attrs.Scale, k: c.In[2].Shape[1], y: y, tops: c.scratch()[scratchLogits(c.Instr):]}
	l.what, l.width = "class", l.k
	if attrs.Rest {
		l.width++
	}
	return l
}

// top is the scratch of a worker.
func (l *linearTopLogProb) top(worker int) []float32 { return l.tops[worker*(l.k+1):][:l.k+1] }

// taken is a logit that is out of its row: its exponential is 0.
const taken = -math.MaxFloat32

// row takes the classes of row r of the chunk out of its logits: their logits times scale are
// in top, whose last is the log-sum-exp of those that z keeps. classes is nil for a row that
// asks for none.
func (l *linearTopLogProb) row(r int, top []float32) (z []float32, classes []int32) {
	z, classes = l.z[r*l.classes:][:l.classes], l.targets[(l.first+r)*l.k:][:l.k]
	if classes[0] < 0 {
		return z, nil
	}
	if l.scale != 1 {
		l.vec.Scale(z, z, l.scale)
	}
	left := l.classes
	for i, c := range classes {
		top[i] = taken
		if c >= 0 {
			top[i], z[c] = z[c], taken
			left--
		}
	}
	top[l.k] = float32(math.Inf(-1))
	if left > 0 {
		top[l.k] = l.vec.LogSumExp(z)
	}
	return z, classes
}

// score turns rows [lo, hi) of the chunk's logits into log-probabilities.
func (l *linearTopLogProb) score(lo, hi, worker int) {
	top := l.top(worker)
	for r := lo; r < hi; r++ {
		y := l.y[(l.first+r)*l.width:][:l.width]
		clear(y)
		_, classes := l.row(r, top)
		if classes == nil {
			continue
		}
		lse := l.vec.LogSumExp(top)
		for i, c := range classes {
			if c >= 0 {
				y[i] = top[i] - lse
			}
		}
		if l.width > l.k {
			y[l.k] = top[l.k] - lse
		}
	}
}

// differentiate turns rows [lo, hi) of the chunk's logits into their gradient: with q the
// probabilities and S the sum of dy, dy - S·q of a class that is asked for, and of each other
// one its share exp(z - lse of the rest) of the same of the rest.
func (l *linearTopLogProb) differentiate(lo, hi, worker int) {
	top := l.top(worker)
	for r := lo; r < hi; r++ {
		z, classes := l.row(r, top)
		if classes == nil {
			clear(z)
			continue
		}
		dy := l.y[(l.first+r)*l.width:][:l.width]
		var sum, rest float32
		for i, d := range dy {
			if i == l.k {
				rest = d
			} else if classes[i] < 0 {
				continue
			}
			sum += d
		}
		lse := l.vec.LogSumExp(top)
		gradient := func(d, logit float32) float32 {
			return l.scale * (d - sum*float32(math.Exp(float64(logit-lse))))
		}
		if math.IsInf(float64(top[l.k]), -1) {
			clear(z)
		} else {
			l.vec.LogProbBackward(z, int(classes[0]), -gradient(rest, top[l.k]), 0, nil)
		}
		for i, c := range classes {
			if c >= 0 {
				z[c] = gradient(dy[i], top[i])
			}
		}
	}
}
