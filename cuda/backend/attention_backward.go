//go:build gpu

package backend

import "example.com/gotrain/cuda"

// bindAttentionBackward prepares the log-sum-exp and Σ dy·y of all queries, then dk and dv by tiles
// of keys and dq by tiles of queries.
func bindAttentionBackward(c *call) func() {
	a := c.attention()
	rows, stats := a.statsRows(), c.scratch()+cuda.Ptr(scratchAttention(c.Instr))
	a.do(c.launchElem("attention_backward_stats", cuda.Dim{X: divideUp(rows, 32), Y: 1, Z: 1}, elementBlock, 0,
		c.in(5), c.in(7), c.in(6), stats, int32(a.queries), int32(a.Heads), int32(a.HeadDim), int32(rows)))

	q, k, v := a.qkv(c.in)
	dq, dk, dv := a.qkv(c.out)
	inputs := []any{q, k, v, c.in(7), stats, a.qSegments, a.kSegments, a.qBounds, a.kBounds}
	toKeys := append(inputs[:len(inputs):len(inputs)], dk, dv)
	toQueries := append(inputs[:len(inputs):len(inputs)], dq)
	anyHead := !a.tensorCores()
	keys, queries := a.gradientKernels(c.perBlock)
	a.start(keys, a.overKeys(keys.rows), anyHead, toKeys...)
	a.start(queries, a.overQueries(queries.rows), anyHead, toQueries...)
	return sequence(a.steps...)
}
