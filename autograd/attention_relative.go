package autograd

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// RelativeConfig describes attention whose scores depend on content and distance (Dai et
// al. 2019, "Transformer-XL"). It is causal: the last query sees the last key.
type RelativeConfig struct {
	Batch, Heads int
	Window       int     // keys that a query sees, its own the last; 0 is all
	Scale        float32 // 0 means 1/√hd
}

// RelativeAttention attends with q and qr (B·T, H·hd), k and v (B·S, H·hd), S ≥ T: keys
// and values of a memory, then those of the segment → (B·T, H·hd). The score of a query
// and a key d tokens before it is Scale·(q·k + qr·r[S-1-d]): r (S, H·hd) has a row for
// each distance, the farthest first. q and qr are the queries with the biases of content
// and distance added. With reach (B·T) int32 a query sees no key more than so many tokens
// behind it. It is computed in tiles: memory is linear in T and S.
func RelativeAttention(q, k, v, qr, r, reach *Node, cfg RelativeConfig) *Node {
	g := q.g
	if broken(q, k, v, qr, r, reach) {
		return g.pass()
	}
	if len(q.shape) != 2 || len(k.shape) != 2 || len(r.shape) != 2 || !q.shape.Equal(qr.shape) || !k.shape.Equal(v.shape) || cfg.Batch <= 0 || cfg.Heads <= 0 ||
		q.shape[0]%cfg.Batch != 0 || k.shape[0]%cfg.Batch != 0 || k.shape[0] < q.shape[0] || q.shape[1]%cfg.Heads != 0 || k.shape[1] != q.shape[1] ||
		r.shape[0]*cfg.Batch != k.shape[0] || r.shape[1] != q.shape[1] || reach != nil && reach.shape.Size() != q.shape[0] || cfg.Window < 0 {
		return g.fail("RelativeAttention", "batch %d and %d heads do not fit %s", cfg.Batch, cfg.Heads, shapes(q, k, v, qr, r, reach))
	}
	attrs := cfg.attrs(q.shape[1])
	diff := []bool{true, true, true, true, true, false}
	return g.apply(ir.RelativeAttention, attrs, []*Node{q, k, v, qr, r, reach}, []spec{like(q), f32(q.shape[0] * cfg.Heads)}, diff,
		func(o *op, in []*Node, y, dy *Node) []*Node {
			d := g.apply(ir.RelativeAttentionBackward, attrs,
				[]*Node{in[0], in[1], in[2], in[3], in[4], in[5], y, project(y, 1), dy},
				[]spec{like(in[0]), like(in[1]), like(in[2]), like(in[3]), like(in[4])}, nil, nil)
			return []*Node{d, project(d, 1), project(d, 2), project(d, 3), project(d, 4), nil}
		})
}

func (cfg RelativeConfig) attrs(width int) ir.RelativeAttrs {
	a := ir.RelativeAttrs{Batch: cfg.Batch, Heads: cfg.Heads, HeadDim: width / cfg.Heads, Window: cfg.Window, Scale: cfg.Scale}
	if a.Scale == 0 {
		a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim)))
	}
	return a
}

// RelativeAttentionCached appends k and v (B·T, H·hd) to the caches (B·S, H·hd) at
// position (B) int32 and attends to the last Window rows so far, as RelativeAttention
// does: r (Window, H·hd). It has no gradient.
func RelativeAttentionCached(q, k, v, qr, r, kcache, vcache, position *Node, cfg RelativeConfig) *Node {
	g := q.g
	if broken(q, k, v, qr, r, kcache, vcache, position) {
		return g.pass()
	}
	if !q.shape.Equal(qr.shape) || !q.shape.Equal(k.shape) || !k.shape.Equal(v.shape) || !kcache.shape.Equal(vcache.shape) || len(q.shape) != 2 || len(kcache.shape) != 2 ||
		cfg.Batch <= 0 || cfg.Heads <= 0 || cfg.Window <= 0 || q.shape[0]%cfg.Batch != 0 || kcache.shape[0]%cfg.Batch != 0 || q.shape[1]%cfg.Heads != 0 ||
		kcache.shape[1] != q.shape[1] || !r.shape.Equal(ir.Shape{cfg.Window, q.shape[1]}) || position.shape.Size() != cfg.Batch {
		return g.fail("RelativeAttentionCached", "batch %d, %d heads and a window of %d do not fit %s", cfg.Batch, cfg.Heads, cfg.Window, shapes(q, k, v, qr, r, kcache, vcache))
	}
	return g.apply(ir.RelativeAttentionCached, cfg.attrs(q.shape[1]), []*Node{q, k, v, qr, r, kcache, vcache, position}, []spec{like(q)}, nil, nil)
}
