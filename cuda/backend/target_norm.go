package backend

import "example.com/gotrain/autograd/ir"

// rowBlock shares rows out to threads, as row.cuh takes them: threads a row, rows
// a block, either one warp a row or one row a block.
type rowBlock struct{ threads, rows int }

// Of kernels that keep rows in registers: the spans of 16 bytes that a thread
// keeps (kHeld, kNormHeld there), the largest block of a row, and the rows of a
// block whose rows take a warp.
const (
	heldSpans     = 4
	normHeldSpans = 3
	rowThreads    = 256
	warpRows      = 8
)

// newRowBlock returns the block for rows of spans of which a thread holds held: a
// warp where that suffices, else the fewest threads of those that leave the
// fewest without work.
func newRowBlock(spans, held int) rowBlock {
	if spans <= held*warp {
		return rowBlock{warp, warpRows}
	}
	best, fewest := rowThreads, spans+rowThreads*held
	for threads := 2 * warp; threads <= rowThreads; threads += warp {
		if each := blocks(spans, threads); each <= held && threads*each < fewest {
			best, fewest = threads, threads*each
		}
	}
	return rowBlock{best, 1}
}

// spansOf returns the spans of a row of cols elements.
func spansOf(cols int, elem ir.DType) int { return blocks(cols, spanOf(elem)) }

// spanOf returns the elements of a span, 16 bytes.
func spanOf(elem ir.DType) int { return 128 / elem.Bits() }

// normBackward is how the gradient of a norm runs: norm.cuh.
type normBackward struct {
	rowBlock
	blockRows, parts int // rows of a block of threads, and the number of those
	planes           int // sums over the rows: of dw, db and sum
	shared           int // bytes
	inPartials       bool
}

// The threads beyond which a device gains nothing from more partial sums, up to two a
// row (beside the third a multiprocessor has room for fewer of their blocks), the rows
// that make one worthwhile, and the bytes of shared memory that sums take:
// what every device has, and what compute capability 8.0 and later can have.
const (
	normThreads   = 1 << 17
	normRows      = 16
	sharedBytes   = 48 << 10
	mostSumsBytes = 96 << 10
)

func newNormBackward(in *ir.Instr) normBackward {
	n, d := in.In[0].Shape.Rows(), in.In[0].Shape.Cols()
	p := normBackward{rowBlock: newRowBlock(spansOf(d, in.Elem(ir.Elem)), normHeldSpans)}
	for _, sum := range in.Out[1:] {
		if sum != nil {
			p.planes++
		}
	}
	sums := 4 * p.planes * d
	for p.rows > 1 && p.rows*sums > sharedBytes {
		p.rows /= 2
	}
	p.shared = p.rows * sums
	if p.inPartials = p.shared > mostSumsBytes; p.inPartials {
		p.shared = 0
	}
	p.blockRows = max(normRows, 4*p.rows, blocks(n, normThreads*2/max(2, p.planes)/(p.threads*p.rows)))
	p.blockRows = blocks(p.blockRows, p.rows) * p.rows
	p.parts = blocks(n, p.blockRows)
	return p
}

// scratchNormBackward holds partials (parts, planes, D).
func scratchNormBackward(in *ir.Instr) int64 {
	p := newNormBackward(in)
	return 4 * int64(p.parts) * int64(p.planes) * int64(in.In[0].Shape.Cols())
}

// columnSum is how columns are added up: columnsum.cu.
type columnSum struct{ tiles, blockRows, parts int }

// The blocks beyond which a device gains nothing from more, and the rows that
// make one worthwhile.
const (
	columnBlocks = 1024
	columnRows   = 64
)

func newColumnSum(in *ir.Instr) columnSum {
	n, d := in.In[0].Shape.Rows(), in.In[0].Shape.Cols()
	s := columnSum{tiles: blocks(d, warp*spanOf(in.Elem(ir.Elem)))}
	s.blockRows = blocks(n, max(1, min(columnBlocks/s.tiles, n/columnRows)))
	s.parts = blocks(n, s.blockRows)
	return s
}

// scratchColumnSum holds partials (parts, D).
func scratchColumnSum(in *ir.Instr) int64 {
	return 4 * int64(newColumnSum(in).parts) * int64(in.In[0].Shape.Cols())
}

// rowsOf is the ColumnSum that gives a sum of ir.Info.Sums.
func rowsOf(in *ir.Instr, pair [2]int) *ir.Instr {
	return &ir.Instr{Kind: ir.ColumnSum, In: []*ir.Value{in.Out[pair[1]], nil}, Out: []*ir.Value{in.Out[pair[0]]}, Path: in.Path, Block: in.Block}
}
