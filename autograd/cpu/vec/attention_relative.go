package vec

import "math"

// RelativeTensors are the further arguments of attention whose scores depend on the
// distance of query and key too (Dai et al. 2019, "Transformer-XL"):
//
//	score(t, s) = Scale·(Q[t]·K[s] + QR[t]·R[S-1-d]),  d = t + S - T - s
//
// R has a row for each of S distances, the farthest first, the same for all batches; the
// key s of query t, with Causal, has row s + T-1 - t. DR has the rows of one batch: the
// sum over batches is the caller's.
type RelativeTensors struct {
	QR, R, DQR, DR Heads
}

// relativeTile is what tiles of queries by keys need for the scores of distances. A tile
// of nq queries and nk keys has nq+nk-1 distances, of which query i and key j have number
// nq-1-i + j: the row of a query in at lies nq-1-i before its keys. So a view of at whose
// rows are one shorter, from nq-1 on, has the keys below each other: the relative shift.
type relativeTile struct {
	t    *AttentionTensors
	a    *Attention
	qr   []float32 // the queries' rows, of the head, with the leading dimension of QR
	rT   []float32 // (hd, distances), Scale·log₂e·R transposed
	at   []float32 // (nq, distances): scores, or their gradients
	ones []float32

	// Of the backward pass alone.
	batch, head     int
	r, dr           []float32 // (distances, padded): Scale·R, gradients
	qrTile, dqrTile []float32 // (nq, padded)
}

// tileDistances is the most distances of a tile, in whole lanes.
const tileDistances = queryTile + KeyTile

func (a *Attention) relativeForwardScratch() int {
	if !a.Relative {
		return 0
	}
	return a.HeadDim*tileDistances + queryTile*tileDistances + KeyTile
}

func (a *Attention) relativeBackwardScratch() int {
	if !a.Relative {
		return 0
	}
	padded := roundUp(a.HeadDim, lanes)
	return a.relativeForwardScratch() + 2*tileDistances*padded + 2*queryTile*padded
}

// newRelativeTile is that of the queries from q0 on, empty where scores do not depend on
// distances.
func newRelativeTile(a *Attention, t *AttentionTensors, batch, head, q0 int, space *arena) (w relativeTile) {
	if !a.Relative {
		return w
	}
	w = relativeTile{
		t: t, a: a, batch: batch, head: head,
		rT: space.take(a.HeadDim * tileDistances), at: space.take(queryTile * tileDistances), ones: space.take(KeyTile),
	}
	for i := range w.ones {
		w.ones[i] = 1
	}
	w.queries(q0)
	return w
}

// queries has the tile look at the queries from q0 on.
func (w *relativeTile) queries(q0 int) {
	w.qr = w.t.QR.Data[(w.batch*w.a.T+q0)*w.t.QR.LD+w.head*w.a.HeadDim:]
}

// rows are those of R that a tile of queries by keys has: the first, how many there are,
// and how many in whole lanes.
func (w *relativeTile) rows(q0, nq, k0, nk int) (first, count, padded int) {
	first = k0 + w.a.T - q0 - nq
	return first, min(nq+nk-1, w.a.S-first), roundUp(nq+nk-1, lanes)
}

// distances computes the scores of distances of a tile of queries by keys into at, whose
// leading dimension it returns.
func (v *Impl) distances(w *relativeTile, q0, nq, k0, nk int) (ld int) {
	hd := w.a.HeadDim
	first, count, padded := w.rows(q0, nq, k0, nk)
	v.transposeScaled(w.rT, padded, w.t.R.Data[first*w.t.R.LD+w.head*hd:], w.t.R.LD, count, hd, w.a.Scale*math.Log2E)
	v.tile(w.at, padded, nq, padded, hd, w.qr, w.t.QR.LD, 1, w.rT, padded, nil)
	return padded
}

// distancesByKey sets the scores, keys by queries, to those of distances, and returns
// their factor for the product that is added.
func (v *Impl) distancesByKey(w *forwardTile) []float32 {
	ld := v.distances(&w.relative, w.q0, w.nq, w.k0, w.nk)
	v.transpose(w.scores, w.cols, w.relative.at[w.nq-1:], ld-1, w.nq, w.nk)
	for j := range w.nk {
		clear(w.scores[j*w.cols+w.nq : (j+1)*w.cols])
	}
	return w.relative.ones
}

