package vec

import "math"

// BackwardScratch is the number of floats of scratch that one concurrent call of
// [Impl.AttentionBackward] needs.
func (a *Attention) BackwardScratch() int {
	padded := roundUp(a.HeadDim, lanes)
	return a.relativeBackwardScratch() + a.biasScratch() + 2*a.HeadDim*KeyTile + // Kᵀ, Vᵀ
		3*KeyTile*padded + // K, dK, dV tiles
		3*queryTile*padded + // Q, dO, dQ tiles
		2*queryTile*KeyTile + // P, dS
		KeyTile + // ones
		2*roundUp(a.Heads/a.KVHeads*a.T, lanes) + // log-sum-exp and D of the group's rows
		a.dropScratch()
}

// dropScratch holds the masks of a tile, by keys and by queries.
func (a *Attention) dropScratch() int {
	if a.Drop == 0 {
		return 0
	}
	return 2 * queryTile * KeyTile
}

// AttentionBackward sets the gradients of one (batch, key/value head): its rows
// of t.DK and t.DV, and those of t.DQ for every query head of the group. It
// needs t.Out and t.LSE of the forward pass, and t.DOut. Units may run
// concurrently; within one the order of summation is fixed.
//
// The algorithm is FlashAttention-2's (Dao 2023), keys outside, queries inside:
//
//	P = exp(S - lse),  D = Σ dO·O,  dS = P·(dO·Vᵀ - D)
//	dV = Pᵀ·dO,  dK = Scale·dSᵀ·Q,  dQ = Scale·dS·K
//
// Scale·log₂e is folded into Kᵀ and Scale into Vᵀ and D, once per tile of keys. Where weights
// are dropped by a mask M, which has 0 or 1/(1 - Drop), dV = (P·M)ᵀ·dO and dS = P·((dO·Vᵀ)·M - D).
func (v *Impl) AttentionBackward(a *Attention, t *AttentionTensors, batch, kvHead int, scratch []float32) {
	group := a.Heads / a.KVHeads
	space := arena(scratch)
	lse, d := space.take(group*a.T), space.take(group*a.T)
	for g := range group {
		v.backwardRows(a, t, batch, kvHead*group+g, lse[g*a.T:][:a.T], d[g*a.T:][:a.T])
	}
	w := newBackwardTile(a, &space)
	w.relative = newRelativeGradient(a, t, batch, kvHead, &space)
	biases := space
	hd := a.HeadDim
	for k0 := 0; k0 < a.S; k0 += KeyTile {
		w.k0, w.nk = k0, min(KeyTile, a.S-k0)
		if a.KeySegments != nil {
			w.kSeg = a.KeySegments[batch*a.S+k0:][:w.nk]
		}
		row := batch*a.S + k0
		v.loadKeys(&w, t.K.Data[row*t.K.LD+kvHead*hd:], t.K.LD, t.V.Data[row*t.V.LD+kvHead*hd:], t.V.LD)
		for g := range group {
			space = biases
			w.bias = newBiasTile(a, t.DBias, kvHead*group+g, &space)
			if k0 == 0 {
				clear(w.bias.gradient)
			}
			v.backwardQueries(&w, t, batch, kvHead*group+g, lse[g*a.T:], d[g*a.T:])
		}
		v.Copy2D(t.DK.Data[row*t.DK.LD+kvHead*hd:], t.DK.LD, w.dk, w.padded, w.nk, hd)
		v.Copy2D(t.DV.Data[row*t.DV.LD+kvHead*hd:], t.DV.LD, w.dv, w.padded, w.nk, hd)
	}
}

// backwardRows clears dQ of one head and prepares lse·log₂e and Scale·D of its
// rows.
func (v *Impl) backwardRows(a *Attention, t *AttentionTensors, batch, head int, lse, d []float32) {
	hd, first := a.HeadDim, batch*a.T
	out, dOut := t.Out.Data[first*t.Out.LD+head*hd:], t.DOut.Data[first*t.DOut.LD+head*hd:]
	v.rowDots(d, out, t.Out.LD, dOut, t.DOut.LD, hd, a.Scale)
	v.scale(lse, t.LSE[(batch*a.Heads+head)*a.T:], math.Log2E)
	for i := range a.T {
		clear(t.DQ.Data[(first+i)*t.DQ.LD+head*hd:][:hd])
	}
}

