package autograd

import (
	"cmp"
	"fmt"
	"math"

	"example.com/gotrain/autograd/ir"
)

// AttentionConfig describes scaled dot-product attention (Vaswani et al. 2017;
// grouped heads: Ainslie et al. 2023).
type AttentionConfig struct {
	Batch   int     // B
	Heads   int     // H
	KVHeads int     // G, divides H; 0 means H
	Causal  bool    // query t sees keys up to t + S - T
	Window  int     // with Causal, query t sees the last Window keys; 0 is all
	Scale   float32 // 0 means 1/√hd
	// Sparse lets blocks of queries see some blocks of keys only. It goes with S - T a
	// multiple of its blocks, and with no Window.
	Sparse ir.Sparsity
	// Bias is added to the scores, (H, distances) float32: key s of the query at position
	// p = t + S - T has column s - p + Behind, or the first or last where there is no such.
	// A Graph's Table has no gradient. Nil is none.
	Bias   *Node
	Behind int
	// Dropout drops weights of values, after softmax, with this probability, as Dropout drops
	// elements: RNG (4) int32 is that. A weight has its mask by the query's row of the run, the
	// head and the key's place in its sequence. 0 drops none; AttentionCached never does.
	Dropout float32
	RNG     *Node
}

// AttentionMask restricts which keys a query sees: tokens attend inside equal
// segments only, and a negative segment is padding, which attends to nothing
// and gives zeros. Query is (B·T) int32; Key is (B·S), or nil to use Query.
type AttentionMask struct{ Query, Key *Node }

// Attention attends with separate tensors: q (B·T, H·hd), k and v (B·S, G·hd)
// → (B·T, H·hd). It is computed in tiles (Dao 2023): memory is linear in T.
func Attention(q, k, v *Node, mask AttentionMask, cfg AttentionConfig) *Node {
	g := q.g
	if broken(q, k, v, mask.Query, mask.Key, cfg.Bias, cfg.RNG) {
		return g.pass()
	}
	cfg = cfg.withDefaults()
	if !k.shape.Equal(v.shape) || len(q.shape) != 2 || len(k.shape) != 2 ||
		cfg.Batch <= 0 || cfg.Heads <= 0 || cfg.Heads%cfg.KVHeads != 0 ||
		q.shape[0]%cfg.Batch != 0 || k.shape[0]%cfg.Batch != 0 ||
		q.shape[1]%cfg.Heads != 0 || k.shape[1]*cfg.Heads != q.shape[1]*cfg.KVHeads {
		return g.fail("Attention", "batch %d, %d heads and %d key heads do not divide %s", cfg.Batch, cfg.Heads, cfg.KVHeads, shapes(q, k, v))
	}
	return g.attention([]*Node{q, k, v, mask.Query, mask.Key, cfg.RNG, cfg.Bias}, like(q), q.shape[1]/cfg.Heads, cfg)
}

// PackedAttention is Attention over one tensor qkv (B·T, (H+2G)·hd) whose rows
// hold q, k and v → (B·T, H·hd).
func PackedAttention(qkv *Node, mask AttentionMask, cfg AttentionConfig) *Node {
	g := qkv.g
	if broken(qkv, mask.Query, mask.Key, cfg.Bias, cfg.RNG) {
		return g.pass()
	}
	cfg = cfg.withDefaults()
	if len(qkv.shape) != 2 || cfg.Batch <= 0 || cfg.Heads <= 0 || cfg.Heads%cfg.KVHeads != 0 ||
		qkv.shape[0]%cfg.Batch != 0 || qkv.shape[1]%(cfg.Heads+2*cfg.KVHeads) != 0 {
		return g.fail("Attention", "batch %d, %d heads and %d key heads do not divide %s", cfg.Batch, cfg.Heads, cfg.KVHeads, qkv.shape)
	}
	hd := qkv.shape[1] / (cfg.Heads + 2*cfg.KVHeads)
	return g.attention([]*Node{qkv, nil, nil, mask.Query, mask.Key, cfg.RNG, cfg.Bias}, f32(qkv.shape[0], cfg.Heads*hd), hd, cfg)
}

func (cfg AttentionConfig) withDefaults() AttentionConfig {
	if cfg.KVHeads == 0 {
		cfg.KVHeads = cfg.Heads
	}
	if cfg.Dropout == 0 {
		cfg.RNG = nil
	}
	return cfg
}

// check reports what does not go together, of so many more keys than queries.
func (cfg AttentionConfig) check(more int) error {
	if b := cfg.Bias; b != nil && (len(b.shape) != 2 || b.shape[0] != cfg.Heads || cfg.Behind < 0 || cfg.Behind >= b.shape[1]) {
		return fmt.Errorf("a bias %s with column %d for a query's own position does not fit %d heads", b.shape, cfg.Behind, cfg.Heads)
	}
	if cfg.Window < 0 {
		return fmt.Errorf("a window of %d keys", cfg.Window)
	}
	if p := cfg.Dropout; !(p >= 0 && p < 1) || p > 0 && cfg.RNG == nil {
		return fmt.Errorf("dropout with probability %g wants one in [0, 1) and random numbers", p)
	}
	if cfg.Sparse.Pattern == ir.Dense {
		return cfg.Sparse.Check()
	}
	if cfg.Window > 0 {
		return fmt.Errorf("a window of %d and a %s pattern exclude each other", cfg.Window, cfg.Sparse.Pattern)
	}
	if err := cfg.Sparse.Check(); err != nil {
		return fmt.Errorf("%s pattern: %w", cfg.Sparse.Pattern, err)
	}
	if more%cfg.Sparse.Block != 0 || more < 0 {
		return fmt.Errorf("%s pattern: %d keys more than queries are no multiple of the block of %d", cfg.Sparse.Pattern, more, cfg.Sparse.Block)
	}
	return nil
}

func (g *Graph) attention(in []*Node, y spec, hd int, cfg AttentionConfig) *Node {
	queries, keys := in[0].shape[0], in[0].shape[0]
	if in[1] != nil {
		keys = in[1].shape[0]
	}
	if query, key := in[3], cmp.Or(in[4], in[3]); query != nil && query.shape.Size() != queries || key != nil && key.shape.Size() != keys {
		return g.fail("Attention", "segments %s do not fit %d queries and %d keys", shapes(in[3], in[4]), queries, keys)
	}
	more := (keys - queries) / cfg.Batch
	if err := cfg.check(more); err != nil {
		return g.fail("Attention", "%v", err)
	}
	attrs := ir.AttentionAttrs{
		Batch: cfg.Batch, Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: hd,
		Causal: cfg.Causal, Window: cfg.Window, Scale: cfg.Scale, Packed: in[1] == nil, Sparse: cfg.Sparse, Behind: cfg.Behind,
	}
	if attrs.Scale == 0 {
		attrs.Scale = float32(1 / math.Sqrt(float64(hd)))
	}
	if cfg.Dropout > 0 {
		g.sites++
		attrs.Drop = ir.DropoutAttrs{P: cfg.Dropout, Site: g.sites}
	}
	lse := f32(y.shape[0] * cfg.Heads)
	learns := in[6] != nil && in[6].table == nil
	diff := []bool{true, true, true, false, false, false, learns}
	return g.apply(ir.Attention, attrs, in, []spec{y, lse}, diff,
		func(o *op, in []*Node, y, dy *Node) []*Node {
			outs := []spec{like(in[0]), {}, {}, {}, {}, {}, {}}
			if !attrs.Packed {
				outs[1], outs[2] = like(in[1]), like(in[2])
			}
			if learns {
				outs[3] = like(in[6])
			}
			d := g.apply(ir.AttentionBackward, attrs,
				[]*Node{in[0], in[1], in[2], in[3], in[4], y, project(y, 1), dy, in[5], in[6]}, outs, nil, nil)
			grads := []*Node{d, nil, nil, nil, nil, nil, nil}
			if !attrs.Packed {
				grads[1], grads[2] = project(d, 1), project(d, 2)
			}
			if learns {
				grads[6] = project(d, 3)
			}
			return grads
		})
}

// AttentionCached appends k and v (B·T, G·hd) to the caches (B·S, G·hd) at
// position (B) int32 and attends causally over everything so far: q (B·T, H·hd)
// → (B·T, H·hd). It has no gradient.
func AttentionCached(q, k, v, kcache, vcache, position *Node, cfg AttentionConfig) *Node {
	g := q.g
	if broken(q, k, v, kcache, vcache, position, cfg.Bias) {
		return g.pass()
	}
	cfg = cfg.withDefaults()
	if !kcache.shape.Equal(vcache.shape) || kcache.shape[1] != k.shape[1] || kcache.shape[0]%cfg.Batch != 0 {
		return g.fail("AttentionCached", "caches %s do not fit keys %s", shapes(kcache, vcache), shapes(k, v))
	}
	if err := cfg.check(0); err != nil {
		return g.fail("AttentionCached", "%v", err)
	}
	hd := q.shape[1] / cfg.Heads
	attrs := ir.AttentionAttrs{Batch: cfg.Batch, Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: hd, Causal: true, Window: cfg.Window, Scale: cfg.Scale, Sparse: cfg.Sparse, Behind: cfg.Behind}
	if attrs.Scale == 0 {
		attrs.Scale = float32(1 / math.Sqrt(float64(hd)))
	}
	return g.apply(ir.AttentionCached, attrs, []*Node{q, k, v, kcache, vcache, position, cfg.Bias}, []spec{like(q)}, nil, nil)
}
