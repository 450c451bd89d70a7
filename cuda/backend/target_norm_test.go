package backend

import (
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestRowBlock checks that the registers of a block hold a row wherever those of
// the largest block do, and that a warp takes what it can.
func TestRowBlock(t *testing.T) {
	for _, held := range []int{normHeldSpans, heldSpans} {
		for spans := 1; spans < 2*held*rowThreads; spans++ {
			b := newRowBlock(spans, held)
			if b.threads%warp != 0 || b.threads > rowThreads || b.threads*b.rows > rowThreads || b.rows > 1 && b.threads > warp {
				t.Fatalf("%d spans, %d held: block of %+v", spans, held, b)
			}
			if got, want := blocks(spans, b.threads) <= held, spans <= held*rowThreads; got != want {
				t.Fatalf("%d spans, %d held: block of %+v holds a row: %t, want %t", spans, held, b, got, want)
			}
			if got, want := b.threads == warp, spans <= held*warp; got != want {
				t.Fatalf("%d spans, %d held: block of %+v is a warp: %t, want %t", spans, held, b, got, want)
			}
		}
	}
}

// TestNormBackward checks how the gradients of norms of all widths are cut.
func TestNormBackward(t *testing.T) {
	for _, c := range []struct {
		name string
		kind ir.Kind
		n, d int
		elem ir.DType
		want normBackward
	}{
		{"one row", ir.LayerNormBackward, 1, 1, ir.F32,
			normBackward{rowBlock: rowBlock{32, 8}, blockRows: 32, parts: 1, planes: 2, shared: 8 * 2 * 4}},
		{"GPT-2 124M", ir.LayerNormBackward, 65536, 768, ir.BF16,
			normBackward{rowBlock: rowBlock{32, 8}, blockRows: 128, parts: 512, planes: 2, shared: 48 << 10}},
		{"GPT-2 124M with the sum of dx", ir.LayerNormBackward, 65536, 768, ir.BF16,
			normBackward{rowBlock: rowBlock{32, 4}, blockRows: 100, parts: 656, planes: 3, shared: 36 << 10}},
		{"GPT-2 124M in float32", ir.LayerNormBackward, 65536, 768, ir.F32,
			normBackward{rowBlock: rowBlock{64, 1}, blockRows: 32, parts: 2048, planes: 2, shared: 6 << 10}},
		{"few rows", ir.RMSNormBackward, 4096, 2048, ir.BF16,
			normBackward{rowBlock: rowBlock{128, 1}, blockRows: 16, parts: 256, planes: 1, shared: 8 << 10}},
		{"odd", ir.RMSNormBackward, 1001, 67, ir.F32,
			normBackward{rowBlock: rowBlock{32, 8}, blockRows: 32, parts: 32, planes: 1, shared: 8 * 67 * 4}},
		{"fewer groups than warps", ir.LayerNormBackward, 100, 1024, ir.BF16,
			normBackward{rowBlock: rowBlock{64, 1}, blockRows: 16, parts: 7, planes: 2, shared: 8 << 10}},
		{"beyond shared memory", ir.LayerNormBackward, 100, 16384, ir.BF16,
			normBackward{rowBlock: rowBlock{256, 1}, blockRows: 16, parts: 7, planes: 2, inPartials: true}},
	} {
		out := []*ir.Value{{Shape: ir.Shape{c.n, c.d}, DType: c.elem}, {Shape: ir.Shape{c.d}}}
		for range c.want.planes - 1 {
			out = append(out, &ir.Value{Shape: ir.Shape{c.d}})
		}
		in := &ir.Instr{Kind: c.kind, In: []*ir.Value{{Shape: ir.Shape{c.n, c.d}, DType: c.elem}}, Out: out}
		if got := newNormBackward(in); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
		if got, want := scratchNormBackward(in), 4*int64(c.want.parts*c.want.planes*c.d); got != want {
			t.Errorf("%s: %d bytes of workspace, want %d", c.name, got, want)
		}
	}
}

// TestColumnSum checks that parts hold all rows and none is empty.
func TestColumnSum(t *testing.T) {
	for _, n := range []int{1, 63, 64, 129, 1000, 65536, 100003} {
		for _, d := range []int{1, 127, 768, 50304, 1 << 19} {
			in := &ir.Instr{Kind: ir.ColumnSum, In: []*ir.Value{{Shape: ir.Shape{n, d}, DType: ir.BF16}}}
			s := newColumnSum(in)
			if s.parts*s.blockRows < n || (s.parts-1)*s.blockRows >= n || s.parts > columnBlocks {
				t.Errorf("(%d, %d): %+v", n, d, s)
			}
			if s.tiles*warp*8 < d {
				t.Errorf("(%d, %d): %d tiles leave out columns", n, d, s.tiles)
			}
		}
	}
}
