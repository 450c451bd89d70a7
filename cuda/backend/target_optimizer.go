package backend

import "example.com/gotrain/autograd/ir"

// normChunk is the number of elements of one partial sum of squares, in
// gradnorm.cu and muon.cu.
const normChunk = 16384

// scratchSumSquares holds the partial sums, float32.
func scratchSumSquares(in *ir.Instr) int64 {
	chunks := 0
	for _, g := range in.In {
		chunks += blocks(g.Shape.Size(), normChunk)
	}
	return 4 * int64(chunks)
}

// muonBatchBytes bounds the workspace of matrices that Muon updates together.
const muonBatchBytes = 256 << 20

// muonClass is what matrices of one batch have in common.
type muonClass struct {
	rows, cols, iterations int
	compute                ir.DType
}

// muonBatch is matrices of one shape that Muon updates together, with the layout
// of the workspace in bytes from its start: X and the next X of every matrix,
// (rows, cols), A, A² and the polynomial, (side, side) with side = min(rows, cols).
// Those of one sort follow each other without a gap.
type muonBatch struct {
	muonClass
	ins     []int // indices into the launch
	side    int
	operand ir.DType // of the operands of the products: X, A and the polynomial

	x, next, a, square, poly, partial, bytes int64
}

// layout places n matrices. In float32 the polynomial replaces A².
func (m *muonBatch) layout(n int) {
	m.bytes = 0
	take := func(elements int, d ir.DType) int64 {
		at := m.bytes
		m.bytes += (d.Bytes(ir.Shape{n * elements}) + 255) &^ 255 // what cuBLASLt likes best
		return at
	}
	m.x = take(m.rows*m.cols, m.operand)
	m.next = take(m.rows*m.cols, m.operand)
	m.a = take(m.side*m.side, m.operand)
	m.square = take(m.side*m.side, ir.F32)
	m.poly = m.square
	if m.operand != ir.F32 {
		m.poly = take(m.side*m.side, m.operand)
	}
	m.partial = take(blocks(m.rows*m.cols, normChunk), ir.F32)
}

// joins adds a matrix of the same shape if there is room and each matrix begins
// at a multiple of 16 bytes then.
func (m *muonBatch) joins(i int) bool {
	if m.rows*m.cols*m.operand.Bits()%128 != 0 || m.side*m.side*m.operand.Bits()%128 != 0 {
		return false
	}
	if m.layout(len(m.ins) + 1); m.bytes > muonBatchBytes {
		m.layout(len(m.ins))
		return false
	}
	m.ins = append(m.ins, i)
	return true
}

// muonBatches cuts a launch of Muon instructions into batches. They use the same
// workspace one after the other.
func muonBatches(launch []*ir.Instr) []*muonBatch {
	var batches []*muonBatch
	open := map[muonClass]*muonBatch{}
	for i, in := range launch {
		a := in.Attrs.(ir.MuonAttrs)
		c := muonClass{in.In[0].Shape.Rows(), in.In[0].Shape.Cols(), a.NewtonSchulz, a.Compute}
		if m := open[c]; m != nil && m.joins(i) {
			continue
		}
		m := &muonBatch{muonClass: c, ins: []int{i}, side: min(c.rows, c.cols), operand: ir.F32}
		if c.compute == ir.BF16 {
			m.operand = ir.BF16
		}
		m.layout(1)
		batches = append(batches, m)
		open[c] = m
	}
	return batches
}

func scratchMuon(launch []*ir.Instr) int64 {
	var bytes int64
	for _, m := range muonBatches(launch) {
		bytes = max(bytes, m.bytes)
	}
	return bytes
}
