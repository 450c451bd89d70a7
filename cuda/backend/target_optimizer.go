package backend

import "gotrain/autograd/ir"

// normChunk is the number of elements of one partial sum of squares, in
// gradnorm.cu and muon.cu.
const normChunk = 16384

// scratchGradNorm holds the partial sums, float32.
func scratchGradNorm(in *ir.Instr) int64 {
	chunks := 0
	for _, g := range in.In[1:] {
		chunks += blocks(g.Shape.Size(), normChunk)
	}
	return 4 * int64(chunks)
}

// muonSpace is the workspace of a Muon instruction, in bytes from its start. X
// and the next X are (rows, cols), A, A² and the polynomial (side, side) with
// side = min(rows, cols).
type muonSpace struct {
	rows, cols, side int
	operand          ir.DType // of the operands of the products: X, A and the polynomial

	x, next, a, square, poly, partial, bytes int64
}

// newMuonSpace lays out the workspace. In float32 the polynomial replaces A².
func newMuonSpace(in *ir.Instr) muonSpace {
	m := muonSpace{rows: in.In[0].Shape.Rows(), cols: in.In[0].Shape.Cols(), operand: ir.F32}
	m.side = min(m.rows, m.cols)
	if in.Compute == ir.BF16 {
		m.operand = ir.BF16
	}
	take := func(elements int, d ir.DType) int64 {
		at := m.bytes
		m.bytes += (int64(elements)*int64(d.Size()) + 255) &^ 255 // what cuBLASLt likes best
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
	return m
}

func scratchMuon(in *ir.Instr) int64 { return newMuonSpace(in).bytes }
