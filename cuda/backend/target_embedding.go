package backend

import (
	"math/bits"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// Constants of embedding_backward.cu: the digit of a pass of the sort, its values
// (also the threads of a block), the pairs of a block and those of a tile.
const (
	sortBits  = 8
	digits    = 1 << sortBits
	sortChunk = 2048
	sortTile  = 64
)

// embeddingBackward is how the gradient of a table runs, with the offsets of its
// workspace: embedding_backward.cu.
type embeddingBackward struct {
	passes, chunks, tiles        int
	pairs, sorted                int64 // passes write to them in turn, the last one to sorted
	counts, starts, sums, offset int64
}

func newEmbeddingBackward(in *ir.Instr) embeddingBackward {
	n := in.In[0].Shape.Size()
	vocab, d := in.Out[0].Shape[0], in.Out[0].Shape[1]
	e := embeddingBackward{passes: max(1, blocks(bits.Len(uint(vocab-1)), sortBits)), chunks: blocks(n, sortChunk), tiles: n / sortTile}
	e.sorted = e.place(8 * n)
	if e.passes > 1 {
		e.pairs = e.place(8 * n)
	}
	e.counts = e.place(4 * e.chunks * digits)
	e.starts = e.place(4 * (vocab + 1))
	e.sums = e.place(4 * e.tiles * d)
	return e
}

// place returns the offset of bytes of workspace.
func (e *embeddingBackward) place(bytes int) int64 {
	at := e.offset
	e.offset += (int64(bytes) + plan.Align - 1) / plan.Align * plan.Align
	return at
}

func scratchEmbeddingBackward(in *ir.Instr) int64 { return newEmbeddingBackward(in).offset }
