//go:build gpu

package backend

import (
	"math"

	"gotrain/autograd/ir"
	"gotrain/cuda"
)

// muon is one Muon instruction. A wide X is multiplied from the left, a tall one
// from the right by XᵀX, which spares the transposition.
type muon struct {
	*call
	muonSpace
	n     int64
	chunk cuda.Dim // a block for each normChunk elements
}

// at returns the address of a part of the workspace.
func (m *muon) at(offset int64) cuda.Ptr { return m.scratch() + cuda.Ptr(offset) }

// bindMuon computes as ir.Kinds says: momentum, X = u/‖u‖, NewtonSchulz steps
// X → next X → X …, and the update of p.
func bindMuon(c *call) func() {
	m := &muon{call: c, muonSpace: newMuonSpace(c.Instr), n: int64(c.In[0].Shape.Size())}
	m.chunk = cuda.Dim{X: blocks(int(m.n), normChunk), Y: 1, Z: 1}
	p, g, momentum, hyper, clip := c.in(0), c.in(1), c.in(2), c.in(3), c.in(4)
	nesterov := int32(0)
	if c.Nesterov {
		nesterov = 1
	}
	elem := "_" + m.operand.String()
	steps := []func(){
		c.launch("muon_momentum", m.chunk, elementBlock, 0, g, momentum, m.at(m.partial), clip, m.n, c.Beta1, nesterov),
		c.launch("muon_normalize"+elem, m.chunk, elementBlock, 0,
			g, momentum, m.at(m.x), m.at(m.partial), int32(m.chunk.X), clip, m.n, c.Beta1, nesterov),
	}
	x, next := m.at(m.x), m.at(m.next)
	for range c.NewtonSchulz {
		steps = append(steps, m.iterate(x, next)...)
		x, next = next, x
	}
	rate := float32(math.Sqrt(max(1, float64(m.rows)/float64(m.cols))))
	return sequence(append(steps, c.launch("muon_apply"+elem, elementGrid(m.n), elementBlock, 0,
		p, x, hyper, clip, m.n, c.LRScale, c.Decay, rate))...)
}

// iterate returns the launches of next = (aI + bA + cA²)·X, A = X·Xᵀ; of a tall X
// next = X·(aI + bA + cA²), A = Xᵀ·X.
func (m *muon) iterate(x, next cuda.Ptr) []func() {
	a, square, poly := m.at(m.a), m.at(m.square), m.at(m.poly)
	tall, elem := m.rows > m.cols, dtype(m.operand)
	product := cuda.Product{Batch: 1, M: m.side, N: m.side, K: m.side, AB: elem, D: elem, TF32: m.Compute == ir.TF32}
	gram, power, step := product, product, product
	gram.K, gram.TransA, gram.TransB = max(m.rows, m.cols), tall, !tall
	power.D = cuda.Float32
	step.M, step.N = m.rows, m.cols
	left, right := poly, x
	if tall {
		left, right = x, poly
	}
	return []func(){
		m.multiply(m.product(gram), x, x, 0, a, 0, 0),
		m.multiply(m.product(power), a, a, 0, square, 0, 0),
		m.launch("muon_combine_"+m.operand.String(), elementGrid(int64(m.side*m.side)), elementBlock, 0, a, square, poly, int32(m.side)),
		m.multiply(m.product(step), left, right, 0, next, 0, 0),
	}
}
