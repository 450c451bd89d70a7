package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// scratchLinearCrossEntropy holds a chunk of logits, (Rows, V), then the loss of
// each row.
func scratchLinearCrossEntropy(_ *Backend, in *ir.Instr) int {
	n, classes := in.In[0].Shape[0], in.In[1].Shape[0]
	return aligned(chunkRows(in)*classes) + n
}

// chunkRows returns the rows of logits that are computed at a time: Rows, all
// where it is 0.
func chunkRows(in *ir.Instr) int {
	n := in.In[0].Shape[0]
	rows := in.Attrs.(ir.LinearCrossEntropyAttrs).Rows
	if rows <= 0 {
		return n
	}
	return min(rows, n)
}

// linearLoss is a LinearCrossEntropy: for each chunk of rows the logits, from
// them losses and the gradient of the logits in place, and from that the chunk's
// rows of dx and its share of dw.
type linearLoss struct {
	*call
	x, dx, dw, losses, nll, lossWeight []float32
	targets                            []int32
	n, d, classes, chunk               int

	cfg              vec.Loss
	z                []float32 // (chunk, classes)
	first            int       // the first row of the chunk
	logits, toX, toW kernel.Args
	addend           []float32
}

func bindLinearCrossEntropy(c *call) func() {
	l := &linearLoss{
		call: c,
		x:    c.x(0), targets: c.ids(2), lossWeight: c.x(3),
		nll: c.y(1), dx: c.y(2), dw: c.y(3),
		n: c.In[0].Shape[0], d: c.In[0].Shape[1], classes: c.In[1].Shape[0],
		cfg: vec.Loss(c.Attrs.(ir.LinearCrossEntropyAttrs).LossAttrs),
	}
	l.chunk = chunkRows(c.Instr)
	l.z = c.scratch()[:l.chunk*l.classes]
	l.losses = c.scratch()[aligned(len(l.z)):][:l.n]
	l.addend = c.x(4)
	l.products(c.x(1))

	loss := c.y(0)
	classify := l.classify
	grain := rowGrain(mathGrain, l.classes)
	return func() {
		if !c.checkIndices("target", l.targets, l.classes, true) {
			return
		}
		for l.first = 0; l.first < l.n; l.first += l.chunk {
			rows := min(l.chunk, l.n-l.first)
			l.aim(rows)
			c.gemm.Mul(&l.logits)
			c.pool.ForRange(rows, grain, classify)
			if l.dx != nil {
				c.gemm.Mul(&l.toX)
			}
			if l.dw != nil {
				c.gemm.Mul(&l.toW)
			}
		}
		loss[0] = float32(float64(l.lossWeight[0]) * c.vec.Sum(l.losses))
	}
}

// products prepares the three matrix products but for the rows of the chunk.
func (l *linearLoss) products(w []float32) {
	bf16 := l.Attrs.(ir.LinearCrossEntropyAttrs).Compute == ir.BF16
	l.logits = kernel.Args{ // (rows, D) × (V, D)ᵀ → (rows, V)
		N: l.classes, K: l.d, LDA: l.d, B: w, LDB: l.d, TransB: true, C: l.z, LDC: l.classes, BF16: bf16,
	}
	l.toX = kernel.Args{ // (rows, V) × (V, D) → (rows, D)
		N: l.d, K: l.classes, A: l.z, LDA: l.classes, B: w, LDB: l.d, LDC: l.d, BF16: bf16,
	}
	l.toW = kernel.Args{ // (rows, V)ᵀ × (rows, D) → (V, D)
		M: l.classes, N: l.d, A: l.z, LDA: l.classes, TransA: true, LDB: l.d, C: l.dw, LDC: l.d, BF16: bf16,
		LDR: l.d,
	}
}

// aim points the products at the chunk of so many rows from first.
func (l *linearLoss) aim(rows int) {
	x := l.x[l.first*l.d:][:rows*l.d]
	l.logits.M, l.logits.A = rows, x
	if l.dx != nil {
		l.toX.M, l.toX.C = rows, l.dx[l.first*l.d:][:rows*l.d]
	}
	l.toW.K, l.toW.B = rows, x
	l.toW.Residual, l.toW.Accumulate = l.addend, false
	if l.first > 0 {
		l.toW.Residual, l.toW.Accumulate = nil, true
	}
}

// classify turns rows [lo, hi) of the chunk's logits into losses and, where a
// gradient is wanted, into its gradient.
func (l *linearLoss) classify(lo, hi, _ int) {
	scale := l.lossWeight[0]
	for r := lo; r < hi; r++ {
		z, t := l.z[r*l.classes:][:l.classes], int(l.targets[l.first+r])
		loss, nll := &l.losses[l.first+r], &l.nll[l.first+r]
		switch {
		case t < 0:
			*loss, *nll = 0, 0
			clear(z)
		case l.dx == nil && l.dw == nil:
			*loss, *nll, _ = l.vec.CrossEntropy(z, t, l.cfg)
		default:
			*loss, *nll, _ = l.vec.CrossEntropyBackward(z, t, l.cfg, scale)
		}
	}
}
