package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// recurrentView reads a Recurrent or one of its kin.
type recurrentView struct {
	*definition
	ir.RecurrentAttrs
	tokens, hidden, state, gates int // T, H, P, G·H
	w, wr                        []float64
	segments                     []int32
}

func (d *definition) recurrent(x, w, wr, segments int) recurrentView {
	a, shape := d.c.attrs.(ir.RecurrentAttrs), d.c.in[w].shape
	v := recurrentView{definition: d, RecurrentAttrs: a, tokens: d.c.in[x].shape[0] / a.Batch,
		gates: shape[0], hidden: shape[0] / a.Cell.Gates(), state: shape[1], w: d.operands(d.in[w]), wr: d.operands(d.in[wr])}
	if segments >= 0 {
		v.segments = d.ids(segments)
	}
	return v
}

// row is that of step s of sequence b.
func (v recurrentView) row(b, s int) int {
	if v.Reverse {
		s = v.tokens - 1 - s
	}
	return b*v.tokens + s
}

// anew tells whether sequence b begins with 0 at step s.
func (v recurrentView) anew(b, s int) bool {
	return s > 0 && v.segments != nil && v.segments[v.row(b, s)] != v.segments[v.row(b, s-1)]
}

// step is one step of a sequence: h and c are its states, which it changes. It returns the
// gates after their functions, and what the cell keeps.
func (v recurrentView) step(x, bias, h, c []float64) (gates, cell []float64) {
	n, g := v.hidden, make([]float64, v.gates)
	operand := v.operands(h)
	for j := range g {
		g[j] = at(bias, j)
		for k, e := range operand {
			g[j] += v.w[j*v.state+k] * e
		}
	}
	gates, cell = make([]float64, v.gates), make([]float64, n)
	out := make([]float64, n)
	for j := range n {
		if v.Cell == ir.GRU {
			r, z := sigmoid(x[j]+g[j]), sigmoid(x[n+j]+g[n+j])
			cell[j] = g[2*n+j]
			new := math.Tanh(x[2*n+j] + r*cell[j])
			gates[j], gates[n+j], gates[2*n+j] = r, z, new
			out[j] = (1-z)*new + z*h[j]
			continue
		}
		i, f, o := sigmoid(x[j]+g[j]), sigmoid(x[n+j]+g[n+j]), sigmoid(x[3*n+j]+g[3*n+j])
		new := math.Tanh(x[2*n+j] + g[2*n+j])
		gates[j], gates[n+j], gates[2*n+j], gates[3*n+j] = i, f, new, o
		c[j] = f*c[j] + i*new
		cell[j], out[j] = c[j], o*math.Tanh(c[j])
	}
	copy(h, v.project(out))
	return gates, cell
}

// project returns wr·h, h without a projection.
func (v recurrentView) project(h []float64) []float64 {
	if len(v.wr) == 0 {
		return h
	}
	h = v.operands(h)
	y := make([]float64, v.state)
	for p := range y {
		for j, e := range h {
			y[p] += v.wr[p*v.hidden+j] * e
		}
	}
	return y
}

func defineRecurrent(d *definition) {
	v := d.recurrent(0, 1, 3, 6)
	for b := range v.Batch {
		h, c := make([]float64, v.state), make([]float64, v.hidden)
		if d.in[4] != nil {
			copy(h, d.in[4][b*v.state:])
		}
		if d.in[5] != nil {
			copy(c, d.in[5][b*v.hidden:])
		}
		for s := range v.tokens {
			if v.anew(b, s) {
				clear(h)
				clear(c)
			}
			row := v.row(b, s)
			gates, cell := v.step(d.in[0][row*v.gates:][:v.gates], d.in[2], h, c)
			copy(d.out[0][row*v.state:], h)
			if d.out[1] != nil {
				copy(d.out[1][row*v.gates:], gates)
			}
			if d.out[2] != nil {
				copy(d.out[2][row*v.hidden:], cell)
			}
		}
	}
}

