package cpu

import (
	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// logitChunks makes logits x·wᵀ of x (N, D) and w (V, D), inputs 0 and 1, for a chunk of
// rows at a time, and from their gradient in place the chunk's rows of dx and its share
// of dw. Input 2 are the targets.
type logitChunks struct {
	*call
	x, dx, dw            []float32 // dx, dw nil where they are not wanted
	targets              []int32
	what                 string // a target is
	n, d, classes, chunk int
	z                    []float32 // (chunk, classes)
	first                int       // the first row of the chunk
	logits, toX, toW     kernel.Args
	addend               []float32 // of dw
}

// scratchLogits is the workspace of a chunk, (Rows, V).
func scratchLogits(in *ir.Instr) int { return aligned(chunkRows(in) * in.In[1].Shape[0]) }

// chunkRows returns the rows of logits that are computed at a time: Rows, all
// where it is 0.
func chunkRows(in *ir.Instr) int {
	n := in.In[0].Shape[0]
	rows := in.Attrs.(ir.Chunked).LogitRows()
	if rows <= 0 {
		return n
	}
	return min(rows, n)
}

func newLogitChunks(c *call, dx, dw, addend []float32) logitChunks {
	l := logitChunks{
		call: c, x: c.x(0), targets: c.ids(2), what: "target", dx: dx, dw: dw, addend: addend,
		n: c.In[0].Shape[0], d: c.In[0].Shape[1], classes: c.In[1].Shape[0], chunk: chunkRows(c.Instr),
	}
	l.z = c.scratch()[:l.chunk*l.classes]
	l.products(c.weight(1))
	return l
}

// backward tells whether a gradient is wanted.
func (l *logitChunks) backward() bool { return l.dx != nil || l.dw != nil }

// row returns the logits and the target of row r of the chunk.
func (l *logitChunks) row(r int) (z []float32, target int) {
	return l.z[r*l.classes:][:l.classes], int(l.targets[l.first+r])
}

// each returns what runs score on rows [lo, hi) of the logits of every chunk, and the
// products of the gradient that it leaves in their place. It is false where a target is
// out of range.
func (l *logitChunks) each(score func(lo, hi, worker int)) func() bool {
	grain := rowGrain(mathGrain, l.classes)
	return func() bool {
		if !l.checkIndices(l.what, l.targets, l.classes, true) {
			return false
		}
		for l.first = 0; l.first < l.n; l.first += l.chunk {
			rows := min(l.chunk, l.n-l.first)
			l.aim(rows)
			l.gemm.Mul(&l.logits)
			l.pool.ForRange(rows, grain, score)
			if l.dx != nil {
				l.gemm.Mul(&l.toX)
			}
			if l.dw != nil {
				l.gemm.Mul(&l.toW)
			}
		}
		return true
	}
}

// products prepares the three matrix products but for the rows of the chunk.
func (l *logitChunks) products(w []float32, read kernel.Reader) {
	bf16 := l.Attrs.(ir.Products).Precision() == ir.BF16
	l.logits = kernel.Args{ // (rows, D) × (V, D)ᵀ → (rows, V)
		N: l.classes, K: l.d, LDA: l.d, B: w, LDB: l.d, ReadB: read, TransB: true, C: l.z, LDC: l.classes, BF16: bf16,
	}
	l.toX = kernel.Args{ // (rows, V) × (V, D) → (rows, D)
		N: l.d, K: l.classes, A: l.z, LDA: l.classes, B: w, LDB: l.d, ReadB: read, LDC: l.d, BF16: bf16,
	}
	l.toW = kernel.Args{ // (rows, V)ᵀ × (rows, D) → (V, D)
		M: l.classes, N: l.d, A: l.z, LDA: l.classes, TransA: true, LDB: l.d, C: l.dw, LDC: l.d, BF16: bf16,
		LDR: l.d,
	}
}

// aim points the products at the chunk of so many rows from first.
func (l *logitChunks) aim(rows int) {
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
