//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// bindAttentionBackward prepares the log-sum-exp and Σ dy·y of all queries and clears the
// flags, then has all three gradients in one pass over tiles of keys; or, without tensor
// cores, dk and dv by tiles of keys and dq by tiles of queries. The pass has what rows of
// the gradients add up to on its way; behind the other kernels they are read for it.
func bindAttentionBackward(c *call) func() {
	a := c.attention()
	if a.onHopper {
		a.gradientHopper()
		a.sumGradients()
		return sequence(a.steps...)
	}
	if one := a.gradientKernels(c.perBlock); len(one) > 0 {
		return a.chooseOf(one, func(a *attentionCall, k attentionKernel) { a.onePassOver(k, a.overKeys(k.rows)) })
	}
	a.twoPasses()
	a.sumGradients()
	return sequence(a.steps...)
}

// onePassOver launches a kernel of one pass over tiles of its keys.
func (a *attentionCall) onePassOver(k attentionKernel, t tiles) {
	inputs, sums, flags := a.gradientInputs()
	dq, dk, dv := a.qkv(a.out)
	ofQueries, ofKeys := a.gradientScratch().sumParts, a.gradientScratch().keySumParts
	var queryParts, keyParts cuda.Ptr
	if ofQueries.count > 0 {
		queryParts = a.scratch() + cuda.Ptr(ofQueries.at)
	}
	if ofKeys.count > 0 {
		keyParts = a.scratch() + cuda.Ptr(ofKeys.at)
	}
	tensors := append(inputs, sums, flags, dq, dk, dv, queryParts, keyParts)
	if a.bias() == nil {
		a.start(k, t, false, tensors)
	} else {
		a.withBias(divideUp(a.keys, k.rows), func(parts cuda.Ptr) { a.start(k, t, false, tensors, parts) })
	}
	wide, narrow := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	dqsum, dksum, dvsum := a.out(4), a.out(5), a.out(6)
	if a.Packed && dqsum != 0 {
		dksum = dqsum + cuda.Ptr(4*wide)
		dvsum = dksum + cuda.Ptr(4*narrow)
	}
	if ofQueries.count > 0 {
		a.do(a.sumPartials(queryParts, 0, ofQueries.count, wide, dqsum))
	}
	if ofKeys.count > 0 {
		a.do(a.sumPartials(keyParts, 0, ofKeys.count, narrow, dksum, dvsum))
	}
}

// sumGradients adds up the rows of the gradients that are there.
func (a *attentionCall) sumGradients() {
	for _, pair := range ir.Kinds[a.Kind].Sums {
		if a.Out[pair[0]] != nil {
			a.do(a.sumOfRows(pair))
		}
	}
}

func (a *attentionCall) twoPasses() {
	keys, queries := a.generalGradients()
	inputs, _, _ := a.gradientInputs()
	dq, dk, dv := a.qkv(a.out)
	a.start(keys, a.overKeys(keys.rows), true, append(inputs[:len(inputs):len(inputs)], dk, dv))
	if view := a.view(); view != "biased" && view != "dropped" { // which know of a bias
		a.start(queries, a.overQueries(queries.rows), true, append(inputs, dq))
		return
	}
	a.withBias(divideUp(a.queries, queries.rows), func(parts cuda.Ptr) {
		a.start(queries, a.overQueries(queries.rows), true, append(inputs, dq), parts)
	})
}

// withBias starts a pass that leaves the gradient of a bias in parts, by tiles of each head,
// and adds these up. Where that is not wanted parts is absent.
func (a *attentionCall) withBias(tiles int, start func(parts cuda.Ptr)) {
	dbias := a.Out[3]
	if dbias == nil {
		start(0)
		return
	}
	parts := a.scratch() + cuda.Ptr(a.gradientScratch().parts)
	start(parts)
	a.do(a.launch("attention_backward_biased_sum", cuda.Dim{X: divideUp(dbias.Shape.Size(), 256), Y: 1, Z: 1}, elementBlock, 0,
		parts, a.out(3), int32(a.Batch), int32(a.Heads), int32(tiles), int32(dbias.Shape[1])))
}

// gradientInputs launches what comes before the passes, and returns their first arguments
// and where the sums of dq and the flags are.
func (a *attentionCall) gradientInputs() (inputs []any, sums, flags cuda.Ptr) {
	rows, at := a.statsRows(), a.gradientScratch()
	stats := a.scratch() + cuda.Ptr(at.stats)
	sums, flags = a.scratch()+cuda.Ptr(at.sums), a.scratch()+cuda.Ptr(at.flags)
	a.do(a.launchElem("attention_backward_stats", cuda.Dim{X: divideUp(rows, 32), Y: 1, Z: 1}, elementBlock, 0,
		a.in(5), a.in(7), a.in(6), stats, flags, int32(at.count), int32(a.queries), int32(a.Heads), int32(a.HeadDim), int32(rows)))
	q, k, v := a.qkv(a.in)
	return []any{q, k, v, a.in(7), stats, a.qSegments, a.kSegments, a.qBounds, a.kBounds}, sums, flags
}
