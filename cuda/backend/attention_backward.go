//go:build gpu

package backend

import (
	"fmt"

	"gotrain/cuda"
)

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
	if !a.tensorCores() {
		elem, shared := c.elem().String(), simtBytes(a.HeadDim, 4, 2)
		a.start("attention_backward_general_keys_"+elem, a.overKeys(simtTile), 256, shared, true, toKeys...)
		a.start("attention_backward_general_queries_"+elem, a.overQueries(simtTile), 256, shared, true, toQueries...)
		return sequence(a.steps...)
	}
	warps, columns := gradientTiles(a.HeadDim)
	a.start(fmt.Sprintf("attention_backward_keys_d%d_bf16", a.HeadDim), a.overKeys(flashRows), 32*warps,
		2*a.HeadDim*(2*flashRows+4*64)+8*2*64, false, toKeys...)
	a.start(fmt.Sprintf("attention_backward_queries_d%d_bf16", a.HeadDim), a.overQueries(flashRows), 128,
		2*a.HeadDim*(2*flashRows+4*columns)+8*2*64, false, toQueries...)
	return sequence(a.steps...)
}

// gradientTiles returns the warps of the pass of keys and the columns of the
// pass of queries: attention_backward.cu.
func gradientTiles(hd int) (warps, columns int) {
	if hd > 64 {
		return 8, 32
	}
	return 4, 64
}
