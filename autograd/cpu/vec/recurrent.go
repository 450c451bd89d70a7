package vec

import "math"

// LSTM applies the gates of one step of an LSTM (Hochreiter and Schmidhuber 1997) in
// place, i = σ(i), f = σ(f), n = tanh(n), o = σ(o), and sets c = f·c + i·n and
// h = o·tanh(c). All have the length of i.
func (v *Impl) LSTM(i, f, n, o, c, h []float32) {
	size := len(i)
	v.lstm(i, f[:size], n[:size], o[:size], c[:size], h[:size])
}

// LSTMBackward is the gradient of LSTM: of the gates, which it turns in place into the
// gradients of what they were applied to, and of the cell before, into which it turns
// dc. c and before are the cells after and before the step; dh and dc are the gradients
// of what the step gave.
func (v *Impl) LSTMBackward(i, f, n, o, c, before, dh, dc []float32) {
	size := len(i)
	v.lstmBackward(i, f[:size], n[:size], o[:size], c[:size], before[:size], dh[:size], dc[:size])
}

// GRU applies the gates of one step of a gated recurrent unit (Cho et al. 2014), as
// torch.nn.GRU has it: r = σ(r) and z = σ(z) in place, n = tanh(x + r·q), where q is what
// the state adds to the new value, and h = (1 - z)·n + z·h. n may be x.
func (v *Impl) GRU(r, z, n, x, q, h []float32) {
	size := len(r)
	v.gru(r, z[:size], n[:size], x[:size], q[:size], h[:size])
}

// GRUBackward is the gradient of GRU: it turns the gates in place into the gradients of
// what they were applied to, sets dq and turns dh into its part z·dh of the gradient of
// the state before the step, which is before.
func (v *Impl) GRUBackward(r, z, n, q, before, dh, dq []float32) {
	size := len(r)
	v.gruBackward(r, z[:size], n[:size], q[:size], before[:size], dh[:size], dq[:size])
}

func lstmGeneric(i, f, n, o, c, h []float32) {
	for k := range i {
		in, forget, out := sigmoid(float64(i[k])), sigmoid(float64(f[k])), sigmoid(float64(o[k]))
		new := math.Tanh(float64(n[k]))
		cell := forget*float64(c[k]) + in*new
		i[k], f[k], n[k], o[k] = float32(in), float32(forget), float32(new), float32(out)
		c[k], h[k] = float32(cell), float32(out*math.Tanh(cell))
	}
}

func lstmBackwardGeneric(i, f, n, o, c, before, dh, dc []float32) {
	for k := range i {
		in, forget, new, out := float64(i[k]), float64(f[k]), float64(n[k]), float64(o[k])
		t, d := math.Tanh(float64(c[k])), float64(dh[k])
		dCell := float64(dc[k]) + d*out*(1-t*t)
		o[k] = float32(d * t * out * (1 - out))
		i[k] = float32(dCell * new * in * (1 - in))
		n[k] = float32(dCell * in * (1 - new*new))
		f[k] = float32(dCell * float64(before[k]) * forget * (1 - forget))
		dc[k] = float32(dCell * forget)
	}
}

func gruGeneric(r, z, n, x, q, h []float32) {
	for k := range r {
		reset, keep := sigmoid(float64(r[k])), sigmoid(float64(z[k]))
		new := math.Tanh(float64(x[k]) + reset*float64(q[k]))
		r[k], z[k], n[k] = float32(reset), float32(keep), float32(new)
		h[k] = float32((1-keep)*new + keep*float64(h[k]))
	}
}

func gruBackwardGeneric(r, z, n, q, before, dh, dq []float32) {
	for k := range r {
		reset, keep, new, d := float64(r[k]), float64(z[k]), float64(n[k]), float64(dh[k])
		dNew := d * (1 - keep) * (1 - new*new)
		z[k] = float32(d * (float64(before[k]) - new) * keep * (1 - keep))
		n[k] = float32(dNew)
		r[k] = float32(dNew * float64(q[k]) * reset * (1 - reset))
		dq[k] = float32(dNew * reset)
		dh[k] = float32(d * keep)
	}
}
