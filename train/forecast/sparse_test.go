package forecast

import (
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
)

// TestSparse holds the share of pairs that patterns leave, counted by hand in blocks, and
// the length from which they leave some out.
func TestSparse(t *testing.T) {
	both := func(s ir.Sparsity) ir.AttentionAttrs { return ir.AttentionAttrs{Sparse: s} }
	for _, c := range []struct {
		attrs  ir.AttentionAttrs
		length int
		share  float64
		from   int
		text   string
	}{
		{both(ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 1}), 256, 4. / 16, 128, "25.0% of the pairs of queries and keys at a length of 256; it is faster than all pairs from 128 on"},
		{both(ir.Sparsity{Pattern: ir.LocalGlobal, Block: 64, Local: 1, Global: 1}), 256, 10. / 16, 192, "from 192"},
		{both(ir.Sparsity{Pattern: ir.Strided, Block: 128, Local: 3, Stride: 4}), 256, 1, 512, "warning: it is faster than all pairs from 512 on only"},
		{both(ir.Sparsity{Pattern: ir.Fixed, Block: 64, Stride: 2, Global: 2}), 256, 1, 0, "never leaves any out"},
	} {
		s := sparse(c.attrs, c.length)
		if s.Share != c.share || s.From != c.from || !strings.Contains(s.Text(c.length), c.text) {
			t.Errorf("%+v: %+v, %q; want %g from %d, %q", c.attrs.Sparse, s, s.Text(c.length), c.share, c.from, c.text)
		}
	}
}
