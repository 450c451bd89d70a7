package cpu

// columnGrain is the number of columns of a task of EmbeddingBackward: two cache
// lines, so that tasks share none.
const columnGrain = 32

func bindEmbedding(c *call) func() {
	ids, y := c.ids(0), c.y(0)
	table, read := c.weight(1)
	v, vocab, d := c.vec, c.In[1].Shape[0], c.In[1].Shape[1]
	gather := c.split(len(ids), rowGrain(streamGrain, d), func(lo, hi, _ int) {
		if read == nil {
			v.GatherRows(y[lo*d:hi*d], table, ids[lo:hi], d)
			return
		}
		for i := lo; i < hi; i++ {
			read(y[i*d:][:d], int(ids[i]), 1, 0, d)
		}
	})
	return func() {
		if c.checkIndices("id", ids, vocab, false) {
			gather()
		}
	}
}

// bindEmbeddingBackward splits the columns: each task adds all rows in order, so
// that rows of equal id need no lock.
func bindEmbeddingBackward(c *call) func() {
	ids, dy, addend, dtable := c.ids(0), c.x(1), c.x(2), c.y(0)
	v, vocab, d := c.vec, c.Out[0].Shape[0], c.Out[0].Shape[1]
	start := c.copyOrClear(dtable, addend)
	grain := max(columnGrain, (streamGrain/max(len(ids), 1)+columnGrain-1)/columnGrain*columnGrain)
	scatter := c.split(d, grain, func(lo, hi, _ int) {
		v.ScatterAddRows(dtable, dy, ids, d, lo, hi)
	})
	return func() {
		if c.checkIndices("id", ids, vocab, false) {
			start()
			scatter()
		}
	}
}

// copyOrClear returns a function that sets dst to src, or to zeros where src is
// absent, and does nothing where they are the same memory.
func (c *call) copyOrClear(dst, src []float32) func() {
	switch {
	case src == nil:
		return c.split(len(dst), 4*streamGrain, func(lo, hi, _ int) { clear(dst[lo:hi]) })
	case same(dst, src):
		return func() {}
	}
	return c.split(len(dst), 4*streamGrain, func(lo, hi, _ int) { copy(dst[lo:hi], src[lo:hi]) })
}

// same tells whether two slices begin at the same memory.
func same(a, b []float32) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }
