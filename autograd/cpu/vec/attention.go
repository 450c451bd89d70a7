package vec

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Attention describes a scaled dot-product attention with grouped key/value
// heads (Ainslie et al. 2023): query head h uses key/value head
// h/(Heads/KVHeads). Shapes: queries (B, T, Heads, HeadDim), keys and values
// (B, S, KVHeads, HeadDim).
//
// Query t stands at position t+S-T among the keys (the last query sees the last
// key). Key s is visible to query t when all of these hold:
//
//	Causal:   s ≤ position
//	Window:   |s - position| < Window                (0: unlimited)
//	Segments: QuerySegments[b,t] = KeySegments[b,s] ≥ 0   (nil: one segment)
//	Sees:     Sees(position/Block, s/Block)               (nil: all)
//	Reach:    position - s ≤ Reach[b,t]               (nil: unlimited)
//
// With a Bias, Bias[h, s - position + Behind] is added to the score of query head h, or the
// first or last of the row where there is no such.
//
// A query that sees no key gives zeros, a log-sum-exp of -inf and no gradient.
type Attention struct {
	B, T, S        int
	Heads, KVHeads int
	HeadDim        int
	Scale          float32 // of the scores, usually 1/√HeadDim
	Causal         bool
	Window         int
	QuerySegments  []int32 // (B, T); -1 is padding
	KeySegments    []int32 // (B, S); -1 is padding
	// Sees tells which blocks of queries see which blocks of keys. Block is a multiple of
	// KeyTile, and with Sees so is S - T in the backward pass; there is no Window.
	Sees     func(query, key int) bool
	Block    int
	Reach    []int32 // (B, T): how far behind a query its keys may lie
	Relative bool    // scores depend on distances too (RelativeTensors); needs Heads = KVHeads and Causal
	// Bias is (Heads, Distances); Distances is 0 without one, Behind the number of that of
	// position itself.
	Bias              []float32
	Distances, Behind int
	// Drop is the probability with which a weight of a value is dropped, as by Dropout, after the
	// weights were summed. The mask of key s and query head h has the Seed of DropKey and
	// 0x9E3779B97F4A7C15·(h·2³² + s + 1), and element DropRow + b·T + t is that of query t.
	Drop    float32
	DropKey DropoutKey
	DropRow uint64
}

// dropKey is the key of the mask of a head and a key.
func (a *Attention) dropKey(head, key int) DropoutKey {
	return DropoutKey{a.DropKey.Seed + 0x9E3779B97F4A7C15*(uint64(head)<<32+uint64(key)+1), a.DropKey.Site}
}

// Heads is a matrix of tokens by heads: element (token, head, d) is
// Data[token·LD + head·HeadDim + d]. Views into a fused projection (q, k and v
// side by side) are sub-slices with a common LD.
type Heads struct {
	Data []float32
	LD   int
}

// AttentionTensors are the arguments of one attention; the gradients are used
// by the backward pass only. Token b·T+t is a row of Q, Out and their gradients,
// b·S+s one of K, V and theirs.
type AttentionTensors struct {
	Q, K, V, Out     Heads
	LSE              []float32 // (B, Heads, T): ln Σ exp(scores)
	DQ, DK, DV, DOut Heads
	DBias            []float32 // (Heads, Distances) of one batch, nil for none: the sum over batches is the caller's
	RelativeTensors            // of an Attention that is Relative
}

// Tile sizes: a tile of scores, one of each operand and the outputs stay in the
// L1 and L2 cache. A tile of keys begins at a multiple of KeyTile.
const (
	queryTile = 64
	KeyTile   = 64
	blockRows = 8  // rows at a time where a product's depth follows the diagonal
	lanes     = 16 // granularity of columns
)

// Validate reports everything that is wrong with the description.
func (a *Attention) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("attention: "+format, args...))
		}
	}
	check(a.B > 0 && a.T > 0 && a.S > 0, "B, T and S are %d, %d and %d, want all positive", a.B, a.T, a.S)
	check(a.HeadDim > 0, "HeadDim is %d, want it positive", a.HeadDim)
	check(a.Heads > 0 && a.KVHeads > 0 && a.Heads%max(a.KVHeads, 1) == 0,
		"Heads (%d) is no multiple of KVHeads (%d)", a.Heads, a.KVHeads)
	check(a.Sees == nil || a.Block > 0 && a.Block%KeyTile == 0 && a.Window == 0,
		"Block is %d and Window %d, want a multiple of %d and none", a.Block, a.Window, KeyTile)
	check(a.Window >= 0, "Window is %d, want 0 (unlimited) or more", a.Window)
	check((a.QuerySegments == nil) == (a.KeySegments == nil), "only one of QuerySegments and KeySegments is given")
	check(a.QuerySegments == nil || len(a.QuerySegments) == a.B*a.T,
		"%d QuerySegments for %d × %d queries", len(a.QuerySegments), a.B, a.T)
	for _, s := range [][]int32{a.QuerySegments, a.KeySegments} {
		check(len(s) == 0 || slices.Min(s) >= -1, "a segment is below -1, the padding")
	}
	check(a.KeySegments == nil || len(a.KeySegments) == a.B*a.S,
		"%d KeySegments for %d × %d keys", len(a.KeySegments), a.B, a.S)
	return errors.Join(faults...)
}

