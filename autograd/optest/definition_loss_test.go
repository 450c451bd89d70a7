package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

func defineSoftmax(d *definition) {
	w := d.cols(0)
	for i, x := range d.in[0] {
		d.out[0][i] = math.Exp(x - logSumExp(d.in[0][i/w*w:][:w]))
	}
}

func defineSoftmaxBackward(d *definition) {
	w := d.cols(0)
	for i, y := range d.in[0] {
		var sum float64
		for j := i / w * w; j < i/w*w+w; j++ {
			sum += d.in[0][j] * d.in[1][j]
		}
		d.out[0][i] = y * (d.in[1][i] - sum)
	}
}

// classify returns loss, nll and lse of one row of logits and adds the gradient
// of scale·loss to grad.
func (d *definition) classify(z []float64, target int32, scale float64, grad []float64) (loss, nll, lse float64) {
	if target < 0 {
		return 0, 0, 0
	}
	a, ok := d.c.attrs.(ir.LossAttrs)
	if !ok {
		a = d.c.attrs.(ir.LinearCrossEntropyAttrs).LossAttrs
	}
	smoothing, zLoss, classes := float64(a.Smoothing), float64(a.ZLoss), float64(len(z))
	lse = logSumExp(z)
	nll = lse - z[target]
	var mean float64
	for i, e := range z {
		mean += e / classes
		if grad != nil {
			grad[i] += scale * (math.Exp(e-lse)*(1+2*zLoss*lse) - smoothing/classes)
		}
	}
	if grad != nil {
		grad[target] -= scale * (1 - smoothing)
	}
	return (1-smoothing)*nll + smoothing*(lse-mean) + zLoss*lse*lse, nll, lse
}

func defineCrossEntropy(d *definition) {
	w := d.cols(0)
	for r := range d.out[1] {
		var loss float64
		loss, d.out[1][r], d.out[2][r] = d.classify(d.in[0][r*w:][:w], d.ids(1)[r], 0, nil)
		d.out[0][0] += d.in[2][0] * loss
	}
}

func defineCrossEntropyBackward(d *definition) {
	w := d.cols(0)
	for r, target := range d.ids(1) {
		d.classify(d.in[0][r*w:][:w], target, d.in[2][0]*d.in[4][0], d.out[0][r*w:][:w])
	}
}

func defineLinearCrossEntropy(d *definition) {
	n, width, classes := d.c.in[0].shape[0], d.cols(0), d.c.in[1].shape[0]
	z := d.product(d.in[0], d.in[1], false, true, n, classes, width)
	grad := make([]float64, n*classes)
	for r := range n {
		var loss float64
		loss, d.out[1][r], _ = d.classify(z[r*classes:][:classes], d.ids(2)[r], d.in[3][0], grad[r*classes:][:classes])
		d.out[0][0] += d.in[3][0] * loss
	}
	if d.out[2] != nil {
		copy(d.out[2], d.product(grad, d.in[1], false, false, n, width, classes))
	}
	if d.out[3] != nil {
		for i, e := range d.product(grad, d.in[0], true, false, classes, width, n) {
			d.out[3][i] = e + at(d.in[4], i)
		}
	}
}

func defineMSE(d *definition) {
	for i, x := range d.in[0] {
		e := x - d.in[1][i]
		d.out[0][0] += e * e / float64(len(d.in[0]))
	}
}

func defineMSEBackward(d *definition) {
	for i, x := range d.in[0] {
		d.out[0][i] = 2 * (x - d.in[1][i]) / float64(len(d.in[0])) * d.in[2][0]
	}
}

// defineSumSquares leaves out that the sum is in two parts: the second is below
// the tolerance.
func defineSumSquares(d *definition) {
	for _, g := range d.in {
		for _, e := range g {
			d.out[0][2*d.c.attrs.(ir.RootAttrs).Root] += e * e
		}
	}
}

func defineGradNorm(d *definition) {
	var squares float64
	for _, s := range d.in[1] {
		squares += s
	}
	norm, limit, most := math.Sqrt(squares), d.in[0][ir.NormLimit], float64(d.c.attrs.(ir.GradNormAttrs).MaxNorm)
	clip := 1.0
	if most > 0 {
		clip = min(1, most/(norm+1e-6))
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) || limit > 0 && norm > limit {
		clip = math.NaN()
	}
	d.out[0][0], d.out[1][0] = norm, clip
}

// step is one optimizer step: its gradient and constants as float64.
type step struct {
	g                       []float64
	lr, beta1, beta2, decay float64
	skip                    bool
}

