package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// attentionView reads the tensors of an attention by batch, position, head and
// element of the head.
type attentionView struct {
	d             *definition
	batch, t, s   int
	heads, kv, hd int
	packedGroup   bool
}

func (d *definition) attention() attentionView {
	a := d.c.attrs.(ir.AttentionAttrs)
	v := attentionView{d: d, batch: a.Batch, t: d.c.in[0].shape[0] / a.Batch, heads: a.Heads, kv: a.KVHeads, hd: a.HeadDim, packedGroup: a.Packed}
	v.s = v.t
	if !a.Packed {
		v.s = d.c.in[1].shape[0] / a.Batch
	}
	return v
}

// query is the index of an element of q, or of y where packed is false.
func (v attentionView) query(packed bool, b, t, h, i int) int {
	ld := v.heads * v.hd
	if packed {
		ld += 2 * v.kv * v.hd
	}
	return (b*v.t+t)*ld + h*v.hd + i
}

// key is the tensor and the index of an element of k (which 1) or v (which 2),
// for the key head of query head h.
func (v attentionView) key(tensors [][]float64, which, b, s, h, i int) *float64 {
	h /= v.heads / v.kv
	if !v.packedGroup {
		return &tensors[which][(b*v.s+s)*v.kv*v.hd+h*v.hd+i]
	}
	ld := (v.heads + 2*v.kv) * v.hd
	return &tensors[0][(b*v.s+s)*ld+(v.heads+(which-1)*v.kv+h)*v.hd+i]
}

func (v attentionView) visible(b, t, s int) bool {
	a := v.d.c.attrs.(ir.AttentionAttrs)
	position := t + v.s - v.t
	if a.Causal && s > position || a.Window > 0 && (s <= position-a.Window || s >= position+a.Window) {
		return false
	}
	if a.Sparse.Pattern != ir.Dense && !a.Sparse.Sees(position/a.Sparse.Block, s/a.Sparse.Block) {
		return false
	}
	query, key := v.d.ids(3), v.d.ids(4)
	if query == nil {
		return true
	}
	if key == nil {
		key = query
	}
	return query[b*v.t+t] == key[b*v.s+s] && query[b*v.t+t] >= 0
}

// scores returns the scaled scores of one query, -inf where it does not see.
func (v attentionView) scores(b, h, t int) []float64 {
	x := make([]float64, v.s)
	for s := range x {
		if !v.visible(b, t, s) {
			x[s] = math.Inf(-1)
			continue
		}
		for i := range v.hd {
			x[s] += float64(v.d.c.attrs.(ir.AttentionAttrs).Scale) * v.d.in[0][v.query(v.packedGroup, b, t, h, i)] * *v.key(v.d.in, 1, b, s, h, i)
		}
		if at, bias := v.d.bias(h, s-(t+v.s-v.t)); bias != nil {
			x[s] += bias[at]
		}
	}
	return x
}

// each calls f for each query of each head.
func (v attentionView) each(f func(b, h, t int)) {
	for b := range v.batch {
		for h := range v.heads {
			for t := range v.t {
				f(b, h, t)
			}
		}
	}
}

// bias returns the bias, nil for none, and where in it that of a key is, which stands so far
// behind the position of a query of a head.
func (d *definition) bias(head, distance int) (at int, bias []float64) {
	if bias = d.in[len(d.in)-1]; bias == nil {
		return 0, nil
	}
	a := d.c.attrs.(ir.AttentionAttrs)
	n := len(bias) / a.Heads
	return head*n + min(max(distance+a.Behind, 0), n-1), bias
}

// kept is the factor of a weight: 0 where it is dropped.
func (v attentionView) kept(rng, b, h, t, s int) float64 {
	drop := v.d.c.attrs.(ir.AttentionAttrs).Drop
	if drop.P == 0 {
		return 1
	}
	n := v.d.ids(rng)
	join := func(low, high int32) uint64 { return uint64(uint32(low)) | uint64(uint32(high))<<32 }
	seed, row := join(n[0], n[1])+0x9E3779B97F4A7C15*(uint64(h)<<32+uint64(s)+1), join(n[2], n[3])+uint64(b*v.t+t)
	words := philox([2]uint32{uint32(seed), uint32(seed >> 32)}, [4]uint32{uint32(row / 4), drop.Site, uint32(row / 4 >> 32), 0})
	if float64(words[row%4]) < math.Round(float64(drop.P)*(1<<32)) {
		return 0
	}
	return 1 / (1 - float64(drop.P))
}

