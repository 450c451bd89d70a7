package backend

import (
	"slices"
	"testing"

	"example.com/gotrain/autograd/ir"
)

func muonInstr(rows, cols int, compute ir.DType) *ir.Instr {
	return &ir.Instr{Kind: ir.Muon, Attrs: ir.MuonAttrs{NewtonSchulz: 5, Compute: compute}, In: []*ir.Value{{Shape: ir.Shape{rows, cols}}}}
}

// TestMuonBatches holds batches to one shape, to addresses that are multiples of
// 16 bytes and to the bound of the workspace, and sees that no matrix is lost.
func TestMuonBatches(t *testing.T) {
	var group []*ir.Instr
	for range 12 {
		group = append(group, muonInstr(768, 2304, ir.BF16), muonInstr(768, 768, ir.BF16), muonInstr(768, 3072, ir.BF16), muonInstr(3072, 768, ir.BF16))
	}
	if got := len(muonBatches(group)); got != 4 {
		t.Errorf("GPT-2 124M has %d batches, want one of each of its 4 shapes", got)
	}
	if bytes := scratchMuon(group); bytes > muonBatchBytes {
		t.Errorf("GPT-2 124M: a workspace of %d bytes", bytes)
	}
	for range 3 {
		group = append(group, muonInstr(1600, 6400, ir.BF16), muonInstr(5, 7, ir.F32), muonInstr(5, 7, ir.BF16), muonInstr(8192, 8192, ir.F32))
	}
	var seen []int
	for _, m := range muonBatches(group) {
		for _, i := range m.ins {
			in := group[i]
			if in.In[0].Shape.Rows() != m.rows || in.In[0].Shape.Cols() != m.cols || (in.Attrs.(ir.MuonAttrs).Compute == ir.BF16) != (m.operand == ir.BF16) {
				t.Errorf("matrix %d is in a batch of %d×%d", i, m.rows, m.cols)
			}
		}
		if len(m.ins) > 1 && (m.bytes > muonBatchBytes || m.rows*m.cols*m.operand.Bits()%128 != 0) {
			t.Errorf("a batch of %d matrices of %d×%d, %d bytes", len(m.ins), m.rows, m.cols, m.bytes)
		}
		seen = append(seen, m.ins...)
	}
	slices.Sort(seen)
	for i, j := range seen {
		if i != j {
			t.Fatalf("matrices %v of %d", seen, len(group))
		}
	}
	if len(seen) != len(group) {
		t.Errorf("%d of %d matrices", len(seen), len(group))
	}
}

// TestWorkspaceOfMuon: batches use the same memory one after the other, matrices of
// other iterations or precision do not join, and none joins that would begin at an
// address that is no multiple of 16 bytes.
func TestWorkspaceOfMuon(t *testing.T) {
	other := muonInstr(64, 128, ir.BF16)
	other.Attrs = ir.MuonAttrs{NewtonSchulz: 3, Compute: ir.BF16}
	for _, c := range []struct {
		name    string
		launch  []*ir.Instr
		batches int
	}{
		{"alike", []*ir.Instr{muonInstr(64, 128, ir.BF16), muonInstr(64, 128, ir.BF16)}, 1},
		{"precision", []*ir.Instr{muonInstr(64, 128, ir.BF16), muonInstr(64, 128, ir.F32)}, 2},
		{"iterations", []*ir.Instr{muonInstr(64, 128, ir.BF16), other}, 2},
		{"shape", []*ir.Instr{muonInstr(64, 128, ir.BF16), muonInstr(128, 64, ir.BF16)}, 2},
		{"84 bytes", []*ir.Instr{muonInstr(2, 21, ir.BF16), muonInstr(2, 21, ir.BF16)}, 2},
		{"40 bytes", []*ir.Instr{muonInstr(4, 5, ir.BF16), muonInstr(4, 5, ir.BF16)}, 2},
		{"8 bytes of the small side", []*ir.Instr{muonInstr(2, 64, ir.BF16), muonInstr(2, 64, ir.BF16)}, 2},
		{"16 bytes", []*ir.Instr{muonInstr(4, 4, ir.F32), muonInstr(4, 4, ir.F32)}, 1},
	} {
		batches := muonBatches(c.launch)
		var most int64
		for _, m := range batches {
			most = max(most, m.bytes)
			// Matrices and sums of the layout, each begun at 256 bytes.
			n, size, square := len(m.ins), m.rows*m.cols, min(m.rows, m.cols)*min(m.rows, m.cols)
			pieces := []int{n * size, n * size, n * square, n * square}
			bytes := []int{m.operand.Bits() / 8, m.operand.Bits() / 8, m.operand.Bits() / 8, 4}
			if m.operand != ir.F32 {
				pieces, bytes = append(pieces, n*square), append(bytes, m.operand.Bits()/8)
			}
			pieces, bytes = append(pieces, n*((size+normChunk-1)/normChunk)), append(bytes, 4)
			var want int64
			for i, p := range pieces {
				want += int64(p*bytes[i]+255) / 256 * 256
			}
			if m.bytes != want {
				t.Errorf("%s: a batch of %d has %d bytes, want %d", c.name, n, m.bytes, want)
			}
		}
		slices.Reverse(c.launch)
		if len(batches) != c.batches || scratchMuon(c.launch) != most {
			t.Errorf("%s: %d batches, %d bytes backwards; want %d and %d", c.name, len(batches), scratchMuon(c.launch), c.batches, most)
		}
	}
	big, small := muonInstr(256, 512, ir.F32), muonInstr(8, 16, ir.F32)
	if a, b, c := scratchMuon([]*ir.Instr{big}), scratchMuon([]*ir.Instr{big, small}), scratchMuon([]*ir.Instr{small, big}); a != b || a != c {
		t.Errorf("%d bytes of a large matrix, with a small one behind %d, in front %d", a, b, c)
	}
}
