package backend

import "example.com/gotrain/autograd/ir"

// scratchGroupNormBackward holds the sums of each picture and channel, (B, 2, C) float32.
func scratchGroupNormBackward(in *ir.Instr) int64 {
	return 4 * int64(in.Attrs.(ir.GroupNormAttrs).Batch) * 2 * int64(in.In[0].Shape.Cols())
}