// backwardTile is the state of one tile of keys.
type backwardTile struct {
	a          *Attention
	padded     int // head dim rounded up to lanes
	k0, nk     int
	cols       int       // nk rounded up to lanes
	kT, vT     []float32 // (hd, cols), scaled
	k, dk, dv  []float32 // (nk, padded)
	q, dOut    []float32 // (nq, padded)
	dq         []float32 // (nq, padded)
	p, ds      []float32 // (nq, cols)
	ones       []float32
	drawn      []float32 // (nk, queryTile): masks as they are drawn; nil where nothing is dropped
	keep       []float32 // (nq, cols): the same
	kSeg, qSeg []int32
	reach      []int32
	relative   relativeTile
	bias       biasTile
}

func newBackwardTile(a *Attention, space *arena) backwardTile {
	padded := roundUp(a.HeadDim, lanes)
	w := backwardTile{
		a: a, padded: padded,
		kT: space.take(a.HeadDim * KeyTile), vT: space.take(a.HeadDim * KeyTile),
		k: space.take(KeyTile * padded), dk: space.take(KeyTile * padded), dv: space.take(KeyTile * padded),
		q: space.take(queryTile * padded), dOut: space.take(queryTile * padded), dq: space.take(queryTile * padded),
		p: space.take(queryTile * KeyTile), ds: space.take(queryTile * KeyTile),
		ones: space.take(KeyTile),
	}
	for i := range w.ones {
		w.ones[i] = 1
	}
	if a.Drop > 0 {
		w.drawn, w.keep = space.take(queryTile*KeyTile), space.take(queryTile*KeyTile)
	}
	return w
}

// loadKeys packs a tile of keys and values and clears their gradients.
func (v *Impl) loadKeys(w *backwardTile, k []float32, ldk int, values []float32, ldv int) {
	hd := w.a.HeadDim
	w.cols = roundUp(w.nk, lanes)
	v.transposeScaled(w.kT, w.cols, k, ldk, w.nk, hd, w.a.Scale*math.Log2E)
	v.transposeScaled(w.vT, w.cols, values, ldv, w.nk, hd, w.a.Scale)
	v.copyPadded(w.k, w.padded, k, ldk, w.nk, hd)
	clear(w.k[w.nk*w.padded : w.cols*w.padded])
	clear(w.dk)
	clear(w.dv)
}

// backwardQueries adds the share of one head's queries, tile by tile.
func (v *Impl) backwardQueries(w *backwardTile, t *AttentionTensors, batch, head int, lse, d []float32) {
	a, hd := w.a, w.a.HeadDim
	first, _ := a.queryRange(w.k0)
	_, end := a.queryRange(w.k0 + w.nk - 1)
	for q0 := first / queryTile * queryTile; q0 < end; q0 += queryTile {
		nq := min(queryTile, a.T-q0)
		row := batch*a.T + q0
		if a.QuerySegments != nil {
			w.qSeg = a.QuerySegments[row:][:nq]
		}
		if a.Reach != nil {
			w.reach = a.Reach[row:][:nq]
		}
		mask := a.tileMask(q0, nq, w.k0, w.nk, w.qSeg, w.kSeg, w.reach)
		if mask == nothingVisible {
			continue
		}
		if w.cols != w.nk {
			mask = someVisible // the padding columns
		}
		v.copyPadded(w.q, w.padded, t.Q.Data[row*t.Q.LD+head*hd:], t.Q.LD, nq, hd)
		v.copyPadded(w.dOut, w.padded, t.DOut.Data[row*t.DOut.LD+head*hd:], t.DOut.LD, nq, hd)
		var base []float32 // factor of what the scores have already
		if w.a.Relative {
			base = v.distancesByQuery(w, q0, nq)
		}
		if a.Distances > 0 {
			base = w.biasByQuery(q0, nq)
		}
		if a.Drop > 0 {
			for j := range w.nk {
				v.Dropout(w.drawn[j*queryTile:][:nq], w.ones[:nq], a.Drop, a.dropKey(head, w.k0+j), a.DropRow+uint64(row))
			}
			v.transposeScaled(w.keep, w.cols, w.drawn, queryTile, w.nk, nq, 1)
		}
		v.backwardPair(w, mask, q0, nq, lse[q0:], d[q0:], base)
		if w.bias.gradient != nil {
			v.biasGradient(w, q0, nq)
		}
		if w.a.Relative {
			v.distanceGradients(w, q0, nq)
		}
		r0, r1 := a.queriesOf(q0, nq, w.k0, w.k0+w.nk)
		v.scaleRows(t.DQ.Data[(row+r0)*t.DQ.LD+head*hd:], t.DQ.LD, w.dq[r0*w.padded:], w.padded, r1-r0, hd, nil, true)
	}
}

