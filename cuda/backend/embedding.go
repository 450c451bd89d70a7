//go:build gpu

package backend

import "example.com/gotrain/cuda"

// spanRows is the block of kernels that give each row a warp and each thread one
// span of it; spanGrid their grid for n rows of d columns.
var spanRows = cuda.Dim{X: warp, Y: warpRows, Z: 1}

func (c *call) spanGrid(n, d int) cuda.Dim {
	return cuda.Dim{X: blocks(n, warpRows), Y: blocks(d, warp*spanOf(c.elem())), Z: 1}
}

func bindEmbedding(c *call) func() {
	if c.In[1].Stored() {
		return bindLookup(c)
	}
	n, vocab, d := c.In[0].Shape.Size(), c.In[1].Shape[0], c.In[1].Shape[1]
	fault, id := c.checks("id", vocab)
	return c.launchElem("embedding", c.spanGrid(n, d), spanRows, 0,
		c.in(0), c.in(1), c.out(0), fault, id, int32(n), int32(vocab), int32(d))
}

// bindEmbeddingBackward sorts the positions by id and adds up the rows of each.
func bindEmbeddingBackward(c *call) func() {
	e := newEmbeddingBackward(c.Instr)
	n, vocab, d := int32(c.In[0].Shape.Size()), c.Out[0].Shape[0], c.Out[0].Shape[1]
	at := func(offset int64) cuda.Ptr { return c.scratch() + cuda.Ptr(offset) }
	sorted, starts, sums := at(e.sorted), at(e.starts), at(e.sums)

	steps := c.sortByID(e)
	block := cuda.Dim{X: digits, Y: 1, Z: 1}
	steps = append(steps, c.launch("embedding_backward_bounds", cuda.Dim{X: blocks(vocab+1, digits), Y: 1, Z: 1}, block, 0,
		sorted, starts, n, int32(vocab)))
	if e.tiles > 0 {
		steps = append(steps, c.launchElem("embedding_backward_tiles", c.spanGrid(e.tiles, d), spanRows, 0,
			sorted, c.in(1), sums, int32(e.tiles), int32(d)))
	}
	return sequence(append(steps, c.launchElem("embedding_backward_rows", c.spanGrid(vocab, d), spanRows, 0,
		sorted, starts, c.in(1), sums, c.in(2), c.out(0), int32(vocab), int32(d)))...)
}

// sortByID returns the passes of the sort.
func (c *call) sortByID(e embeddingBackward) []func() {
	n, vocab := int32(c.In[0].Shape.Size()), c.Out[0].Shape[0]
	fault, id := c.checks("id", vocab)
	counts := c.scratch() + cuda.Ptr(e.counts)
	grid, block := cuda.Dim{X: e.chunks, Y: 1, Z: 1}, cuda.Dim{X: digits, Y: 1, Z: 1}
	var steps []func()
	var from cuda.Ptr // the first pass reads the ids
	for pass := range e.passes {
		to := c.scratch() + cuda.Ptr(e.sorted)
		if (e.passes-pass)%2 == 0 {
			to = c.scratch() + cuda.Ptr(e.pairs)
		}
		shift := int32(pass * sortBits)
		steps = append(steps,
			c.launch("embedding_backward_count", grid, block, 0, c.in(0), from, counts, fault, id, n, int32(vocab), shift),
			c.launch("embedding_backward_scatter", grid, block, 0, c.in(0), from, counts, to, n, int32(vocab), shift))
		from = to
	}
	return steps
}