func defineRecurrentCached(d *definition) {
	v := d.recurrent(0, 1, 3, -1)
	capacity := d.c.in[4].shape[0] / v.Batch
	for b := range v.Batch {
		at := b*capacity + int(d.ids(6)[b])
		h, c := make([]float64, v.state), make([]float64, v.hidden)
		if d.ids(6)[b] > 0 {
			copy(h, d.in[4][(at-1)*v.state:])
			if d.in[5] != nil {
				copy(c, d.in[5][(at-1)*v.hidden:])
			}
		}
		for s := range v.tokens {
			row := b*v.tokens + s
			v.step(d.in[0][row*v.gates:][:v.gates], d.in[2], h, c)
			copy(d.out[0][row*v.state:], h)
			copy(d.in[4][(at+s)*v.state:], h)
			if d.in[5] != nil {
				copy(d.in[5][(at+s)*v.hidden:], c)
			}
		}
	}
}

func defineRecurrentBackward(d *definition) {
	v := d.recurrent(5, 0, 1, 4)
	set := func(out, at int, x []float64) {
		if d.out[out] != nil {
			copy(d.out[out][at:], x)
		}
	}
	for b := range v.Batch {
		dh, dc := make([]float64, v.state), make([]float64, v.hidden) // from the steps behind
		for s := v.tokens - 1; s >= 0; s-- {
			row := v.row(b, s)
			for p := range dh {
				dh[p] += d.in[8][row*v.state+p]
			}
			set(3, row*v.state, dh)
			before, cellBefore := v.before(b, s)
			set(2, row*v.state, before)
			dx, dg := v.stepBack(row, dh, dc, before, cellBefore)
			copy(d.out[0][row*v.gates:], dx)
			set(1, row*v.gates, dg)
			if d.out[4] != nil {
				for j := range v.hidden {
					d.out[4][row*v.hidden+j] = d.in[5][row*v.gates+3*v.hidden+j] * math.Tanh(d.in[6][row*v.hidden+j])
				}
			}
			if v.anew(b, s) {
				clear(dh)
				clear(dc)
			}
		}
		set(5, b*v.state, dh)
		set(6, b*v.hidden, dc)
	}
}

// before returns the states from which a step went on.
func (v recurrentView) before(b, s int) (h, c []float64) {
	h, c = make([]float64, v.state), make([]float64, v.hidden)
	switch {
	case v.anew(b, s):
	case s > 0:
		copy(h, v.in[7][v.row(b, s-1)*v.state:])
		copy(c, v.in[6][v.row(b, s-1)*v.hidden:])
	default:
		if v.in[2] != nil {
			copy(h, v.in[2][b*v.state:])
		}
		if v.in[3] != nil {
			copy(c, v.in[3][b*v.hidden:])
		}
	}
	return h, c
}

// stepBack returns the gradients of both parts of the gates of a row, and turns dh and dc
// into those of the states before.
func (v recurrentView) stepBack(row int, dh, dc, before, cellBefore []float64) (dx, dg []float64) {
	n := v.hidden
	gates, cell := v.in[5][row*v.gates:][:v.gates], v.in[6][row*n:][:n]
	full := dh
	if len(v.wr) > 0 {
		full = make([]float64, n)
		for p, e := range v.operands(dh) {
			for j := range n {
				full[j] += v.wr[p*n+j] * e
			}
		}
	}
	dx, dg = make([]float64, v.gates), make([]float64, v.gates)
	keep := make([]float64, v.state)
	for j, d := range full {
		if v.Cell == ir.GRU {
			r, z, new := gates[j], gates[n+j], gates[2*n+j]
			dx[2*n+j] = d * (1 - z) * (1 - new*new)
			dx[n+j] = d * (before[j] - new) * z * (1 - z)
			dx[j] = dx[2*n+j] * cell[j] * r * (1 - r)
			dg[j], dg[n+j], dg[2*n+j] = dx[j], dx[n+j], dx[2*n+j]*r
			keep[j] = d * z
			continue
		}
		i, f, new, o, t := gates[j], gates[n+j], gates[2*n+j], gates[3*n+j], math.Tanh(cell[j])
		dc[j] += d * o * (1 - t*t)
		dx[3*n+j] = d * t * o * (1 - o)
		dx[j] = dc[j] * new * i * (1 - i)
		dx[2*n+j] = dc[j] * i * (1 - new*new)
		dx[n+j] = dc[j] * cellBefore[j] * f * (1 - f)
		dc[j] *= f
	}
	if v.Cell == ir.LSTM {
		copy(dg, dx)
	}
	copy(dh, keep)
	for g, e := range v.operands(dg) {
		for p := range dh {
			dh[p] += v.w[g*v.state+p] * e
		}
	}
	return dx, dg
}
