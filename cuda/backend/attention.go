//go:build gpu

package backend

import (
	"fmt"
	"slices"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// sectionBytes bounds what the blocks that run at a time read over and over: the
// half of the smallest L2 cache, A100's 40 MB.
const sectionBytes = 20 << 20

// attentionCall is an attention instruction while it is bound.
type attentionCall struct {
	*call
	attentionShape
	steps    []func() // launches so far
	onHopper bool     // by the kernels that UseAttention asks for

	qSegments, kSegments, qBounds, kBounds cuda.Ptr
}

// attention starts the binding of an attention instruction with the bounds of
// its segments, which lie at the start of the scratch memory.
func (c *call) attention() *attentionCall {
	a := &attentionCall{call: c, attentionShape: attentionOf(c.Instr), onHopper: c.hopper && onHopper(c.Kind)}
	if a.onHopper {
		c.fail(checkHopper(c.Instr, c.perBlock))
	}
	if err := checkAttention(c.Instr, c.perBlock); err != nil {
		c.fail(err)
	}
	if c.Kind == ir.AttentionCached || c.in(3) == 0 {
		return a
	}
	queries, _ := a.boundsBytes()
	a.qSegments, a.qBounds = c.in(3), c.scratch()
	a.bounds(a.qSegments, a.qBounds, a.queries)
	a.kSegments, a.kBounds = a.qSegments, a.qBounds
	if c.in(4) != 0 {
		a.kSegments, a.kBounds = c.in(4), c.scratch()+cuda.Ptr(queries)
		a.bounds(a.kSegments, a.kBounds, a.keys)
	}
	return a
}

func (a *attentionCall) bounds(segments, bounds cuda.Ptr, tokens int) {
	grid := cuda.Dim{X: divideUp(a.Batch*divideUp(tokens, boundsTokens), 8), Y: 1, Z: 1}
	a.do(a.launch("attention_segments", grid, elementBlock, 0, segments, bounds, int32(a.Batch), int32(tokens)))
}

func (a *attentionCall) do(step func()) { a.steps = append(a.steps, step) }

// qkv returns the addresses of q, k and v, or of their gradients, at arguments
// 0-2, of which the last two are absent when the first holds all.
func (a *attentionCall) qkv(arg func(int) cuda.Ptr) (q, k, v cuda.Ptr) {
	if !a.Packed {
		return arg(0), arg(1), arg(2)
	}
	size := a.elem().Bits() / 8
	k = arg(0) + cuda.Ptr(a.Heads*a.HeadDim*size)
	return arg(0), k, k + cuda.Ptr(a.KVHeads*a.HeadDim*size)
}

// tiles is the work of one launch: tiles of rows of units, heads of sequences,
// in sections of units.
type tiles struct{ units, section, grid int }

// tiles cuts rows into tiles for each unit. unitBytes is what the blocks of one
// unit read.
func (a *attentionCall) tiles(units, rows, tile, unitBytes int) tiles {
	return tiles{units, min(max(sectionBytes/unitBytes, 1), units), units * divideUp(rows, tile)}
}

// overQueries are tiles of queries: units are query heads, and those of a group
// read the same keys and values.
func (a *attentionCall) overQueries(tile int) tiles {
	read := 2 * a.keys * a.HeadDim * a.elem().Bits() / 8 * a.KVHeads / a.Heads
	return a.tiles(a.Batch*a.Heads, a.queries, tile, max(read, 1))
}

// overKeys are tiles of keys: units are key heads, which read the queries and
// gradients of their group and add to float32 sums of dq, which are as large in
// bfloat16.
func (a *attentionCall) overKeys(tile int) tiles {
	read := 4 * a.queries * a.HeadDim * a.elem().Bits() / 8 * a.Heads / a.KVHeads
	return a.tiles(a.Batch*a.KVHeads, a.keys, tile, read)
}

// start launches a kernel over tiles. The kernels take, behind their tensors, T,
// S, the heads, the head size unless it is theirs, the strides, the tiles, the
// band and the scale, those of patterns their sizes too, those of a bias that with its
// sizes, and those that drop weights what a mask is made of; last are further arguments.
// For any head what takes a bias takes patterns, and what drops weights all of these.
func (a *attentionCall) start(k attentionKernel, t tiles, anyHead bool, tensors []any, last ...any) {
	ldq, ldkv := a.strides()
	lo, hi := a.band()
	args := append(tensors, int32(a.queries), int32(a.keys), int32(a.Heads), int32(a.KVHeads))
	if anyHead {
		args = append(args, int32(a.HeadDim))
	}
	args = append(args, int32(ldq), int32(ldkv), int32(t.units), int32(t.section), int32(lo), int32(hi), a.Scale)
	bias, drops := a.bias(), a.Drop.P > 0
	if s := a.Sparse; s.Pattern != ir.Dense || anyHead && (bias != nil || drops) {
		args = append(args, int32(s.Pattern), int32(s.Block), int32(s.Local), int32(s.Stride), int32(s.Global))
	}
	if bias != nil || drops && anyHead {
		distances := 0
		if bias != nil {
			distances = bias.Shape[1]
		}
		args = append(args, a.in(len(a.In)-1), int32(distances), int32(a.Behind))
	}
	if drops {
		args = append(args, a.in(len(a.In)-2), int32(dropBelow(a.Drop.P)), 1/(1-a.Drop.P), int32(a.Drop.Site))
	}
	args = append(args, last...)
	a.do(a.launch(k.name, cuda.Dim{X: t.grid, Y: 1, Z: 1}, cuda.Dim{X: k.threads, Y: 1, Z: 1}, k.shared, args...))
}

func bindAttention(c *call) func() {
	a := c.attention()
	if a.onHopper {
		a.flashHopper()
		return sequence(a.steps...)
	}
	if a.tensorCores() {
		return a.chooseOf(a.flashKernels(c.perBlock), func(a *attentionCall, k attentionKernel) { a.flash(k, a.overQueries(k.rows)) })
	}
	q, k, v := a.qkv(c.in)
	a.general(q, k, v, 0, c.out(1))
	return sequence(a.steps...)
}

// chooseOf lets a timing choose among kernels, which start launches behind the steps so
// far.
func (a *attentionCall) chooseOf(kernels []attentionKernel, start func(*attentionCall, attentionKernel)) func() {
	ways := make([]way, len(kernels))
	for i, k := range kernels {
		ways[i] = way{k.name, func() (func(), error) {
			own := *a
			own.steps = slices.Clone(a.steps)
			start(&own, k)
			return sequence(own.steps...), nil
		}}
	}
	if len(ways) == 1 {
		return a.only(ways[0])
	}
	return a.choose(a.id(), ways...)
}

// id names what the time of an attention depends on.
func (a *attentionCall) id() string {
	masks := ""
	if a.qSegments != 0 {
		masks = ", segments"
	}
	return fmt.Sprintf("%s %d×%d×%d in %d×%d heads of %d, %+v%s", a.Kind, a.Batch, a.queries, a.keys, a.Heads, a.KVHeads, a.HeadDim, a.AttentionAttrs, masks)
}

// flash launches a kernel on tensor cores.
func (a *attentionCall) flash(kernel attentionKernel, t tiles) {
	q, k, v := a.qkv(a.in)
	a.start(kernel, t, false, []any{q, k, v, a.qSegments, a.kSegments, a.qBounds, a.kBounds, a.out(0), a.out(1)})
}

// general launches a kernel without tensor cores; position is absent except over
// caches.
func (a *attentionCall) general(q, k, v, position, lse cuda.Ptr) {
	kernel := a.generalKernel()
	a.start(kernel, a.overQueries(kernel.rows), true, []any{q, k, v, a.qSegments, a.kSegments, a.qBounds, a.kBounds, position, a.out(0), lse})
}

// strides returns the elements from token to token of q and of k and v.
func (a attentionShape) strides() (q, kv int) {
	q, kv = a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	if a.Packed {
		return q + 2*kv, q + 2*kv
	}
	return q, kv
}

// unlimited stands for no bound of a band.
const unlimited = 1 << 30

// band returns lo and hi such that query t sees keys t + lo ≤ s < t + hi.
func (a attentionShape) band() (lo, hi int) {
	lo, hi = -unlimited, unlimited
	shift := a.keys - a.queries
	if a.instr.Kind == ir.AttentionCached {
		shift = 0 // the kernels add the position
	}
	if 0 < a.Window && a.Window < unlimited/2 {
		lo, hi = shift-a.Window+1, shift+a.Window
	}
	if a.Causal {
		hi = shift + 1
	}
	return lo, hi
}
