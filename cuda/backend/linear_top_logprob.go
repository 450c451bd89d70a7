//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindLinearTopLogProb(c *call) func() {
	return c.topLogProb(linearGradients{}, c.out(0), 0)
}

func bindLinearTopLogProbBackward(c *call) func() {
	return c.topLogProb(linearGradients{dx: c.out(0), dw: c.out(1), addend: c.in(4)}, 0, c.in(3))
}

// topLogProb scores the logits chunk by chunk, a block a row: into y, or with its gradient dy.
func (c *call) topLogProb(g linearGradients, y, dy cuda.Ptr) func() {
	attrs := c.Attrs.(ir.LinearTopLogProbAttrs)
	l := newLogitChunks(c.Instr)
	classes, k := c.In[1].Shape[0], c.In[2].Shape[1]
	width := k
	if attrs.Rest {
		width++
	}
	fault, check := c.checks("class", classes)
	return c.decoded(sequence(c.eachChunk(l, g, func(_ cuda.Ptr, first, rows int) func() {
		return c.launchElem("top_logprob_rows", cuda.Dim{X: rows, Y: 1, Z: 1}, elementBlock, 0,
			c.scratch(), c.in(2), y, dy, fault, check, int32(first), int32(classes), int32(l.stride), int32(k), int32(width), attrs.Scale)
	})...))
}