// QueryTiles is the number of forward units of one (batch, head).
func (a *Attention) QueryTiles() int { return (a.T + queryTile - 1) / queryTile }

// ForwardScratch is the number of floats of scratch that one concurrent call of
// [Impl.AttentionForward] needs.
func (a *Attention) ForwardScratch() int {
	padded := roundUp(a.HeadDim, lanes)
	return a.relativeForwardScratch() + a.biasScratch() + a.HeadDim*queryTile + // Qᵀ
		queryTile*padded + // output tile
		KeyTile*padded + // V tile
		KeyTile*queryTile + // scores
		3*queryTile
}

// AttentionForward computes tile number tile of the queries of one (batch,
// head): rows of t.Out and t.LSE. Units may run concurrently. The algorithm is
// FlashAttention (Dao et al. 2022, 2023): tiles of keys, running maximum and
// sum, never T × S scores in memory.
//
// Scores are held transposed, keys by queries, with the queries in the vector
// lanes: the softmax then needs no horizontal operation, and K and V are read
// as they lie. They are in units of log 2 (Scale·log₂e is folded into Q), so
// that the exponential is 2ˣ.
func (v *Impl) AttentionForward(a *Attention, t *AttentionTensors, batch, head, tile int, scratch []float32) {
	hd, padded := a.HeadDim, roundUp(a.HeadDim, lanes)
	kvHead := head / (a.Heads / a.KVHeads)
	q0 := tile * queryTile
	w := forwardTile{a: a, batch: batch, head: head, q0: q0, nq: min(queryTile, a.T-q0)}
	cols := roundUp(w.nq, lanes)
	w.cols = cols
	space := arena(scratch)
	w.qT = space.take(hd * cols)
	w.out = space.take(cols * padded)
	w.values = space.take(KeyTile * padded)
	w.scores = space.take(KeyTile * cols)
	w.max, w.sum, w.alpha = space.take(cols), space.take(cols), space.take(cols)
	clear(w.out)
	clear(w.sum)
	for i := range w.max {
		w.max[i] = lowestScore
	}
	if a.QuerySegments != nil {
		w.qSeg = a.QuerySegments[batch*a.T+q0:][:w.nq]
	}
	if a.Reach != nil {
		w.reach = a.Reach[batch*a.T+q0:][:w.nq]
	}
	w.relative = newRelativeTile(a, t, batch, head, q0, &space)
	w.bias = newBiasTile(a, nil, head, &space)

	q := t.Q.Data[(batch*a.T+q0)*t.Q.LD+head*hd:]
	v.transposeScaled(w.qT, cols, q, t.Q.LD, w.nq, hd, a.Scale*math.Log2E)
	keys, _ := a.keyRange(q0)
	_, end := a.keyRange(q0 + w.nq - 1)
	for k0 := keys / KeyTile * KeyTile; k0 < end; k0 += KeyTile {
		w.k0, w.nk = k0, min(KeyTile, a.S-k0)
		if a.KeySegments != nil {
			w.kSeg = a.KeySegments[batch*a.S+k0:][:w.nk]
		}
		mask := a.tileMask(q0, w.nq, k0, w.nk, w.qSeg, w.kSeg, w.reach)
		if mask == nothingVisible {
			continue
		}
		row := batch*a.S + k0
		v.forwardKeys(&w, mask, t.K.Data[row*t.K.LD+kvHead*hd:], t.K.LD, t.V.Data[row*t.V.LD+kvHead*hd:], t.V.LD)
	}

	out := t.Out.Data[(batch*a.T+q0)*t.Out.LD+head*hd:]
	lse := t.LSE[(batch*a.Heads+head)*a.T+q0:][:w.nq]
	v.log(lse, w.sum)
	inverse := w.alpha
	for i := range lse {
		lse[i] += w.max[i] * math.Ln2
		inverse[i] = 0
		if w.sum[i] != 0 {
			inverse[i] = 1 / w.sum[i]
		}
	}
	v.scaleRows(out, t.Out.LD, w.out, padded, w.nq, hd, inverse, false)
}

// lowestScore stands for the maximum of no scores. It is finite so that the
// difference of two of them is 0 and not NaN.
const lowestScore = -1e30

