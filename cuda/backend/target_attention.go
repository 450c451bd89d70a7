package backend

import "example.com/gotrain/autograd/ir"

const (
	boundsTokens = 64  // tokens of one pair of segment bounds: kBoundsTokens of attention.cuh
	cachedKeys   = 256 // keys of a block of attention_cached
)

// attentionShape is what the launches of an attention instruction depend on.
type attentionShape struct {
	ir.AttentionAttrs
	instr         *ir.Instr
	queries, keys int // of a sequence
}

func attentionOf(in *ir.Instr) attentionShape {
	attrs := in.Attrs.(ir.AttentionAttrs)
	tokens := in.In[0].Shape[0] / attrs.Batch
	a := attentionShape{AttentionAttrs: attrs, instr: in, queries: tokens, keys: tokens}
	switch {
	case in.Kind == ir.AttentionCached:
		a.keys = in.In[3].Shape[0] / attrs.Batch
	case !attrs.Packed:
		a.keys = in.In[1].Shape[0] / attrs.Batch
	}
	return a
}

// boundsBytes returns the bytes of the segment bounds of queries and of keys,
// which share those of the queries unless they have their own segments.
func (a attentionShape) boundsBytes() (queries, keys int64) {
	bytes := func(tokens int) int64 { return int64(8 * a.Batch * divideUp(tokens, boundsTokens)) }
	if a.instr.In[3] != nil {
		queries = bytes(a.queries)
	}
	if a.instr.In[4] != nil {
		keys = bytes(a.keys)
	}
	return queries, keys
}

// scratchAttention holds the bounds, rounded up to the 16 bytes that kernels
// copy at a time.
func scratchAttention(in *ir.Instr) int64 {
	queries, keys := attentionOf(in).boundsBytes()
	return (queries + keys + 15) / 16 * 16
}

// statsRows is the number of queries of all heads, those of a sequence rounded
// up to tiles.
func (a attentionShape) statsRows() int {
	return a.Batch * a.Heads * divideUp(a.queries, boundsTokens) * boundsTokens
}

// gradientScratch is the scratch memory of AttentionBackward behind the bounds, as
// offsets: two floats, the log-sum-exp and Σ dy·y, for each query and head; for the kernels
// of one pass a float for each element of dq, and a counter of tickets with a flag for
// each head and tile of 32 queries, the smallest; the gradient of a bias by tiles of 32
// queries, or in one pass of 64 keys, of each head; and what rows of gradients add up to by some queries, and by some
// keys.
type gradientScratch struct {
	stats, sums, flags    int64
	count                 int // of the counter and flags
	parts                 int64
	sumParts, keySumParts partials
	end                   int64
}

// partials are so many rows of float32 at an offset.
type partials struct {
	at    int64
	count int
}

// Keys and queries whose gradients a kernel of one pass adds up: kSumKeys of
// attention_backward.cu, and what a warp has of dq. With a bias tiles of keys have biasedKeys.
const summedKeys, biasedKeys = 64, 64

func (a attentionShape) summedQueries() int {
	if a.HeadDim == 96 {
		return 16
	}
	return 32
}

func (a attentionShape) gradientScratch() gradientScratch {
	s := gradientScratch{stats: scratchAttention(a.instr)}
	s.sums = s.stats + int64(8*a.statsRows())
	s.flags = s.sums
	if a.onePass() {
		s.flags += int64(4 * a.statsRows() * a.HeadDim)
		s.count = 1 + a.statsRows()/32
	}
	s.parts = s.flags + int64(4*s.count)
	s.end = s.parts
	if dbias := a.instr.Out[3]; dbias != nil {
		tiles := divideUp(a.queries, simtTile)
		if a.onePass() {
			tiles = max(tiles, divideUp(a.keys, biasedKeys)) // small blocks take the others
		}
		s.end += int64(4 * a.Batch * tiles * dbias.Shape.Size())
	}
	if !a.onePass() {
		return s
	}
	out := a.instr.Out
	if out[4] != nil {
		s.sumParts = partials{s.end, a.Batch * divideUp(a.queries, a.summedQueries())}
		s.end += int64(4 * s.sumParts.count * a.Heads * a.HeadDim)
	}
	if a.Packed && out[4] != nil || out[5] != nil || out[6] != nil {
		s.keySumParts = partials{s.end, a.Batch * divideUp(a.keys, summedKeys)}
		s.end += int64(4 * s.keySumParts.count * 2 * a.KVHeads * a.HeadDim)
	}
	return s
}

// scratchAttentionBackward has room for sums of rows, too, behind kernels that do not add
// them up.
func scratchAttentionBackward(in *ir.Instr) int64 {
	bytes := attentionOf(in).gradientScratch().end
	for _, pair := range ir.Kinds[in.Kind].Sums {
		if in.Out[pair[0]] != nil {
			bytes = max(bytes, scratchColumnSum(rowsOf(in, pair)))
		}
	}
	return bytes
}

// cachedBlocks is the number of blocks that share the keys of one head of one
// token.
func (a attentionShape) cachedBlocks() int { return divideUp(a.keys, cachedKeys) }

// scratchAttentionCached holds, for one new token and more than one block of
// keys, two floats and a head of sums for each block.
func scratchAttentionCached(in *ir.Instr) int64 {
	a := attentionOf(in)
	if !a.byToken() || a.cachedBlocks() == 1 {
		return 0
	}
	return int64(4 * a.Batch * a.Heads * a.cachedBlocks() * (2 + a.HeadDim))
}

func divideUp(n, by int) int { return (n + by - 1) / by }
