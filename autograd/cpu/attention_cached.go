package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// cachedScratch returns the floats that a thread needs: a row of probabilities
// for one token of one sequence, the scratch of the tiles for more.
func cachedScratch(in *ir.Instr) int {
	a := attentionOf(in)
	if a.T > 1 {
		return aligned(a.ForwardScratch())
	}
	if a.B > 1 {
		group := groupOf(a)
		return aligned(group.ForwardScratch())
	}
	return aligned(in.In[3].Shape[0] / a.B)
}

// scratchAttentionCached holds the log-sum-exps, which nothing reads, then the
// scratch of each thread.
func scratchAttentionCached(b *Backend, in *ir.Instr) int {
	return aligned(in.In[0].Shape[0]*in.Attrs.(ir.AttentionAttrs).Heads) + b.pool.Threads()*cachedScratch(in)
}

func bindAttentionCached(c *call) func() {
	k, v := c.x(1), c.x(2)
	kcache, vcache, position := c.x(3), c.x(4), c.ids(5)
	a := attentionOf(c.Instr)
	batch, rows := a.B, a.T
	capacity, width := c.In[3].Shape[0]/batch, a.KVHeads*a.HeadDim
	attend := c.attendPrompt
	switch {
	case rows == 1 && batch == 1:
		attend = c.attendToken
	case rows == 1:
		attend = c.attendTokens
	}
	run := attend(capacity)
	return func() {
		for b, p := range position {
			if p < 0 || int(p)+rows > capacity {
				c.fault(c.Instr, "sequence %d: %d tokens at position %d do not fit the cache of %d", b, rows, p, capacity)
				return
			}
		}
		for b := range batch {
			at := (b*capacity + int(position[b])) * width
			copy(kcache[at:], k[b*rows*width:(b+1)*rows*width])
			copy(vcache[at:], v[b*rows*width:(b+1)*rows*width])
		}
		run()
	}
}

// attendToken returns the attention of one new token of one sequence, a task for
// each head.
func (c *call) attendToken(capacity int) func() {
	q, kcache, vcache, position, bias, y := c.x(0), c.x(3), c.x(4), c.ids(5), c.x(6), c.y(0)
	a := attentionOf(c.Instr)
	v, heads, hd, width := c.vec, a.Heads, a.HeadDim, a.KVHeads*a.HeadDim
	share, window := a.Heads/a.KVHeads, a.Window
	size := cachedScratch(c.Instr)
	scratch := c.scratch()[aligned(a.B*heads):]
	return c.each(a.B*heads, a.B*heads*capacity*hd, func(task, worker int) {
		b, h := task/heads, task%heads
		keys, first := int(position[b])+1, 0
		if window > 0 && keys > window {
			first = keys - window
		}
		at := (b*capacity+first)*width + h/share*hd
		var row []float32
		if bias != nil {
			row = bias[h*a.Distances:][:a.Distances]
		}
		v.AttentionDecode(&a, y[task*hd:][:hd], q[task*hd:][:hd],
			vec.Heads{Data: kcache[at:], LD: width}, vec.Heads{Data: vcache[at:], LD: width}, row,
			keys-first, scratch[worker*size:][:size])
	})
}

// groupOf describes the attention of one token of one sequence in the query heads that
// share keys and values: these are its queries. With a bias, which each query head has for
// itself, it is that of one head.
func groupOf(a vec.Attention) vec.Attention {
	group := vec.Attention{B: 1, T: a.Heads / a.KVHeads, Heads: 1, KVHeads: 1, HeadDim: a.HeadDim, Scale: a.Scale}
	if a.Distances > 0 {
		group.T, group.Distances, group.Behind = 1, a.Distances, a.Behind
	}
	return group
}

