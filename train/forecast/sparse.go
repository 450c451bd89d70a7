package forecast

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/train/engine"
)

// Sparse is what a pattern of blocks saves of attention.
type Sparse struct {
	Kind string `json:"kind"`
	// Share is the part of the pairs of a query and a key that the pattern leaves of
	// those of all, at the length of the run's sequences.
	Share float64 `json:"share"`
	// From is the shortest length, in whole blocks, at which it leaves some out. A tile
	// of pairs takes the same time with and without a pattern, so from there on it is
	// faster.
	From int `json:"from"`
}

// sparseOf is the first pattern of a run's programs, nil where all attention is dense.
func sparseOf(programs *engine.Programs) *Sparse {
	for _, p := range programs.All() {
		for _, in := range p.Program.Instrs {
			a, ok := in.Attrs.(ir.AttentionAttrs)
			if !ok || in.Kind != ir.Attention || a.Sparse.Pattern == ir.Dense {
				continue
			}
			return sparse(a, in.In[0].Shape[0]/a.Batch)
		}
	}
	return nil
}

// sparse is what the pattern of a saves of sequences of a length.
func sparse(a ir.AttentionAttrs, length int) *Sparse {
	dense := a
	dense.Sparse = ir.Sparsity{}
	share := func(n int) float64 { return float64(a.Pairs(n, n)) / float64(dense.Pairs(n, n)) }
	s := &Sparse{Kind: a.Sparse.Pattern.String(), Share: share(length)}
	for blocks := 1; blocks <= maxBlocks && s.From == 0; blocks++ {
		if n := blocks * a.Sparse.Block; share(n) < 1 {
			s.From = n
		}
	}
	return s
}

// maxBlocks bounds the search for the length from which a pattern saves something.
const maxBlocks = 512

// Text says for people what the pattern saves at the length of the run's sequences.
func (s *Sparse) Text(length int) string {
	share := fmt.Sprintf("%s: %.1f%% of the pairs of queries and keys at a length of %d", s.Kind, 100*s.Share, length)
	switch {
	case s.From == 0:
		return share + "; it never leaves any out: leave model.attention out"
	case length < s.From:
		return fmt.Sprintf("%s; warning: it is faster than all pairs from %d on only", share, s.From)
	}
	return fmt.Sprintf("%s; it is faster than all pairs from %d on", share, s.From)
}
