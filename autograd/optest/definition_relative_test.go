package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// relativeView reads the tensors of a relative attention.
type relativeView struct {
	d           *definition
	a           ir.RelativeAttrs
	t, s, width int
}

func (d *definition) relative() relativeView {
	a := d.c.attrs.(ir.RelativeAttrs)
	return relativeView{d, a, d.c.in[0].shape[0] / a.Batch, d.c.in[1].shape[0] / a.Batch, a.Heads * a.HeadDim}
}

// dot is the product of a head in a row of two inputs.
func (v relativeView) dot(x []float64, row int, y []float64, other, head int) (sum float64) {
	for i := range v.a.HeadDim {
		sum += x[row*v.width+head*v.a.HeadDim+i] * y[other*v.width+head*v.a.HeadDim+i]
	}
	return sum
}

// add adds factor times a head in a row of x to that of y.
func (v relativeView) add(y []float64, row int, x []float64, other, head int, factor float64) {
	for i := range v.a.HeadDim {
		y[row*v.width+head*v.a.HeadDim+i] += factor * x[other*v.width+head*v.a.HeadDim+i]
	}
}

// scores are those of one query, -inf where it does not see.
func (v relativeView) scores(b, h, t int) []float64 {
	x := make([]float64, v.s)
	for s := range x {
		distance := t + v.s - v.t - s
		if distance < 0 || v.a.Window > 0 && distance >= v.a.Window || v.d.ids(5) != nil && distance > int(v.d.ids(5)[b*v.t+t]) {
			x[s] = math.Inf(-1)
			continue
		}
		x[s] = float64(v.a.Scale) * (v.dot(v.d.in[0], b*v.t+t, v.d.in[1], b*v.s+s, h) + v.dot(v.d.in[3], b*v.t+t, v.d.in[4], v.s-1-distance, h))
	}
	return x
}

func (v relativeView) each(f func(b, h, t int)) {
	for b := range v.a.Batch {
		for h := range v.a.Heads {
			for t := range v.t {
				f(b, h, t)
			}
		}
	}
}

func defineRelativeAttention(d *definition) {
	v := d.relative()
	v.each(func(b, h, t int) {
		scores := v.scores(b, h, t)
		lse := logSumExp(scores)
		d.out[1][(b*v.a.Heads+h)*v.t+t] = lse
		for s, e := range scores {
			if !math.IsInf(e, -1) {
				v.add(d.out[0], b*v.t+t, d.in[2], b*v.s+s, h, math.Exp(e-lse))
			}
		}
	})
}

func defineRelativeAttentionBackward(d *definition) {
	v := d.relative()
	y, lse, dy := d.in[6], d.in[7], d.in[8]
	v.each(func(b, h, t int) {
		query := b*v.t + t
		sum := v.dot(dy, query, y, query, h)
		for s, e := range v.scores(b, h, t) {
			if math.IsInf(e, -1) {
				continue
			}
			key, distance := b*v.s+s, s+v.t-1-t
			p := math.Exp(e - lse[(b*v.a.Heads+h)*v.t+t])
			ds := p * (v.dot(dy, query, d.in[2], key, h) - sum) * float64(v.a.Scale)
			v.add(d.out[0], query, d.in[1], key, h, ds)
			v.add(d.out[1], key, d.in[0], query, h, ds)
			v.add(d.out[2], key, dy, query, h, p)
			v.add(d.out[3], query, d.in[4], distance, h, ds)
			v.add(d.out[4], distance, d.in[3], query, h, ds)
		}
	})
}

func defineRelativeAttentionCached(d *definition) {
	v := d.relative()
	capacity, window := d.c.in[5].shape[0]/v.a.Batch, v.a.Window
	for b := range v.a.Batch {
		start := int(d.ids(7)[b])
		for i, cache := range [][]float64{d.in[5], d.in[6]} {
			copy(cache[(b*capacity+start)*v.width:], d.in[1+i][b*v.t*v.width:(b+1)*v.t*v.width])
		}
		for h := range v.a.Heads {
			for t := range v.t {
				query, position := b*v.t+t, start+t
				var scores []float64
				var keys []int
				for distance := range window {
					key := position - distance
					if key < 0 {
						break
					}
					e := v.dot(d.in[3], query, d.in[4], window-1-distance, h) + v.dot(d.in[0], query, d.in[5], b*capacity+key, h)
					scores, keys = append(scores, float64(v.a.Scale)*e), append(keys, key)
				}
				lse := logSumExp(scores)
				for i, e := range scores {
					v.add(d.out[0], query, d.in[6], b*capacity+keys[i], h, math.Exp(e-lse))
				}
			}
		}
	}
}