// attendTokens returns the attention of one new token of each of several sequences, a task
// for each group of heads. It goes by the tiles of Attention, so that a token gets the
// same bits as in a whole sequence.
func (c *call) attendTokens(capacity int) func() {
	position, a := c.ids(5), attentionOf(c.Instr)
	share := groupOf(a).T
	batch, groups := a.B, a.Heads/share
	hd, width, bias := a.HeadDim, a.KVHeads*a.HeadDim, c.x(6)
	size, lses := cachedScratch(c.Instr), aligned(batch*a.Heads)
	lse, scratch := c.scratch()[:lses], c.scratch()[lses:]
	attentions, blocks := make([]vec.Attention, batch*groups), make([]int, batch)
	tensors := make([]vec.AttentionTensors, batch*groups)
	for b := range batch {
		for g := range groups {
			group := &attentions[b*groups+g]
			*group = groupOf(a)
			if bias != nil {
				group.Bias = bias[g*a.Distances:][:a.Distances]
			}
			if a.Sees != nil {
				group.Block = a.Block
				group.Sees = func(_, key int) bool { return a.Sees(blocks[b], key) }
			}
			if a.Window > 0 {
				group.Reach = make([]int32, share)
			}
			head := b*a.Heads + g*share
			tensors[b*groups+g] = vec.AttentionTensors{
				Q:   vec.Heads{Data: c.x(0)[head*hd:], LD: hd},
				K:   vec.Heads{LD: width},
				V:   vec.Heads{LD: width},
				Out: vec.Heads{Data: c.y(0)[head*hd:], LD: hd},
				LSE: lse[head:],
			}
		}
	}
	v, kcache, vcache := c.vec, c.x(3), c.x(4)
	tiles := attentions[0].QueryTiles()
	run := c.each(batch*groups*tiles, batch*a.Heads*capacity*hd, func(task, worker int) {
		v.AttentionForward(&attentions[task/tiles], &tensors[task/tiles], 0, 0, task%tiles, scratch[worker*size:][:size])
	})
	return func() {
		for b, p := range position {
			keys, from := int(p)+1, 0 // from begins a tile of keys
			if hidden := keys - a.Window; a.Window > 0 && hidden > 0 {
				from = hidden / vec.KeyTile * vec.KeyTile
			}
			if a.Sees != nil {
				blocks[b] = int(p) / a.Block
			}
			at := (b*capacity + from) * width
			for g := range groups {
				group, t := &attentions[b*groups+g], &tensors[b*groups+g]
				group.S = keys - from
				for i := range group.Reach { // query i stands at key S - T + i
					group.Reach[i] = int32(a.Window - share + i)
				}
				column := g * a.KVHeads / groups * hd
				t.K.Data, t.V.Data = kcache[at+column:], vcache[at+column:]
			}
		}
		run()
	}
}

// attendPrompt returns the attention of several new tokens a sequence, a task
// for each tile of queries of each head. Each sequence has its own number of
// keys, hence its own description.
func (c *call) attendPrompt(capacity int) func() {
	position, a := c.ids(5), attentionOf(c.Instr)
	a.Bias = c.x(6)
	v, batch, heads := c.vec, a.B, a.Heads
	rows, wide, width := a.T, heads*a.HeadDim, a.KVHeads*a.HeadDim
	size, lses := cachedScratch(c.Instr), aligned(c.In[0].Shape[0]*heads)
	lse, scratch := c.scratch()[:lses], c.scratch()[lses:]
	attentions := make([]vec.Attention, batch)
	tensors := make([]vec.AttentionTensors, batch)
	for b := range batch {
		attentions[b] = a
		attentions[b].B = 1
		at, cache := b*rows, b*capacity*width
		tensors[b] = vec.AttentionTensors{
			Q:   vec.Heads{Data: c.x(0)[at*wide:], LD: wide},
			K:   vec.Heads{Data: c.x(3)[cache:], LD: width},
			V:   vec.Heads{Data: c.x(4)[cache:], LD: width},
			Out: vec.Heads{Data: c.y(0)[at*wide:], LD: wide},
			LSE: lse[at*heads:],
		}
	}
	tiles := attentions[0].QueryTiles()
	run := c.attentionTasks(&attentions[0], batch*heads*tiles, func(task, worker int) {
		b := task / tiles / heads
		v.AttentionForward(&attentions[b], &tensors[b], 0, task/tiles%heads, task%tiles, scratch[worker*size:][:size])
	})
	return func() {
		for b := range batch {
			attentions[b].S = int(position[b]) + rows
		}
		run()
	}
}
