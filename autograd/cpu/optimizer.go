package cpu

import (
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/ir"
)

// clipOf returns the factor of the gradients and whether the step is to be
// made; an absent clip means 1.
func clipOf(clip []float32) (factor float32, apply bool) {
	if clip == nil {
		return 1, true
	}
	return clip[0], clip[0] == clip[0]
}

// stepping returns a function that runs step over ranges of the parameter's
// elements unless clip says to skip, and rounds them to their copy where there is one.
func (c *call) stepping(clip, p []float32, step func(lo, hi int, factor float32)) func() {
	copied := c.copied()
	all := c.split(len(p), streamGrain, func(lo, hi, _ int) {
		factor, _ := clipOf(clip)
		step(lo, hi, factor)
		if copied != nil {
			c.vec.ToBF16(copied[lo:hi], p[lo:hi])
		}
	})
	return func() {
		if _, apply := clipOf(clip); apply {
			all()
		}
	}
}

// copied is the copy of the parameter, nil where the update has none.
func (c *call) copied() []vec.BF16 {
	position := ir.Kinds[c.Kind].Copy
	if position == 0 || c.In[position] == nil {
		return nil
	}
	return view[vec.BF16](c.args.In[position])
}

func bindAdamW(c *call) func() {
	p, g, m1, m2, hyper, clip := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4), c.x(5)
	a, v := c.Attrs.(ir.AdamWAttrs), c.vec
	h, scale := vec.AdamW{Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, WeightDecay: a.Decay}, a.LRScale
	return c.stepping(clip, p, func(lo, hi int, factor float32) {
		h := h
		h.LR, h.BC1, h.BC2, h.GradScale = hyper[ir.LR]*scale, hyper[ir.BC1], hyper[ir.BC2], factor
		v.AdamWStep(p[lo:hi], g[lo:hi], m1[lo:hi], m2[lo:hi], h)
	})
}

func bindSGD(c *call) func() {
	p, g, m, hyper, clip := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4)
	a, v := c.Attrs.(ir.SGDAttrs), c.vec
	h, scale := vec.SGD{Momentum: a.Beta1, WeightDecay: a.Decay, Nesterov: a.Nesterov}, a.LRScale
	if m == nil {
		h.Momentum = 0
	}
	return c.stepping(clip, p, func(lo, hi int, factor float32) {
		h := h
		h.LR, h.GradScale = hyper[ir.LR]*scale, factor
		buf := part(m, lo, hi)
		if hyper[ir.First] == 1 {
			clear(buf)
		}
		v.SGDStep(p[lo:hi], g[lo:hi], buf, h)
	})
}

func bindLion(c *call) func() {
	p, g, m, hyper, clip := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4)
	a, v := c.Attrs.(ir.LionAttrs), c.vec
	h, scale := vec.Lion{Beta1: a.Beta1, Beta2: a.Beta2, WeightDecay: a.Decay}, a.LRScale
	return c.stepping(clip, p, func(lo, hi int, factor float32) {
		h := h
		h.LR, h.GradScale = hyper[ir.LR]*scale, factor
		v.LionStep(p[lo:hi], g[lo:hi], m[lo:hi], h)
	})
}

func bindEMA(c *call) func() {
	ema, p, clip := c.x(0), c.x(1), c.x(2)
	v, decay := c.vec, c.Attrs.(ir.EMAAttrs).Beta1
	return c.stepping(clip, p, func(lo, hi int, _ float32) { v.EMA(ema[lo:hi], p[lo:hi], decay) })
}
