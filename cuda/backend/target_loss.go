package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// classifier is how rows of logits are scored: crossentropy.cu.
type classifier struct {
	rowBlock
	stride int // elements between rows
	held   int // elements of a row in shared memory
	shared int // bytes
}

// Of the classifier: the largest block, and the shared memory of a row, what
// compute capability 8.6 can have less that of its sums. A row of 50,304 bfloat16
// fits.
const (
	classifyThreads = 512
	classifyShared  = 99<<10 - 512
)

// newClassifier returns the launch for rows of stride logits: a warp a row up to
// eight spans a thread, then blocks.
func newClassifier(stride int, elem ir.DType) classifier {
	spans := spansOf(stride, elem)
	k := classifier{rowBlock: rowBlock{warp, warpRows}, stride: stride}
	switch {
	case spans > 8*rowThreads:
		k.rowBlock = rowBlock{classifyThreads, 1}
	case spans > 8*warp:
		k.rowBlock = rowBlock{rowThreads, 1}
	}
	if stride%spanOf(elem) == 0 {
		k.held = min(spans, classifyShared/16/k.rows) * spanOf(elem)
		k.shared = k.rows * k.held * elem.Bits() / 8
	}
	return k
}

// scratchCrossEntropy holds the loss of each row.
func scratchCrossEntropy(in *ir.Instr) int64 { return 4 * int64(in.In[0].Shape[0]) }

// logitChunks is the size of a chunk of logits of LinearCrossEntropy and LinearLogProb:
// its rows, and the elements between rows, whole spans so that every vocabulary has
// 16-byte accesses.
type logitChunks struct {
	rows, stride int
	bytes        int64 // of the chunk in the workspace, aligned
}

func newLogitChunks(in *ir.Instr) logitChunks {
	n, classes, elem := in.In[0].Shape[0], in.In[1].Shape[0], in.Elem(ir.Elem)
	l := logitChunks{rows: n, stride: spansOf(classes, elem) * spanOf(elem)}
	if rows := in.Attrs.(ir.Chunked).LogitRows(); rows > 0 {
		l.rows = min(rows, n)
	}
	logits := int64(l.rows) * int64(l.stride) * int64(elem.Bits()/8)
	l.bytes = (logits + plan.Align - 1) / plan.Align * plan.Align
	return l
}

// scratchLinearCrossEntropy holds a chunk of logits (Rows, V), which become their
// gradients, then the loss of each row.
func scratchLinearCrossEntropy(in *ir.Instr) int64 {
	return scratchLogits(in) + 4*int64(in.In[0].Shape[0])
}

// scratchLogits holds a chunk of logits.
func scratchLogits(in *ir.Instr) int64 { return newLogitChunks(in).bytes }

// mseChunk returns the elements of one partial sum of n: at most 1024 of them.
func mseChunk(n int) int { return 16384 * blocks(n, 16384*1024) }

// scratchMSE holds the partial sums.
func scratchMSE(in *ir.Instr) int64 {
	n := in.In[0].Shape.Size()
	return 4 * int64(blocks(n, mseChunk(n)))
}