// forwardTile is the state of one tile of queries.
type forwardTile struct {
	a        *Attention
	batch    int
	head     int // of queries
	q0, nq   int // the queries
	k0, nk   int // the tile of keys
	cols     int // nq rounded up to lanes
	qT       []float32
	out      []float32 // (cols, padded head dim): Σ P·V so far, not yet divided by sum
	values   []float32 // (nk, padded head dim)
	scores   []float32 // (nk, cols): scores, then probabilities
	max, sum []float32 // (cols): running maximum and Σ 2^(score-max)
	alpha    []float32 // (cols): factor of the old output, 2^(old max - new max)

	qSeg, kSeg, reach []int32
	relative          relativeTile
	bias              biasTile
}

// forwardKeys adds one tile of keys and values to the tile of queries.
func (v *Impl) forwardKeys(w *forwardTile, mask tileMask, k []float32, ldk int, values []float32, ldv int) {
	hd, padded, cols := w.a.HeadDim, roundUp(w.a.HeadDim, lanes), w.cols
	v.copyPadded(w.values, padded, values, ldv, w.nk, hd)

	var base []float32 // factor of what the scores have already
	if w.a.Relative {
		base = v.distancesByKey(w)
	}
	if w.a.Distances > 0 {
		base = w.biasByKey()
	}
	rows := lanes // as fine as the columns
	if mask == allVisible {
		rows = w.nk
	}
	for j0 := 0; j0 < w.nk; j0 += rows { // Sᵀ = K·Qᵀ, (keys, queries)
		m := min(rows, w.nk-j0)
		c0, c1 := w.queriesOf(j0, j0+m)
		c0, c1 = c0/lanes*lanes, roundUp(c1, lanes)
		if c0 >= c1 {
			continue
		}
		v.tile(w.scores[j0*cols+c0:], cols, m, c1-c0, hd, k[j0*ldk:], ldk, 1, w.qT[c0:], cols, base)
		if mask == someVisible {
			v.maskScores(w, j0, j0+m, c0, c1)
		}
	}
	for c := 0; c < cols; c += lanes {
		r0, r1 := w.keysOf(c, min(c+lanes, w.nq))
		if r0 < r1 {
			v.softmaxLanes(w.scores[r0*cols+c:], cols, r1-r0, w.max[c:], w.sum[c:], w.alpha[c:])
		}
	}
	if w.a.Drop > 0 {
		for j := range w.nk {
			p := w.scores[j*cols:][:w.nq]
			v.Dropout(p, p, w.a.Drop, w.a.dropKey(w.head, w.k0+j), w.a.DropRow+uint64(w.batch*w.a.T+w.q0))
		}
	}
	rows = blockRows
	if mask == allVisible {
		rows = w.nq
	}
	for i0 := 0; i0 < w.nq; i0 += rows { // O = alpha·O + P·V
		m := min(rows, w.nq-i0)
		r0, r1 := w.keysOf(i0, i0+m)
		if r0 < r1 {
			v.tile(w.out[i0*padded:], padded, m, padded, r1-r0, w.scores[r0*cols+i0:], 1, cols,
				w.values[r0*padded:], padded, w.alpha[i0:])
		}
	}
}

// queriesOf returns which queries of the tile may see one of its keys [j0, j1).
func (w *forwardTile) queriesOf(j0, j1 int) (lo, hi int) {
	return w.a.queriesOf(w.q0, w.nq, w.k0+j0, w.k0+j1)
}

// keysOf returns which keys of the tile one of its queries [i0, i1) may see.
func (w *forwardTile) keysOf(i0, i1 int) (lo, hi int) {
	return w.a.keysOf(w.k0, w.nk, w.q0+i0, w.q0+i1)
}

// maskScores sets the scores of invisible pairs in rows [j0, j1), columns
// [c0, c1) to -inf.
func (v *Impl) maskScores(w *forwardTile, j0, j1, c0, c1 int) {
	negInf := float32(math.Inf(-1))
	lo, hi := w.a.queryBand(w.q0, w.k0)
	v.maskBand(w.scores[j0*w.cols+c0:], w.cols, j1-j0, c1-c0, lo+j0-c0, hi+j0-c0, negInf)
	w.a.hideQueries(w.scores[j0*w.cols+c0:], w.cols, j1-j0, w.q0+c0, min(c1, w.nq)-c0, w.k0)
	if w.kSeg != nil {
		v.maskSegments(w.scores[j0*w.cols+c0:], w.cols, w.kSeg[j0:j1], w.qSeg[c0:min(c1, w.nq)], negInf)
	}
	for i := c0; i < min(c1, w.nq) && w.reach != nil; i++ {
		for j := j0; j < min(j1, w.a.firstOf(w.q0+i, w.reach[i])-w.k0); j++ {
			w.scores[j*w.cols+i] = negInf
		}
	}
}

// arena hands out parts of the caller's scratch, each a multiple of a cache line.
type arena []float32

func (s *arena) take(n int) []float32 {
	part := (*s)[:n:n]
	*s = (*s)[roundUp(n, lanes):]
	return part
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
