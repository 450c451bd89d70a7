package vec

import "math"

// biasTile is what tiles of queries by keys need for the bias of their distances. A tile of
// nq queries and nk keys has nq+nk-1 distances, of which query i and key j have number
// nq-1-i + j.
type biasTile struct {
	row      []float32 // (Distances) of the head
	gradient []float32 // (Distances) of the head; nil for none
	at       []float32 // (tileDistances): of a tile
	ones     []float32
}

func (a *Attention) biasScratch() int {
	if a.Distances == 0 {
		return 0
	}
	return tileDistances + max(queryTile, KeyTile)
}

// newBiasTile is that of a query head, empty without a bias. gradients are those of all
// heads, or nil.
func newBiasTile(a *Attention, gradients []float32, head int, space *arena) (w biasTile) {
	if a.Distances == 0 {
		return w
	}
	w = biasTile{row: a.Bias[head*a.Distances:][:a.Distances], at: space.take(tileDistances), ones: space.take(max(queryTile, KeyTile))}
	if gradients != nil {
		w.gradient = gradients[head*a.Distances:][:a.Distances]
	}
	for i := range w.ones {
		w.ones[i] = 1
	}
	return w
}

// column is that of the key s of query t.
func (a *Attention) column(t, s int) int {
	return min(max(s-(t+a.S-a.T)+a.Behind, 0), a.Distances-1)
}

// biasByKey sets the scores, keys by queries, to the bias in units of log 2, and returns
// their factor for the product that is added.
func (w *forwardTile) biasByKey() []float32 {
	b, n := &w.bias, w.cols+w.nk-1
	for i := range n { // from the last key on, so that a key's queries lie in their order
		b.at[i] = b.row[w.a.column(w.q0+i, w.k0+w.nk-1)] * math.Log2E
	}
	for j := range w.nk {
		copy(w.scores[j*w.cols:][:w.cols], b.at[w.nk-1-j:])
	}
	return b.ones
}

// biasByQuery sets the scores, queries by keys, to the bias in units of log 2, clears their
// gradients, and returns the scores' factor for the product that is added.
func (w *backwardTile) biasByQuery(q0, nq int) []float32 {
	b := &w.bias
	for i := range nq + w.cols - 1 {
		b.at[i] = b.row[w.a.column(q0+nq-1, w.k0+i)] * math.Log2E
	}
	for i := range nq {
		copy(w.p[i*w.cols:][:w.cols], b.at[nq-1-i:])
	}
	clear(w.ds[:nq*w.cols])
	return b.ones
}

// biasGradient adds what a tile of queries by keys has for each distance: the sum along its
// diagonals, query by query, then distance by distance. Gradients of scores hold Scale.
func (v *Impl) biasGradient(w *backwardTile, q0, nq int) {
	b, n := &w.bias, nq+w.nk-1
	clear(b.at[:n])
	for i := range nq {
		sums := b.at[nq-1-i:][:w.nk]
		v.add(sums, sums, w.ds[i*w.cols:][:w.nk])
	}
	for i, x := range b.at[:n] {
		b.gradient[w.a.column(q0+nq-1, w.k0+i)] += x / w.a.Scale
	}
}
