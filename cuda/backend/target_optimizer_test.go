package backend

import (
	"slices"
	"testing"

	"gotrain/autograd/ir"
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
