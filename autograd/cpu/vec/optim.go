package vec

import "math"

// AdamW holds the constants of one step of AdamW (Loshchilov and Hutter 2019)
// as torch.optim.AdamW computes it.
type AdamW struct {
	LR, Beta1, Beta2, Eps float32
	WeightDecay           float32 // decoupled: p -= LR·WeightDecay·p
	BC1, BC2              float32 // bias corrections 1-Beta1ᵗ and 1-Beta2ᵗ, t from 1
	GradScale             float32 // multiplies g first (clipping, loss scale)
}

// AdamWStep updates p, m1 and m2 in place and in one pass over memory:
//
//	g ← GradScale·g
//	p ← p·(1 - LR·WeightDecay)
//	m1 ← m1 + (1-Beta1)·(g - m1)
//	m2 ← Beta2·m2 + (1-Beta2)·g²
//	p ← p - LR/BC1 · m1/(√m2/√BC2 + Eps)
func (v *Impl) AdamWStep(p, g, m1, m2 []float32, h AdamW) {
	n := len(p)
	c := adamWConst{
		gradScale: h.GradScale,
		decay:     float32(1 - float64(h.LR)*float64(h.WeightDecay)),
		oneMinus1: float32(1 - float64(h.Beta1)),
		beta2:     h.Beta2,
		oneMinus2: float32(1 - float64(h.Beta2)),
		rootBC2:   float32(1 / math.Sqrt(float64(h.BC2))),
		eps:       h.Eps,
		step:      float32(-float64(h.LR) / float64(h.BC1)),
	}
	v.adamW(p, g[:n], m1[:n], m2[:n], c)
}

// adamWConst are AdamW's per-step constants.
type adamWConst struct {
	gradScale, decay, oneMinus1, beta2, oneMinus2 float32
	rootBC2                                       float32 // 1/√BC2
	eps                                           float32
	step                                          float32 // -LR/BC1
}

// SGD holds the constants of one step of torch.optim.SGD (dampening 0).
type SGD struct {
	LR, Momentum float32
	WeightDecay  float32 // L2 penalty: added to the gradient
	GradScale    float32 // multiplies g first
	Nesterov     bool
}

// SGDStep updates p and the momentum buffer in place:
//
//	g   ← GradScale·g + WeightDecay·p
//	buf ← Momentum·buf + g
//	p   ← p - LR·(buf, or g + Momentum·buf with Nesterov)
//
// buf starts as zeros; it may be nil when Momentum is 0, and then p ← p - LR·g.
func (v *Impl) SGDStep(p, g, buf []float32, h SGD) {
	n := len(p)
	if h.Momentum == 0 {
		buf = nil
	} else {
		buf = buf[:n]
	}
	v.sgd(p, g[:n], buf, h)
}

// Lion holds the constants of one step of Lion (Chen et al. 2023).
type Lion struct {
	LR, Beta1, Beta2 float32
	WeightDecay      float32 // decoupled
	GradScale        float32 // multiplies g first
}

// LionStep updates p and m in place:
//
//	g ← GradScale·g
//	p ← p·(1 - LR·WeightDecay) - LR·sign(Beta1·m + (1-Beta1)·g)
//	m ← Beta2·m + (1-Beta2)·g
func (v *Impl) LionStep(p, g, m []float32, h Lion) {
	n := len(p)
	v.lion(p, g[:n], m[:n], h)
}

// EMA sets avg = decay·avg + (1-decay)·p, an exponential moving average of
// parameters.
func (v *Impl) EMA(avg, p []float32, decay float32) { v.ema(avg, p[:len(avg)], decay) }

func adamWGeneric(p, g, m, v []float32, c adamWConst) {
	for i := range p {
		gi := c.gradScale * g[i]
		mi := m[i] + c.oneMinus1*(gi-m[i])
		vi := c.beta2*v[i] + c.oneMinus2*gi*gi
		m[i], v[i] = mi, vi
		denom := float32(math.Sqrt(float64(vi)))*c.rootBC2 + c.eps
		p[i] = p[i]*c.decay + c.step*(mi/denom)
	}
}

func sgdGeneric(p, g, buf []float32, h SGD) {
	for i := range p {
		d := h.GradScale*g[i] + h.WeightDecay*p[i]
		if buf != nil {
			buf[i] = h.Momentum*buf[i] + d
			if h.Nesterov {
				d += h.Momentum * buf[i]
			} else {
				d = buf[i]
			}
		}
		p[i] -= h.LR * d
	}
}

func lionGeneric(p, g, m []float32, h Lion) {
	decay := float32(1 - float64(h.LR)*float64(h.WeightDecay))
	for i := range p {
		gi := h.GradScale * g[i]
		u := h.Beta1*m[i] + (1-h.Beta1)*gi
		step := h.LR
		switch {
		case u < 0:
			step = -h.LR
		case u == 0:
			step = 0
		}
		p[i] = p[i]*decay - step
		m[i] = h.Beta2*m[i] + (1-h.Beta2)*gi
	}
}

func emaGeneric(avg, p []float32, decay float32) {
	for i := range avg {
		avg[i] = decay*avg[i] + (1-decay)*p[i]
	}
}
