package backend

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

// relativeShape is what the launches of a relative attention depend on.
type relativeShape struct {
	ir.RelativeAttrs
	instr         *ir.Instr
	queries, keys int // of a sequence; keys of a cache are its capacity
}

func relativeOf(in *ir.Instr) relativeShape {
	a, keys := in.Attrs.(ir.RelativeAttrs), in.In[1]
	if in.Kind == ir.RelativeAttentionCached {
		keys = in.In[5]
	}
	return relativeShape{a, in, in.In[0].Shape[0] / a.Batch, keys.Shape[0] / a.Batch}
}

// cachedBytes is the shared memory of relative_attention_cached: the scores of a window,
// and a head of sums for each group of threads.
func (a relativeShape) cachedBytes() int { return 4 * (a.Window + max(256/a.HeadDim, 1)*a.HeadDim) }

// scratchRelativeAttentionBackward holds Σ dy·y of each query and head.
func scratchRelativeAttentionBackward(in *ir.Instr) int64 {
	a := relativeOf(in)
	return int64(4 * a.Batch * a.Heads * a.queries)
}

// checkRelative refuses a relative attention that no kernel holds, on any card.
func checkRelative(in *ir.Instr) error {
	a := relativeOf(in)
	switch {
	case a.HeadDim > widestHead:
		return fmt.Errorf("cuda: %s at %q: the head size is %d, the kernels go up to %d", in.Kind, in.Path, a.HeadDim, widestHead)
	case in.Kind == ir.RelativeAttentionCached && a.cachedBytes() > sharedUnasked:
		return fmt.Errorf("cuda: %s at %q: a memory of %d tokens, the kernels go up to about 12,000", in.Kind, in.Path, a.Window)
	}
	return nil
}