func logSumExp(x []float64) float64 {
	largest := math.Inf(-1)
	for _, e := range x {
		largest = max(largest, e)
	}
	if math.IsInf(largest, -1) {
		return largest
	}
	var sum float64
	for _, e := range x {
		sum += math.Exp(e - largest)
	}
	return largest + math.Log(sum)
}

func defineAttention(d *definition) {
	v := d.attention()
	v.each(func(b, h, t int) {
		scores := v.scores(b, h, t)
		lse := logSumExp(scores)
		d.out[1][(b*v.heads+h)*v.t+t] = lse
		for s, e := range scores {
			if math.IsInf(e, -1) {
				continue
			}
			kept := v.kept(5, b, h, t, s)
			for i := range v.hd {
				d.out[0][v.query(false, b, t, h, i)] += kept * math.Exp(e-lse) * *v.key(d.in, 2, b, s, h, i)
			}
		}
	})
}

func defineAttentionBackward(d *definition) {
	v := d.attention()
	y, lse, dy := d.in[5], d.in[6], d.in[7]
	scale := float64(d.c.attrs.(ir.AttentionAttrs).Scale)
	v.each(func(b, h, t int) {
		var sum float64 // Σ dy·y
		for i := range v.hd {
			sum += dy[v.query(false, b, t, h, i)] * y[v.query(false, b, t, h, i)]
		}
		for s, e := range v.scores(b, h, t) {
			if math.IsInf(e, -1) {
				continue
			}
			p := math.Exp(e - lse[(b*v.heads+h)*v.t+t])
			kept := v.kept(8, b, h, t, s)
			var dp float64
			for i := range v.hd {
				dp += kept * dy[v.query(false, b, t, h, i)] * *v.key(d.in, 2, b, s, h, i)
			}
			if at, bias := d.bias(h, s-(t+v.s-v.t)); bias != nil && d.out[3] != nil {
				d.out[3][at] += p * (dp - sum)
			}
			ds := p * (dp - sum) * scale
			for i := range v.hd {
				q := v.query(v.packedGroup, b, t, h, i)
				d.out[0][q] += ds * *v.key(d.in, 1, b, s, h, i)
				*v.key(d.out, 1, b, s, h, i) += ds * d.in[0][q]
				*v.key(d.out, 2, b, s, h, i) += kept * p * dy[v.query(false, b, t, h, i)]
			}
		}
	})
}

func defineAttentionCached(d *definition) {
	a := d.c.attrs.(ir.AttentionAttrs)
	rows, capacity := d.c.in[0].shape[0]/a.Batch, d.c.in[3].shape[0]/a.Batch
	wide, narrow, hd := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim, a.HeadDim
	for b := range a.Batch {
		start := int(d.ids(5)[b])
		for t := range rows {
			copy(d.in[3][(b*capacity+start+t)*narrow:], d.in[1][(b*rows+t)*narrow:][:narrow])
			copy(d.in[4][(b*capacity+start+t)*narrow:], d.in[2][(b*rows+t)*narrow:][:narrow])
		}
		for h := range a.Heads {
			key := func(cache []float64, s, i int) float64 {
				return cache[(b*capacity+s)*narrow+h/(a.Heads/a.KVHeads)*hd+i]
			}
			for t := range rows {
				q, y := d.in[0][(b*rows+t)*wide+h*hd:], d.out[0][(b*rows+t)*wide+h*hd:]
				first := 0
				if a.Window > 0 {
					first = max(0, start+t-a.Window+1)
				}
				scores := make([]float64, start+t+1-first)
				for s := range scores {
					if a.Sparse.Pattern != ir.Dense && !a.Sparse.Sees((start+t)/a.Sparse.Block, (first+s)/a.Sparse.Block) {
						scores[s] = math.Inf(-1)
						continue
					}
					for i := range hd {
						scores[s] += float64(a.Scale) * q[i] * key(d.in[3], first+s, i)
					}
					if at, bias := d.bias(h, first+s-start-t); bias != nil {
						scores[s] += bias[at]
					}
				}
				lse := logSumExp(scores)
				for s, e := range scores {
					for i := range hd {
						y[i] += math.Exp(e-lse) * key(d.in[4], first+s, i)
					}
				}
			}
		}
	}
}
