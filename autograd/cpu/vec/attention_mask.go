package vec

import "math"

// keyRange returns the keys [lo, hi) that query t may see as far as Causal and
// Window say. Both ends rise with t.
func (a *Attention) keyRange(t int) (lo, hi int) {
	position := t + a.S - a.T
	lo, hi = 0, a.S
	if a.Window > 0 {
		lo = max(lo, position-a.Window+1)
		hi = min(hi, position+a.Window)
	}
	if a.Causal {
		hi = min(hi, position+1)
	}
	return lo, max(lo, hi)
}

// queryRange returns the queries [lo, hi) that may see key s: the inverse of
// keyRange.
func (a *Attention) queryRange(s int) (lo, hi int) {
	t := s - (a.S - a.T)
	lo, hi = 0, a.T
	if a.Window > 0 {
		lo = max(lo, t-a.Window+1)
		hi = min(hi, t+a.Window)
	}
	if a.Causal {
		lo = max(lo, t)
	}
	return lo, max(lo, hi)
}

// firstOf is the first key that query t may see as far as its reach says.
func (a *Attention) firstOf(t int, reach int32) int { return t + a.S - a.T - int(reach) }

// unlimited is beyond every column of a tile.
const unlimited = 1 << 20

// keyBand returns the band lo ≤ j - i < hi in which query q0+i may see key k0+j.
func (a *Attention) keyBand(q0, k0 int) (lo, hi int) {
	lo, hi = -unlimited, unlimited
	diagonal := q0 + a.S - a.T - k0
	if a.Window > 0 {
		lo, hi = diagonal-a.Window+1, diagonal+a.Window
	}
	if a.Causal {
		hi = diagonal + 1
	}
	return lo, hi
}

// queryBand returns the band lo ≤ i - j < hi in which key k0+j is seen by query
// q0+i.
func (a *Attention) queryBand(q0, k0 int) (lo, hi int) {
	lo, hi = a.keyBand(q0, k0)
	return 1 - hi, 1 - lo
}

// keysOf returns, relative to k0 and within [0, nk], the keys that one of the
// queries [t0, t1) may see.
func (a *Attention) keysOf(k0, nk, t0, t1 int) (lo, hi int) {
	lo, _ = a.keyRange(t0)
	_, hi = a.keyRange(t1 - 1)
	return clampRange(lo-k0, hi-k0, nk)
}

// queriesOf returns, relative to q0 and within [0, nq], the queries that may see
// one of the keys [s0, s1).
func (a *Attention) queriesOf(q0, nq, s0, s1 int) (lo, hi int) {
	lo, _ = a.queryRange(s0)
	_, hi = a.queryRange(s1 - 1)
	return clampRange(lo-q0, hi-q0, nq)
}

func clampRange(lo, hi, n int) (int, int) {
	lo = min(max(lo, 0), n)
	return lo, max(lo, min(hi, n))
}

// tileMask says how much of a tile of queries by keys is visible.
type tileMask int

const (
	nothingVisible tileMask = iota
	someVisible
	allVisible
)

// tileMask classifies the tile of queries [q0, q0+nq) by keys [k0, k0+nk); the
// segments are those of its queries and keys, and reach that of its queries, or nil.
func (a *Attention) tileMask(q0, nq, k0, nk int, qSeg, kSeg, reach []int32) tileMask {
	firstLo, firstHi := a.keyRange(q0)
	lastLo, lastHi := a.keyRange(q0 + nq - 1)
	if lastHi <= k0 || firstLo >= k0+nk {
		return nothingVisible
	}
	mask := allVisible
	if firstHi < k0+nk || lastLo > k0 {
		mask = someVisible
	}
	if a.Sees != nil {
		switch first, last := a.sees(q0, k0), a.sees(q0+nq-1, k0); {
		case !first && !last:
			return nothingVisible
		case !first || !last: // queries of two blocks
			mask = someVisible
		}
	}
	if reach != nil {
		nearest, farthest := a.S, 0
		for i, r := range reach {
			first := a.firstOf(q0+i, r)
			nearest, farthest = min(nearest, first), max(farthest, first)
		}
		if nearest >= k0+nk {
			return nothingVisible
		}
		if farthest > k0 {
			mask = someVisible
		}
	}
	if qSeg == nil {
		return mask
	}
	qMin, qMax := bounds(qSeg)
	kMin, kMax := bounds(kSeg)
	switch {
	case qMax < kMin || kMax < qMin || qMax < 0 || kMax < 0:
		return nothingVisible
	case qMin != qMax || kMin != kMax:
		return someVisible
	}
	return mask
}

// sees tells whether the block of query t sees the block of key s.
func (a *Attention) sees(t, s int) bool {
	return a.Sees(max(0, t+a.S-a.T)/a.Block, s/a.Block)
}

// hideQueries sets the scores of those of n queries from t on to -inf whose block does
// not see that of key s. Scores are rows of keys with queries in the columns.
func (a *Attention) hideQueries(scores []float32, ld, rows, t, n, s int) {
	if a.Sees == nil || n <= 0 || a.sees(t, s) && a.sees(t+n-1, s) {
		return
	}
	hidden := float32(math.Inf(-1))
	for c := range n {
		if a.sees(t+c, s) {
			continue
		}
		for r := range rows {
			scores[r*ld+c] = hidden
		}
	}
}

func bounds(x []int32) (lo, hi int32) {
	lo, hi = x[0], x[0]
	for _, e := range x {
		lo, hi = min(lo, e), max(hi, e)
	}
	return lo, hi
}
