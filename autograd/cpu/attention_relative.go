package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// relativeOf describes the attention of in.
func relativeOf(in *ir.Instr) vec.Attention {
	a := in.Attrs.(ir.RelativeAttrs)
	return vec.Attention{
		B: a.Batch, T: in.In[0].Shape[0] / a.Batch, S: in.In[1].Shape[0] / a.Batch,
		Heads: a.Heads, KVHeads: a.Heads, HeadDim: a.HeadDim, Scale: a.Scale, Causal: true, Window: a.Window, Relative: true,
	}
}

// relativeTensors are the arguments that both passes have.
func (c *call) relativeTensors() vec.AttentionTensors {
	a := c.Attrs.(ir.RelativeAttrs)
	heads := func(x []float32) vec.Heads { return vec.Heads{Data: x, LD: a.Heads * a.HeadDim} }
	t := vec.AttentionTensors{Q: heads(c.x(0)), K: heads(c.x(1)), V: heads(c.x(2))}
	t.QR, t.R = heads(c.x(3)), heads(c.x(4))
	return t
}

func scratchRelativeAttention(b *Backend, in *ir.Instr) int {
	a := relativeOf(in)
	return b.pool.Threads() * aligned(a.ForwardScratch())
}

// bindRelativeAttention is bindAttention with scores of distances.
func bindRelativeAttention(c *call) func() {
	a := relativeOf(c.Instr)
	a.Reach = c.ids(5)
	t := c.relativeTensors()
	t.Out, t.LSE = vec.Heads{Data: c.y(0), LD: t.Q.LD}, c.y(1)
	v, scratch, size := c.vec, c.scratch(), aligned(a.ForwardScratch())
	units, tiles := a.B*a.Heads, a.QueryTiles()
	return c.attentionTasks(&a, units*tiles, func(task, worker int) {
		unit := task % units
		v.AttentionForward(&a, &t, unit/a.Heads, unit%a.Heads, tiles-1-task/units, scratch[worker*size:][:size])
	})
}

// scratchRelativeAttentionBackward holds the gradients of the distances of each batch
// but the first, then the scratch of each thread.
func scratchRelativeAttentionBackward(b *Backend, in *ir.Instr) int {
	a := relativeOf(in)
	return aligned((a.B-1)*a.S*a.Heads*a.HeadDim) + b.pool.Threads()*aligned(a.BackwardScratch())
}

// bindRelativeAttentionBackward gives a task to each head of each batch, then adds up
// what the batches have for the distances, in their order.
func bindRelativeAttentionBackward(c *call) func() {
	a := relativeOf(c.Instr)
	a.Reach = c.ids(5)
	t := c.relativeTensors()
	heads := func(x []float32) vec.Heads { return vec.Heads{Data: x, LD: t.Q.LD} }
	t.Out, t.LSE, t.DOut = heads(c.x(6)), c.x(7), heads(c.x(8))
	t.DQ, t.DK, t.DV, t.DQR = heads(c.y(0)), heads(c.y(1)), heads(c.y(2)), heads(c.y(3))
	dr := c.y(4)
	parts, scratch := c.scratch()[:(a.B-1)*len(dr)], c.scratch()[aligned((a.B-1)*len(dr)):]
	tensors := make([]vec.AttentionTensors, a.B)
	for b := range tensors {
		tensors[b] = t
		tensors[b].DR = heads(dr)
		if b > 0 {
			tensors[b].DR = heads(parts[(b-1)*len(dr):])
		}
	}
	v, size := c.vec, aligned(a.BackwardScratch())
	batches := c.attentionTasks(&a, a.B*a.Heads, func(task, worker int) {
		b := task / a.Heads
		v.AttentionBackward(&a, &tensors[b], b, task%a.Heads, scratch[worker*size:][:size])
	})
	sum := c.split(len(dr), streamGrain, func(lo, hi, _ int) {
		for b := range a.B - 1 {
			v.Add(dr[lo:hi], dr[lo:hi], parts[b*len(dr):][lo:hi])
		}
	})
	return func() {
		batches()
		sum()
	}
}

func scratchRelativeAttentionCached(b *Backend, in *ir.Instr) int {
	return b.pool.Threads() * aligned(2*in.Attrs.(ir.RelativeAttrs).Window)
}

// bindRelativeAttentionCached gives a task to each head of each sequence.
func bindRelativeAttentionCached(c *call) func() {
	a := c.Attrs.(ir.RelativeAttrs)
	q, k, values, qr, r, kcache, vcache, position, y := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4), c.x(5), c.x(6), c.ids(7), c.y(0)
	width, rows, capacity := a.Heads*a.HeadDim, c.In[0].Shape[0]/a.Batch, c.In[5].Shape[0]/a.Batch
	v, scratch, size := c.vec, c.scratch(), aligned(2*a.Window)
	attend := c.each(a.Batch*a.Heads, a.Batch*rows*width*a.Window, func(task, worker int) {
		b, column := task/a.Heads, task%a.Heads*a.HeadDim
		for t := range rows {
			seen := int(position[b]) + t + 1
			keys := min(seen, a.Window)
			at, cache := (b*rows+t)*width+column, (b*capacity+seen-keys)*width+column
			heads := func(x []float32) vec.Heads { return vec.Heads{Data: x, LD: width} }
			v.RelativeDecode(y[at:][:a.HeadDim], q[at:][:a.HeadDim], qr[at:][:a.HeadDim], heads(kcache[cache:]), heads(vcache[cache:]), heads(r[column:]),
				keys, a.Window, a.Scale, scratch[worker*size:][:size])
		}
	})
	return func() {
		for b, p := range position {
			if p < 0 || int(p)+rows > capacity {
				c.fault(c.Instr, "sequence %d: %d tokens at position %d do not fit the cache of %d", b, rows, p, capacity)
				return
			}
		}
		for b := range a.Batch {
			at := (b*capacity + int(position[b])) * width
			copy(kcache[at:], k[b*rows*width:(b+1)*rows*width])
			copy(vcache[at:], values[b*rows*width:(b+1)*rows*width])
		}
		attend()
	}
}