// backwardPair computes one tile of queries by one of keys: dQ of the tile (=)
// and its share of dK and dV (+=).
func (v *Impl) backwardPair(w *backwardTile, mask tileMask, q0, nq int, lse, d, base []float32) {
	a, hd, padded, cols := w.a, w.a.HeadDim, w.padded, w.cols
	rows := lanes // as fine as the columns
	if mask == allVisible {
		rows = nq
	}
	for i0 := 0; i0 < nq; i0 += rows {
		m := min(rows, nq-i0)
		c0, c1 := a.keysOf(w.k0, w.nk, q0+i0, q0+i0+m)
		c0, c1 = c0/lanes*lanes, roundUp(c1, lanes)
		if c0 >= c1 {
			continue
		}
		p, ds := w.p[i0*cols+c0:], w.ds[i0*cols+c0:]
		v.tile(p, cols, m, c1-c0, hd, w.q[i0*padded:], padded, 1, w.kT[c0:], cols, base)
		v.tile(ds, cols, m, c1-c0, hd, w.dOut[i0*padded:], padded, 1, w.vT[c0:], cols, nil)
		w.dropRows(v, w.ds, i0, i0+m, c0, c1)
		v.probGrad(p, ds, cols, m, c1-c0, lse[i0:], d[i0:])
		w.dropRows(v, w.p, i0, i0+m, c0, c1)
		if mask == someVisible {
			v.maskGrad(w, q0, i0, i0+m, c0, c1)
		}
		v.tile(w.dq[i0*padded:], padded, m, padded, c1-c0, ds, cols, 1, w.k[c0*padded:], padded, nil)
	}
	rows = blockRows
	if mask == allVisible {
		rows = w.nk
	}
	for j0 := 0; j0 < w.nk; j0 += rows {
		m := min(rows, w.nk-j0)
		r0, r1 := a.queriesOf(q0, nq, w.k0+j0, w.k0+j0+m)
		if r0 >= r1 {
			continue
		}
		v.tile(w.dv[j0*padded:], padded, m, padded, r1-r0, w.p[r0*cols+j0:], 1, cols, w.dOut[r0*padded:], padded, w.ones)
		v.tile(w.dk[j0*padded:], padded, m, padded, r1-r0, w.ds[r0*cols+j0:], 1, cols, w.q[r0*padded:], padded, w.ones)
	}
}

// dropRows multiplies rows [i0, i1), columns [c0, c1) of a tile by the mask of what is dropped.
func (w *backwardTile) dropRows(v *Impl, x []float32, i0, i1, c0, c1 int) {
	for i := i0; i < i1 && w.keep != nil; i++ {
		row := x[i*w.cols+c0 : i*w.cols+c1]
		v.Mul(row, row, w.keep[i*w.cols+c0:i*w.cols+c1])
	}
}

// maskGrad clears P and dS of invisible pairs in rows [i0, i1), columns
// [c0, c1).
func (v *Impl) maskGrad(w *backwardTile, q0, i0, i1, c0, c1 int) {
	lo, hi := w.a.keyBand(q0, w.k0)
	for _, x := range [][]float32{w.p, w.ds} {
		v.maskBand(x[i0*w.cols+c0:], w.cols, i1-i0, c1-c0, lo+i0-c0, hi+i0-c0, 0)
		if w.kSeg != nil {
			v.maskSegments(x[i0*w.cols+c0:], w.cols, w.qSeg[i0:i1], w.kSeg[c0:min(c1, w.nk)], 0)
		}
		for i := i0; i < i1 && w.reach != nil; i++ {
			if end := min(w.a.firstOf(q0+i, w.reach[i])-w.k0, c1); end > c0 {
				clear(x[i*w.cols+c0 : i*w.cols+end])
			}
		}
		for i := i0; i < i1 && w.nk < c1; i++ {
			clear(x[i*w.cols+w.nk : i*w.cols+c1]) // the padding
		}
	}
}
