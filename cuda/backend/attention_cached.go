//go:build gpu

package backend

import "example.com/gotrain/cuda"

// bindAttentionCached appends the new keys and values, then attends: for one
// token with blocks that share the keys of a head, for several and for patterns of
// blocks with the kernel for float32 keys.
func bindAttentionCached(c *call) func() {
	a := c.attention()
	kcache, vcache, position := c.in(3), c.in(4), c.in(5)
	width := a.KVHeads * a.HeadDim
	elements := c.In[0].Shape[0] * width
	fault, check := c.checks("position", a.keys-a.queries+1)
	a.do(c.launchElem("attention_cached_append", cuda.Dim{X: divideUp(elements, 256), Y: 1, Z: 1}, elementBlock, 0,
		c.in(1), c.in(2), kcache, vcache, position, fault, check, int32(a.queries), int32(a.keys), int32(width), int64(elements)))
	if a.byToken() {
		a.token(kcache, vcache, position)
	} else {
		a.general(c.in(0), kcache, vcache, position, 0)
	}
	return sequence(a.steps...)
}

// token launches the attention of one token a sequence.
func (a *attentionCall) token(kcache, vcache, position cuda.Ptr) {
	blocks, kernel := a.cachedBlocks(), a.tokenKernel()
	var stats, partial cuda.Ptr
	if blocks > 1 {
		stats = a.scratch()
		partial = stats + cuda.Ptr(8*a.Batch*a.Heads*blocks)
	}
	grid := cuda.Dim{X: blocks, Y: a.Batch * a.KVHeads * divideUp(a.Heads/a.KVHeads, tokenHeads), Z: 1}
	a.do(a.launch(kernel.name, grid, cuda.Dim{X: kernel.threads, Y: 1, Z: 1}, kernel.shared,
		a.in(0), kcache, vcache, position, a.out(0), stats, partial,
		int32(a.Heads), int32(a.KVHeads), int32(a.HeadDim), int32(a.keys), int32(a.Window), a.Scale))
	if blocks > 1 {
		a.do(a.launchElem("attention_cached_combine", cuda.Dim{X: a.Batch * a.Heads, Y: 1, Z: 1}, cuda.Dim{X: 128, Y: 1, Z: 1}, 0,
			stats, partial, position, a.out(0), int32(a.Heads), int32(a.HeadDim), int32(a.keys), int32(a.Window), int32(blocks)))
	}
}
