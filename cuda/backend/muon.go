//go:build gpu

package backend

import (
	"math"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// muon is a batch of Muon instructions. A wide X is multiplied from the left, a
// tall one from the right by XᵀX, which spares the transposition.
type muon struct {
	*muonBatch
	*call // the first; its workspace is that of all
	calls []*call
}

// bindMuon computes as ir.Kinds says, batch after batch: momentum, X = u/‖u‖,
// NewtonSchulz steps X → next X → X …, and the update of p.
func bindMuon(calls []*call) func() {
	launch := make([]*ir.Instr, len(calls))
	for i, c := range calls {
		launch[i] = c.Instr
	}
	var steps []func()
	for _, batch := range muonBatches(launch) {
		m := &muon{muonBatch: batch, call: calls[0]}
		for _, i := range batch.ins {
			m.calls = append(m.calls, calls[i])
		}
		steps = append(steps, m.steps()...)
	}
	return sequence(steps...)
}

// at returns the address of a part of the workspace.
func (m *muon) at(offset int64) cuda.Ptr { return m.scratch() + cuda.Ptr(offset) }

func (m *muon) steps() []func() {
	x, next := m.at(m.x), m.at(m.next)
	var products []func()
	for range m.iterations {
		products = append(products, m.iterate(x, next)...)
		x, next = next, x
	}
	chunks := blocks(m.rows*m.cols, normChunk)
	var words []uint64
	for i, c := range m.calls {
		words = append(words, m.segment(c, i, chunks, x)...)
	}
	table, count := m.table(words), int32(len(m.calls))
	grid := cuda.Dim{X: chunks * len(m.calls), Y: 1, Z: 1}
	elem := "_" + m.operand.String()
	steps := []func(){
		m.launch("muon_momentum", grid, elementBlock, 0, table, count, m.at(m.partial)),
		m.launch("muon_normalize"+elem, grid, elementBlock, 0, table, count, m.at(m.partial)),
	}
	return append(append(steps, products...), m.launch("muon_apply"+elem, grid, elementBlock, 0, table, count))
}

// segment is matrix i of the batch as muon.cu reads it. Each has the same number
// of chunks; result is where the iteration leaves the first.
func (m *muon) segment(c *call, i, chunks int, result cuda.Ptr) []uint64 {
	rate := float32(math.Sqrt(max(1, float64(m.rows)/float64(m.cols))))
	a := c.Attrs.(ir.MuonAttrs)
	n := m.rows * m.cols
	at := cuda.Ptr(i * n * m.operand.Bits() / 8)
	return []uint64{
		uint64(i * chunks), uint64(n),
		uint64(c.in(0)), uint64(c.in(1)), uint64(c.in(2)), uint64(m.at(m.x) + at), uint64(result + at), uint64(c.in(3)), uint64(c.in(4)), uint64(c.copied()),
		pair(math.Float32bits(a.Beta1), math.Float32bits(a.Decay)),
		pair(math.Float32bits(a.LRScale), math.Float32bits(rate)),
		pair(uint32(flag(a.Nesterov)), 0),
	}
}

// iterate returns the launches of next = (aI + bA + cA²)·X, A = X·Xᵀ; of a tall X
// next = X·(aI + bA + cA²), A = Xᵀ·X.
func (m *muon) iterate(x, next cuda.Ptr) []func() {
	a, square, poly := m.at(m.a), m.at(m.square), m.at(m.poly)
	tall, elem := m.rows > m.cols, dtype(m.operand)
	product := cuda.Product{Batch: len(m.calls), M: m.side, N: m.side, K: m.side, AB: elem, D: elem, TF32: m.compute == ir.TF32}
	gram, power, step := product, product, product
	gram.K, gram.TransA, gram.TransB = max(m.rows, m.cols), tall, !tall
	power.D = cuda.Float32
	step.M, step.N = m.rows, m.cols
	left, right := poly, x
	if tall {
		left, right = x, poly
	}
	grid := elementGrid(int64(m.side * m.side))
	grid.Y = len(m.calls)
	return []func(){
		m.multiply(gram, x, x, 0, a, 0, 0),
		m.multiply(power, a, a, 0, square, 0, 0),
		m.launch("muon_combine_"+m.operand.String(), grid, elementBlock, 0, a, square, poly, int32(m.side)),
		m.multiply(step, left, right, 0, next, 0, 0),
	}
}