// newRelativeGradient is the relativeTile of the backward pass of a head, whose
// gradients it clears.
func newRelativeGradient(a *Attention, t *AttentionTensors, batch, head int, space *arena) relativeTile {
	w := newRelativeTile(a, t, batch, head, 0, space)
	if !a.Relative {
		return w
	}
	padded, hd := roundUp(a.HeadDim, lanes), a.HeadDim
	w.r, w.dr = space.take(tileDistances*padded), space.take(tileDistances*padded)
	w.qrTile, w.dqrTile = space.take(queryTile*padded), space.take(queryTile*padded)
	for i := range a.T {
		clear(t.DQR.Data[(batch*a.T+i)*t.DQR.LD+head*hd:][:hd])
	}
	for i := range a.S {
		clear(t.DR.Data[i*t.DR.LD+head*hd:][:hd])
	}
	return w
}

// distancesByQuery sets the scores, queries by keys, to those of distances, clears their
// gradients, and returns the scores' factor for the product that is added.
func (v *Impl) distancesByQuery(w *backwardTile, q0, nq int) []float32 {
	r := &w.relative
	r.queries(q0)
	ld := v.distances(r, q0, nq, w.k0, w.nk)
	v.Copy2D(w.p, w.cols, r.at[nq-1:], ld-1, nq, w.nk)
	for i := range nq {
		clear(w.p[i*w.cols+w.nk : (i+1)*w.cols])
	}
	clear(w.ds[:nq*w.cols])
	return r.ones
}

// distanceGradients adds the gradients of a tile of queries by keys to those of its rows
// of QR and R.
func (v *Impl) distanceGradients(w *backwardTile, q0, nq int) {
	r, a, hd, padded := &w.relative, w.a, w.a.HeadDim, w.padded
	first, count, ld := r.rows(q0, nq, w.k0, w.nk)
	clear(r.at[:nq*ld])
	v.Copy2D(r.at[nq-1:], ld-1, w.ds, w.cols, nq, w.nk)

	v.copyPadded(r.r, padded, r.t.R.Data[first*r.t.R.LD+r.head*hd:], r.t.R.LD, count, hd)
	clear(r.r[count*padded : ld*padded])
	v.tile(r.dqrTile, padded, nq, padded, ld, r.at, ld, 1, r.r, padded, nil)
	row := r.batch*a.T + q0
	v.scaleRows(r.t.DQR.Data[row*r.t.DQR.LD+r.head*hd:], r.t.DQR.LD, r.dqrTile, padded, nq, hd, nil, true)

	v.copyPadded(r.qrTile, padded, r.qr, r.t.QR.LD, nq, hd)
	v.tile(r.dr, padded, count, padded, nq, r.at, 1, ld, r.qrTile, padded, nil)
	v.scaleRows(r.t.DR.Data[first*r.t.DR.LD+r.head*hd:], r.t.DR.LD, r.dr, padded, count, hd, nil, true)
}

// RelativeDecode is the attention of one query of one head over a cache, whose scores
// depend on distances too: out = softmax(scale·(k·q + r·qr))ᵀ·v over the rows that k and
// values begin with, as many as keys; r ends with the distances keys-1 to 0, of window
// rows. scratch holds 2·keys floats.
func (v *Impl) RelativeDecode(out, q, qr []float32, k, values, r Heads, keys, window int, scale float32, scratch []float32) {
	hd := len(q)
	out = out[:hd]
	clear(out)
	p, content := scratch[:keys], scratch[keys:2*keys]
	v.rowDots(p, r.Data[(window-keys)*r.LD:], r.LD, qr, 0, hd, scale)
	v.rowDots(content, k.Data, k.LD, q, 0, hd, scale)
	v.add(p, p, content)
	inv := 1 / float32(v.expSum(p, p, 1, v.max(p)))
	full := hd / lanes * lanes
	if full > 0 {
		v.tile(out, full, 1, full, keys, p, keys, 1, values.Data, values.LD, nil)
	}
	for j := full; j < hd; j++ {
		for s, e := range p {
			out[j] += e * values.Data[s*values.LD+j]
		}
	}
	v.scale(out, out, inv)
}