// step reads the gradient, clip and hyper inputs at those positions.
func (d *definition) step(g, hyper, clip int, lrScale, beta1, beta2, decay float32) step {
	s := step{lr: float64(lrScale) * d.in[hyper][ir.LR], beta1: float64(beta1), beta2: float64(beta2), decay: float64(decay)}
	factor := 1.0
	if d.in[clip] != nil {
		factor = d.in[clip][0]
		s.skip = math.IsNaN(factor)
	}
	for _, e := range d.in[g] {
		s.g = append(s.g, factor*e)
	}
	return s
}

func defineAdamW(d *definition) {
	a := d.c.attrs.(ir.AdamWAttrs)
	s := d.step(1, 4, 5, a.LRScale, a.Beta1, a.Beta2, a.Decay)
	if s.skip {
		return
	}
	p, m, v := d.in[0], d.in[2], d.in[3]
	for i, g := range s.g {
		m[i] = s.beta1*m[i] + (1-s.beta1)*g
		v[i] = s.beta2*v[i] + (1-s.beta2)*g*g
		p[i] -= s.lr * (s.decay*p[i] + m[i]/d.in[4][ir.BC1]/(math.Sqrt(v[i]/d.in[4][ir.BC2])+float64(a.Eps)))
	}
}

func defineSGD(d *definition) {
	a := d.c.attrs.(ir.SGDAttrs)
	s := d.step(1, 3, 4, a.LRScale, a.Beta1, 0, a.Decay)
	if s.skip {
		return
	}
	p, m := d.in[0], d.in[2]
	for i, g := range s.g {
		g += s.decay * p[i]
		if m != nil {
			if d.in[3][ir.First] == 1 {
				m[i] = 0
			}
			m[i] = s.beta1*m[i] + g
			if a.Nesterov {
				g += s.beta1 * m[i]
			} else {
				g = m[i]
			}
		}
		p[i] -= s.lr * g
	}
}

func defineLion(d *definition) {
	a := d.c.attrs.(ir.LionAttrs)
	s := d.step(1, 3, 4, a.LRScale, a.Beta1, a.Beta2, a.Decay)
	if s.skip {
		return
	}
	p, m := d.in[0], d.in[2]
	for i, g := range s.g {
		u := s.beta1*m[i] + (1-s.beta1)*g
		sign := 0.0
		if u != 0 {
			sign = math.Copysign(1, u)
		}
		p[i] -= s.lr * (s.decay*p[i] + sign)
		m[i] = s.beta2*m[i] + (1-s.beta2)*g
	}
}

func defineMuon(d *definition) {
	a := d.c.attrs.(ir.MuonAttrs)
	s := d.step(1, 3, 4, a.LRScale, a.Beta1, 0, a.Decay)
	if s.skip {
		return
	}
	rows, cols := d.c.in[0].shape.Rows(), d.c.in[0].shape.Cols()
	p, m := d.in[0], d.in[2]
	u := make([]float64, len(p))
	var squares float64
	for i, g := range s.g {
		m[i] = s.beta1*m[i] + g
		u[i] = m[i]
		if a.Nesterov {
			u[i] = g + s.beta1*m[i]
		}
		squares += u[i] * u[i]
	}
	for i := range u {
		u[i] /= math.Sqrt(squares) + 1e-7
	}
	tall := rows > cols
	side := min(rows, cols)
	for range a.NewtonSchulz {
		gram := d.product(u, u, tall, !tall, side, side, max(rows, cols))
		poly := d.product(gram, gram, false, false, side, side, side)
		for i := range poly {
			poly[i] = -4.7750*gram[i] + 2.0315*poly[i]
			if i/side == i%side {
				poly[i] += 3.4445
			}
		}
		if tall {
			u = d.product(u, poly, false, false, rows, cols, cols)
		} else {
			u = d.product(poly, u, false, false, rows, cols, rows)
		}
	}
	for i := range p {
		p[i] = (1-s.lr*s.decay)*p[i] - s.lr*math.Sqrt(max(1, float64(rows)/float64(cols)))*u[i]
	}
}

func defineAssign(d *definition) {
	for i, x := range d.in[1] {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			d.in[0][i] = x
		}
	}
}

func defineEMA(d *definition) {
	if clip := d.in[2]; clip != nil && math.IsNaN(clip[0]) {
		return
	}
	beta := float64(d.c.attrs.(ir.EMAAttrs).Beta1)
	for i, p := range d.in[1] {
		d.in[0][i] = beta*d.in[0][i] + (1-beta)*p
	}
}
