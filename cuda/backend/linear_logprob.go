//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindLinearLogProb(c *call) func() {
	lse := c.out(1)
	return c.logProb(linearGradients{}, func(y, entropy cuda.Ptr) []any {
		return []any{y, lse, entropy, cuda.Ptr(0), cuda.Ptr(0)}
	}, c.out(0))
}

func bindLinearLogProbBackward(c *call) func() {
	return c.logProb(linearGradients{dx: c.out(0), dw: c.out(1), addend: c.in(4)}, func(dy, dentropy cuda.Ptr) []any {
		return []any{cuda.Ptr(0), cuda.Ptr(0), cuda.Ptr(0), dy, dentropy}
	}, c.in(3))
}

// logProb scores the logits chunk by chunk. y (1 or 2, N) is taken apart for results,
// which are the pointers of the kernel.
func (c *call) logProb(g linearGradients, results func(logp, entropy cuda.Ptr) []any, y cuda.Ptr) func() {
	attrs := c.Attrs.(ir.LinearLogProbAttrs)
	l := newLogitChunks(c.Instr)
	n, classes := c.In[0].Shape[0], c.In[1].Shape[0]
	entropy := cuda.Ptr(0)
	if attrs.Entropy {
		entropy = y + cuda.Ptr(4*n)
	}
	fault, check := c.checks("target", classes)
	k := newClassifier(l.stride, c.elem())
	return c.decoded(sequence(c.eachChunk(l, g, func(dlogits cuda.Ptr, first, rows int) func() {
		args := append([]any{c.scratch(), c.in(2)}, results(y, entropy)...)
		return c.launchElem("logprob_rows", k.grid(rows), k.dim(), k.shared, append(args, dlogits, fault, check,
			int32(first), int32(rows), int32(classes), int32(k.stride), int32(k.held), attrs.Scale)...)
	})...))
}
