package backend

import (
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestClassifier checks the blocks and the shared memory of rows of logits.
func TestClassifier(t *testing.T) {
	for _, c := range []struct {
		stride int
		elem   ir.DType
		want   classifier
	}{
		{8, ir.BF16, classifier{rowBlock{32, 8}, 8, 8, 8 * 16}},
		{65, ir.F32, classifier{rowBlock: rowBlock{32, 8}, stride: 65}},
		{2048, ir.BF16, classifier{rowBlock{32, 8}, 2048, 2048, 32 << 10}},
		{2056, ir.BF16, classifier{rowBlock{256, 1}, 2056, 2056, 4112}},
		{32000, ir.BF16, classifier{rowBlock{512, 1}, 32000, 32000, 64000}},
		{50304, ir.BF16, classifier{rowBlock{512, 1}, 50304, 50304, 100608}}, // all of GPT-2's
		{50304, ir.F32, classifier{rowBlock{512, 1}, 50304, 25216, 100864}},
		{128256, ir.BF16, classifier{rowBlock{512, 1}, 128256, 50432, 100864}},
	} {
		if got := newClassifier(c.stride, c.elem); got != c.want {
			t.Errorf("%d of %s: got %+v, want %+v", c.stride, c.elem, got, c.want)
		}
	}
}

// TestLogitChunks checks that rows of logits are padded to 16 bytes and that the
// losses lie behind the chunk.
func TestLogitChunks(t *testing.T) {
	for _, c := range []struct {
		n, classes, rows int
		elem             ir.DType
		want             logitChunks
		scratch          int64
	}{
		{5, 3, 0, ir.F32, logitChunks{5, 4, 256}, 256 + 4*5},
		{5, 3, 2, ir.BF16, logitChunks{2, 8, 256}, 256 + 4*5},
		{1000, 50257, 128, ir.BF16, logitChunks{128, 50264, 128 * 50264 * 2}, 128*50264*2 + 4*1000},
	} {
		x := &ir.Value{Shape: ir.Shape{c.n, 16}, DType: c.elem}
		w := &ir.Value{Shape: ir.Shape{c.classes, 16}, DType: c.elem}
		in := &ir.Instr{Kind: ir.LinearCrossEntropy, Attrs: ir.LinearCrossEntropyAttrs{Rows: c.rows}, In: []*ir.Value{x, w}}
		if got := newLogitChunks(in); got != c.want {
			t.Errorf("(%d, %d): got %+v, want %+v", c.n, c.classes, got, c.want)
		}
		if got := scratchLinearCrossEntropy(in); got != c.scratch {
			t.Errorf("(%d, %d): %d bytes of workspace, want %d", c.n, c.classes, got, c.scratch)
		}
		in.Kind, in.Attrs = ir.LinearLogProb, ir.LinearLogProbAttrs{Rows: c.rows}
		if got := scratchLogits(in); got != c.want.bytes {
			t.Errorf("(%d, %d): %d bytes of workspace of log-probabilities, want %d", c.n, c.classes, got, c.want.bytes)
		}
	}
}

// TestEmbeddingBackward checks the passes of the sort and that the pieces of the
// workspace do not overlap.
func TestEmbeddingBackward(t *testing.T) {
	for _, c := range []struct{ n, vocab, d, passes, chunks, tiles int }{
		{1, 1, 3, 1, 1, 0},
		{64, 256, 3, 1, 1, 1},
		{2049, 257, 5, 2, 2, 32},
		{65536, 50304, 768, 2, 32, 1024},
		{65536, 128256, 8, 3, 32, 1024},
	} {
		in := &ir.Instr{Kind: ir.EmbeddingBackward,
			In:  []*ir.Value{{Shape: ir.Shape{c.n}, DType: ir.I32}},
			Out: []*ir.Value{{Shape: ir.Shape{c.vocab, c.d}}}}
		e := newEmbeddingBackward(in)
		if e.passes != c.passes || e.chunks != c.chunks || e.tiles != c.tiles {
			t.Errorf("%+v: got %+v", c, e)
		}
		pieces := []struct{ at, bytes int64 }{
			{e.sorted, 8 * int64(c.n)}, {e.counts, 4 * 256 * int64(c.chunks)},
			{e.starts, 4 * int64(c.vocab+1)}, {e.sums, 4 * int64(c.tiles) * int64(c.d)}, {scratchEmbeddingBackward(in), 0},
		}
		if c.passes > 1 && e.pairs < e.sorted+8*int64(c.n) {
			t.Errorf("%+v: the pairs of two passes overlap: %+v", c, e)
		}
		for i := 1; i < len(pieces); i++ {
			if before := pieces[i-1]; pieces[i].at < before.at+before.bytes || pieces[i].at%256 != 0 {
				t.Errorf("%+v: piece %d at %d, the one before at %d has %d bytes", c, i, pieces[i].at, before.at, before.bytes)
			}
		}
	}
}
