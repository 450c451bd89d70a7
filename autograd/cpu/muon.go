package cpu

import (
	"math"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/ir"
)

// Coefficients of the quintic Newton-Schulz iteration X ← aX + (bA + cA²)X,
// A = XXᵀ (Jordan et al. 2024): the slope at 0 is as steep as convergence to
// singular values around 1 allows.
const newtonA, newtonB, newtonC = 3.4445, -4.7750, 2.0315

// muonEps keeps the normalisation of a zero update finite.
const muonEps = 1e-7

// scratchMuon holds X and the next X, (rows, cols), A and bA + cA² + aI, both
// (side, side) with side = min(rows, cols), and the partial sums of the norm.
func scratchMuon(_ *Backend, in *ir.Instr) int {
	rows, cols := in.In[0].Shape.Rows(), in.In[0].Shape.Cols()
	side := min(rows, cols)
	return 2*aligned(rows*cols) + 2*aligned(side*side) + blocks(rows*cols, normBlock)
}

// muon is one Muon instruction. A wide X is multiplied from the left, a tall one
// from the right by XᵀX, which spares the transposition.
type muon struct {
	*call
	attrs                ir.MuonAttrs
	p, g, m, hyper, clip []float32
	x, next, a, poly     []float32
	partial              []float32
	side                 int
	scale                float32 // 1/‖u‖ of the current step

	update, normalise, combine, apply func()
	square, power, step               kernel.Args
}

func bindMuon(c *call) func() {
	rows, cols := c.In[0].Shape.Rows(), c.In[0].Shape.Cols()
	m := &muon{call: c, attrs: c.Attrs.(ir.MuonAttrs), p: c.x(0), g: c.x(1), m: c.x(2), hyper: c.x(3), clip: c.x(4), side: min(rows, cols)}
	space := c.scratch()
	take := func(n int) []float32 {
		part := space[:n]
		space = space[min(aligned(n), len(space)):]
		return part
	}
	m.x, m.next = take(rows*cols), take(rows*cols)
	m.a, m.poly = take(m.side*m.side), take(m.side*m.side)
	m.partial = take(blocks(rows*cols, normBlock))
	m.products(rows, cols)

	v, n := c.vec, len(m.p)
	m.update = c.split(n, normBlock, m.updateMomentum)
	m.normalise = c.split(n, streamGrain, func(lo, hi, _ int) { v.Scale(m.x[lo:hi], m.x[lo:hi], m.scale) })
	m.combine = c.split(m.side, rowGrain(streamGrain, m.side), m.addPowers)
	copied := c.copied()
	rate := float32(math.Sqrt(max(1, float64(rows)/float64(cols))))
	m.apply = c.split(n, streamGrain, func(lo, hi, _ int) {
		lr := m.hyper[ir.LR] * m.attrs.LRScale
		v.Scale(m.p[lo:hi], m.p[lo:hi], 1-lr*m.attrs.Decay)
		v.AXPY(m.p[lo:hi], -lr*rate, m.x[lo:hi])
		if copied != nil {
			v.ToBF16(copied[lo:hi], m.p[lo:hi])
		}
	})
	return m.run
}

func (m *muon) products(rows, cols int) {
	bf16, tall := m.attrs.Compute == ir.BF16, rows > cols
	// A = X·Xᵀ, or Xᵀ·X when X is tall.
	m.square = kernel.Args{M: m.side, N: m.side, K: max(rows, cols), A: m.x, B: m.x, LDA: cols, LDB: cols,
		TransA: tall, TransB: !tall, C: m.a, LDC: m.side, BF16: bf16}
	// A².
	m.power = kernel.Args{M: m.side, N: m.side, K: m.side, A: m.a, B: m.a, LDA: m.side, LDB: m.side,
		C: m.poly, LDC: m.side, BF16: bf16}
	// (bA + cA² + aI)·X, or X·(bA + cA² + aI) when X is tall.
	m.step = kernel.Args{M: rows, N: cols, K: m.side, A: m.poly, LDA: m.side, B: m.x, LDB: cols, C: m.next, LDC: cols, BF16: bf16}
	if tall {
		m.step.A, m.step.LDA, m.step.B, m.step.LDB = m.x, cols, m.poly, m.side
	}
}

func (m *muon) run() {
	if _, apply := clipOf(m.clip); !apply {
		return
	}
	m.update()
	m.scale = 1 / (float32(math.Sqrt(m.vec.Sum(m.partial))) + muonEps)
	m.normalise()
	for range m.attrs.NewtonSchulz {
		m.gemm.Mul(&m.square)
		m.gemm.Mul(&m.power)
		m.combine()
		m.gemm.Mul(&m.step)
		copy(m.x, m.next)
	}
	m.apply()
}

// updateMomentum sets m = Beta1·m + clip·g and x = u, and sums its squares.
func (m *muon) updateMomentum(lo, hi, _ int) {
	factor, _ := clipOf(m.clip)
	v, x, mom := m.vec, m.x[lo:hi], m.m[lo:hi]
	v.Scale(mom, mom, m.attrs.Beta1)
	v.AXPY(mom, factor, m.g[lo:hi])
	if m.attrs.Nesterov {
		v.Scale(x, m.g[lo:hi], factor)
		v.AXPY(x, m.attrs.Beta1, mom)
	} else {
		copy(x, mom)
	}
	m.partial[lo/normBlock] = float32(v.SumSquares(x))
}

// addPowers sets rows [lo, hi) of poly, which hold A², to bA + cA² + aI.
func (m *muon) addPowers(lo, hi, _ int) {
	from, to := lo*m.side, hi*m.side
	m.vec.Scale(m.poly[from:to], m.poly[from:to], newtonC)
	m.vec.AXPY(m.poly[from:to], newtonB, m.a[from:to])
	for r := lo; r < hi; r++ {
		m.poly[r*m.side+r] += newtonA
	}
}
