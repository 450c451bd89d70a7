package cpu

import (
	"slices"

	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// attentionGrain is the number of multiplications from which attention is worth
// more than one thread.
const attentionGrain = 256 << 10

// attentionOf describes the attention of in.
func attentionOf(in *ir.Instr) vec.Attention {
	attrs, rows := in.Attrs.(ir.AttentionAttrs), in.In[0].Shape[0]
	a := vec.Attention{
		B: attrs.Batch, T: rows / attrs.Batch, S: rows / attrs.Batch,
		Heads: attrs.Heads, KVHeads: attrs.KVHeads, HeadDim: attrs.HeadDim,
		Scale: attrs.Scale, Causal: attrs.Causal, Window: attrs.Window, Behind: attrs.Behind,
		Drop: attrs.Drop.P, DropKey: vec.DropoutKey{Site: attrs.Drop.Site},
	}
	if attrs.Sparse.Pattern != ir.Dense {
		a.Sees, a.Block = attrs.Sparse.Sees, attrs.Sparse.Block
	}
	if !attrs.Packed {
		a.S = in.In[1].Shape[0] / attrs.Batch
	}
	if bias := biasOf(in); bias != nil {
		a.Distances = bias.Shape[1]
	}
	return a
}

// biasOf is the last input of each kind of attention, nil where it has none.
func biasOf(in *ir.Instr) *ir.Value { return in.In[len(in.In)-1] }

// heads returns q, k and v, or their gradients, at arguments 0-2 of which the
// last two are absent when the first holds all.
func (c *call) heads(arg func(int) []float32) (q, k, v vec.Heads) {
	a, data := c.Attrs.(ir.AttentionAttrs), arg(0)
	wide, narrow := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	if a.Packed {
		ld := wide + 2*narrow
		return vec.Heads{Data: data, LD: ld}, vec.Heads{Data: data[wide:], LD: ld}, vec.Heads{Data: data[wide+narrow:], LD: ld}
	}
	return vec.Heads{Data: data, LD: wide}, vec.Heads{Data: arg(1), LD: narrow}, vec.Heads{Data: arg(2), LD: narrow}
}

// segments gives a its masks: the keys have those of the queries unless they
// have their own.
func (c *call) segments(a *vec.Attention) {
	a.QuerySegments, a.KeySegments = c.ids(3), c.ids(4)
	if a.KeySegments == nil {
		a.KeySegments = a.QuerySegments
	}
}

// dropping is run, before which a gets the random numbers of the run from argument arg.
func (c *call) dropping(a *vec.Attention, arg int, run func()) func() {
	if a.Drop == 0 {
		return run
	}
	rng := c.ids(arg)
	return func() {
		a.DropKey.Seed, a.DropRow = join(rng[0], rng[1]), join(rng[2], rng[3])
		run()
	}
}

// attentionTasks is each for attention: n tasks, together a's size.
func (c *call) attentionTasks(a *vec.Attention, n int, body func(task, worker int)) func() {
	if a.B*a.Heads*a.T*a.S*a.HeadDim < attentionGrain {
		return c.each(n, 0, body)
	}
	return c.each(n, streamGrain+1, body)
}

func scratchAttention(b *Backend, in *ir.Instr) int {
	a := attentionOf(in)
	return b.pool.Threads() * aligned(a.ForwardScratch())
}

// bindAttention gives a task to each tile of queries of each head, the last
// tiles first: under a causal mask they see the most keys.
func bindAttention(c *call) func() {
	a := attentionOf(c.Instr)
	c.segments(&a)
	a.Bias = c.x(6)
	t := vec.AttentionTensors{Out: vec.Heads{Data: c.y(0), LD: a.Heads * a.HeadDim}, LSE: c.y(1)}
	t.Q, t.K, t.V = c.heads(c.x)
	v, scratch, size := c.vec, c.scratch(), aligned(a.ForwardScratch())
	units, tiles := a.B*a.Heads, a.QueryTiles()
	return c.dropping(&a, 5, c.attentionTasks(&a, units*tiles, func(task, worker int) {
		unit := task % units
		v.AttentionForward(&a, &t, unit/a.Heads, unit%a.Heads, tiles-1-task/units, scratch[worker*size:][:size])
	}))
}

// scratchAttentionBackward holds the parts of the bias, then the scratch of each thread.
func scratchAttentionBackward(b *Backend, in *ir.Instr) int {
	a := attentionOf(in)
	return aligned(biasParts(in)) + b.pool.Threads()*aligned(a.BackwardScratch())
}

// biasParts are the gradients of the bias of each batch but the first, which the result has.
func biasParts(in *ir.Instr) int {
	if in.Out[3] == nil {
		return 0
	}
	return (in.Attrs.(ir.AttentionAttrs).Batch - 1) * in.Out[3].Shape.Size()
}

// bindAttentionBackward gives a task to each key head of each batch, then adds up what the
// batches have for a bias, in their order.
func bindAttentionBackward(c *call) func() {
	a := attentionOf(c.Instr)
	c.segments(&a)
	a.Bias = c.x(9)
	wide := a.Heads * a.HeadDim
	t := vec.AttentionTensors{
		Out: vec.Heads{Data: c.x(5), LD: wide}, LSE: c.x(6), DOut: vec.Heads{Data: c.x(7), LD: wide},
	}
	t.Q, t.K, t.V = c.heads(c.x)
	t.DQ, t.DK, t.DV = c.heads(c.y)
	dbias, parts := c.y(3), biasParts(c.Instr)
	v, scratch, size := c.vec, c.scratch()[aligned(parts):], aligned(a.BackwardScratch())
	tensors := slices.Repeat([]vec.AttentionTensors{t}, a.B)
	for b := range tensors {
		tensors[b].DBias = dbias
		if b > 0 && parts > 0 {
			tensors[b].DBias = c.scratch()[(b-1)*len(dbias):][:len(dbias)]
		}
	}
	heads := c.dropping(&a, 8, c.attentionTasks(&a, a.B*a.KVHeads, func(task, worker int) {
		v.AttentionBackward(&a, &tensors[task/a.KVHeads], task/a.KVHeads, task%a.KVHeads, scratch[worker*size:][:size])
	}))
	if parts == 0 {
		return heads
	}
	return func() {
		heads()
		for _, part := range tensors[1:] {
			v.Add(dbias, dbias, part.DBias)
		}
	}
}

// aligned rounds a number of floats up to whole cache lines, so that threads
// share none.
func aligned(floats int) int { return (floats + 15) / 16 * 16 }
