package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

func defineLinearLogProb(d *definition) {
	n := d.c.in[0].shape[0]
	for r, t := range d.ids(2) {
		z := d.scaledLogits(r, d.c.attrs.(ir.LinearLogProbAttrs).Scale)
		if t < 0 {
			continue
		}
		lse := logSumExp(z)
		d.out[0][r] = z[t] - lse
		if d.out[1] != nil {
			d.out[1][r] = lse
		}
		if d.c.attrs.(ir.LinearLogProbAttrs).Entropy {
			d.out[0][n+r] = entropy(z)
		}
	}
}

// scaledLogits are those of row r.
func (d *definition) scaledLogits(r int, scale float32) []float64 {
	width, classes := d.cols(0), d.c.in[1].shape[0]
	z := d.product(d.in[0][r*width:][:width], d.in[1], false, true, 1, classes, width)
	for i := range z {
		z[i] *= float64(scale)
	}
	return z
}

func entropy(z []float64) (sum float64) {
	lse := logSumExp(z)
	for _, e := range z {
		sum -= math.Exp(e-lse) * (e - lse)
	}
	return sum
}

func defineLinearLogProbBackward(d *definition) {
	n, classes := d.c.in[0].shape[0], d.c.in[1].shape[0]
	a := d.c.attrs.(ir.LinearLogProbAttrs)
	grad := make([]float64, n*classes)
	for r, t := range d.ids(2) {
		if t < 0 {
			continue
		}
		z := d.scaledLogits(r, a.Scale)
		lse, h := logSumExp(z), entropy(z)
		for i, e := range z {
			p := math.Exp(e - lse)
			g := -d.in[3][r] * p
			if int32(i) == t {
				g += d.in[3][r]
			}
			if a.Entropy {
				g -= d.in[3][n+r] * p * (e - lse + h)
			}
			grad[r*classes+i] = float64(a.Scale) * g
		}
	}
	d.products(grad)
}

// products are the gradients by x and w of that of the logits, (N, V).
func (d *definition) products(grad []float64) {
	n, width, classes := d.c.in[0].shape[0], d.cols(0), d.c.in[1].shape[0]
	if d.out[0] != nil {
		copy(d.out[0], d.product(grad, d.in[1], false, false, n, width, classes))
	}
	if d.out[1] != nil {
		for i, e := range d.product(grad, d.in[0], true, false, classes, width, n) {
			d.out[1][i] = e + at(d.in[4], i)
		}
	}
}

// apply returns a function of Map and its slope by x.
func apply(a ir.MapAttrs, x, b float64) (y, slope float64) {
	half := func(first bool) float64 {
		switch {
		case x == b:
			return 0.5
		case first:
			return 1
		}
		return 0
	}
	lo, hi := float64(a.A), float64(a.B)
	switch a.Fn {
	case ir.Exp:
		return math.Exp(x), math.Exp(x)
	case ir.Log:
		return math.Log(x), 1 / x
	case ir.Sigmoid:
		return sigmoid(x), sigmoid(x) * (1 - sigmoid(x))
	case ir.LogSigmoid:
		return math.Log(sigmoid(x)), 1 - sigmoid(x)
	case ir.Log1mExp:
		return math.Log(1 - math.Exp(x)), -math.Exp(x) / (1 - math.Exp(x))
	case ir.Clip:
		if x < lo || x > hi {
			return min(max(x, lo), hi), 0
		}
		return x, 1
	case ir.Sign:
		if x == 0 {
			return 0, 0
		}
		return math.Copysign(1, x), 0
	case ir.Step:
		if x > 0 {
			return 1, 0
		}
		return 0, 0
	case ir.Min:
		return min(x, b), half(x < b)
	case ir.Max:
		return max(x, b), half(x > b)
	}
	return lo*x + hi, lo
}

func defineMap(d *definition) {
	for i, x := range d.in[0] {
		d.out[0][i], _ = apply(d.c.attrs.(ir.MapAttrs), x, at(d.in[1], i))
	}
}

func defineMapBackward(d *definition) {
	for i, x := range d.in[0] {
		_, slope := apply(d.c.attrs.(ir.MapAttrs), x, at(d.in[1], i))
		d.out[0][i] = d.in[2][i] * slope
	}
}

func defineSegmentSum(d *definition) {
	for n, s := range d.ids(1) {
		if s >= 0 {
			d.out[0][s] += d.in[0][n]
		}
	}
}

func defineSegmentBroadcast(d *definition) {
	for n, s := range d.ids(1) {
		if s >= 0 {
			d.out[0][n] = d.in[0][s]
		}
	}
}
