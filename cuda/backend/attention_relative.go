//go:build gpu

package backend

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// relativeCall is a relative attention while it is bound.
type relativeCall struct {
	*call
	relativeShape
}

func (c *call) relative() relativeCall {
	if err := checkRelative(c.Instr); err != nil {
		c.fail(err)
	}
	return relativeCall{c, relativeOf(c.Instr)}
}

// start launches a kernel over tiles of rows of each head, of batches in turn, with the
// shared memory of so many tensors of a tile.
func (a relativeCall) start(family string, rows, batches, tensors int, args ...any) func() {
	args = append(args, int32(a.queries), int32(a.keys), int32(a.Heads), int32(a.HeadDim), int32(a.Window), a.Scale)
	grid := cuda.Dim{X: divideUp(rows, a.tile()), Y: a.Heads, Z: batches}
	return a.launch(a.kernel(family), grid, cuda.Dim{X: 256, Y: 1, Z: 1}, a.shared(tensors), args...)
}

func bindRelativeAttention(c *call) func() {
	a := c.relative()
	return a.start("relative_attention", a.queries, a.Batch, 2, c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.in(5), c.out(0), c.out(1))
}

// bindRelativeAttentionBackward prepares Σ dy·y, then has a kernel for each side: queries,
// keys and distances.
func bindRelativeAttentionBackward(c *call) func() {
	a := c.relative()
	rows, dots := a.Batch*a.Heads*a.queries, c.scratch()
	prepare := c.launchElem("relative_attention_backward_dots", cuda.Dim{X: divideUp(rows, 8), Y: 1, Z: 1}, elementBlock, 0,
		c.in(6), c.in(8), dots, int32(a.queries), int32(a.Heads), int32(a.HeadDim), int32(rows))
	inputs := func(more ...any) []any {
		return append([]any{c.in(0), c.in(1), c.in(2), c.in(3), c.in(4), c.in(5), c.in(7), c.in(8), dots}, more...)
	}
	return sequence(prepare,
		a.start("relative_attention_backward_queries", a.queries, a.Batch, 3, inputs(c.out(0), c.out(3))...),
		a.start("relative_attention_backward_keys", a.keys, a.Batch, 2, inputs(c.out(1), c.out(2))...),
		a.start("relative_attention_backward_distances", a.keys, 1, 1, inputs(c.out(4), int32(a.Batch))...),
	)
}

// bindRelativeAttentionCached appends the new keys and values and attends to the last.
func bindRelativeAttentionCached(c *call) func() {
	a := c.relative()
	q, qr, r, kcache, vcache, position := c.in(0), c.in(3), c.in(4), c.in(5), c.in(6), c.in(7)
	width := a.Heads * a.HeadDim
	elements := c.In[0].Shape[0] * width
	fault, check := c.checks("position", a.keys-a.queries+1)
	return sequence(
		c.launchElem("attention_cached_append", cuda.Dim{X: divideUp(elements, 256), Y: 1, Z: 1}, elementBlock, 0,
			c.in(1), c.in(2), kcache, vcache, position, fault, check, int32(a.queries), int32(a.keys), int32(width), int64(elements)),
		c.launchElem("relative_attention_cached", cuda.Dim{X: a.queries, Y: a.Heads, Z: a.Batch}, elementBlock, a.cachedBytes(),
			q, qr, r, kcache, vcache, position, c.out(0), int32(a.queries), int32(a.keys), int32(a.Heads), int32(a.HeadDim), int32(a.Window), a.Scale),
	)
}

// rowsOfWarp is the Q of relative.cuh: rows that a warp owns, fewer of larger heads.
func (a relativeShape) rowsOfWarp() int {
	switch {
	case a.HeadDim <= 64:
		return 4
	case a.HeadDim <= 128:
		return 2
	}
	return 1
}

// tile is the number of rows that a block owns, lanes those of the other side.
func (a relativeShape) tile() int { return 8 * a.rowsOfWarp() }

const relativeLanes = 32

// shared is the memory of tensors of a tile each, of a side and of the distances, or
// keys, of a tile by a side.
func (a relativeShape) shared(tensors int) int {
	return 4 * (a.HeadDim + 1) * (tensors*a.tile() + relativeLanes + a.tile() + relativeLanes - 1)
}

// kernel is the one of a family for the head and the element type.
func (a relativeShape) kernel(family string) string {
	return fmt.Sprintf("%s_q%d_%s", family, a.rowsOfWarp(), a.instr.Elem(ir.Elem))
}
