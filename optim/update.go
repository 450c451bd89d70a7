package optim

import (
	"cmp"
	"math"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Rule tells how a parameter is updated.
type Rule struct {
	Decay  bool // weight decay applies
	Matrix bool // a hidden weight matrix, which Muon orthogonalises
}

// Append adds to p the update of every parameter from its gradient. With clipping or
// guard it measures the global norm first and returns it, (1); otherwise norm is nil.
// rules is keyed by parameter name. Updates of one kind follow each other, so that a
// back end can run them as one. The planner makes of it the program of a rank.
func Append(p *ir.Program, grads []autograd.Gradient, rules map[string]Rule, cfg Config, guard bool) (norm *ir.Value) {
	a := appender{p: p, cfg: cfg, rules: rules, hyper: p.NewValue(ir.Input, "hyper", ir.F32, ir.HyperLen)}
	if cfg.Clip > 0 || guard && !cfg.InBackward {
		norm = a.gradNorm(grads)
	}
	a.update(grads)
	return norm
}

type appender struct {
	p           *ir.Program
	cfg         Config
	rules       map[string]Rule
	hyper, clip *ir.Value
}

// gradNorm measures the norm of all gradients.
func (a *appender) gradNorm(grads []autograd.Gradient) *ir.Value {
	all := make([]*ir.Value, len(grads))
	for i, g := range grads {
		all[i] = g.Grad
	}
	squares := a.p.NewValue(ir.Temp, "squares", ir.F32, 1, 2)
	a.emit(ir.SumSquares, ir.RootAttrs{}, all, squares)
	norm := a.p.NewValue(ir.Temp, "grad_norm", ir.F32, 1)
	a.clip = a.p.NewValue(ir.Temp, "clip", ir.F32, 1)
	a.emit(ir.GradNorm, ir.GradNormAttrs{MaxNorm: float32(a.cfg.Clip)}, []*ir.Value{a.hyper, squares}, norm, a.clip)
	return norm
}

func (a *appender) emit(kind ir.Kind, attrs ir.Attrs, in []*ir.Value, out ...*ir.Value) {
	a.p.Emit(&ir.Instr{Kind: kind, Attrs: attrs, In: in, Out: out, Path: "optimizer", Block: -1})
}

// update emits the updates of parameters, those of one kind one after the other,
// and then of their averages.
func (a *appender) update(grads []autograd.Gradient) {
	kind := func(g autograd.Gradient) string { return a.cfg.kind(a.rules[g.Param.Name]) }
	sorted := slices.Clone(grads)
	slices.SortStableFunc(sorted, func(a, b autograd.Gradient) int { return cmp.Compare(kind(a), kind(b)) })
	for _, g := range sorted {
		a.updateBy(kind(g), g)
	}
	if a.cfg.EMA > 0 {
		for _, g := range grads {
			a.emit(ir.EMA, ir.EMAAttrs{Beta1: float32(a.cfg.EMA)}, []*ir.Value{a.state(g, ema), g.Param, a.clip})
		}
	}
}

// updateBy emits the update of a parameter by a kind of optimizer.
func (a *appender) updateBy(kind string, g autograd.Gradient) {
	c, decay := a.cfg, float32(0)
	if a.rules[g.Param.Name].Decay {
		decay = float32(c.WeightDecay)
	}
	beta1, beta2 := float32(c.Betas[0]), float32(c.Betas[1])
	switch kind {
	case "adamw":
		a.emit(ir.AdamW, ir.AdamWAttrs{Beta1: beta1, Beta2: beta2, Eps: float32(c.Eps), Decay: decay, LRScale: 1},
			[]*ir.Value{g.Param, g.Grad, a.state(g, expAvg), a.state(g, expAvgSq), a.hyper, a.clip, nil})
	case "lion":
		a.emit(ir.Lion, ir.LionAttrs{Beta1: beta1, Beta2: beta2, Decay: decay, LRScale: 1},
			[]*ir.Value{g.Param, g.Grad, a.state(g, momentum), a.hyper, a.clip, nil})
	case "sgd":
		a.emit(ir.SGD, ir.SGDAttrs{Beta1: float32(c.Momentum), Decay: decay, LRScale: 1, Nesterov: c.Nesterov},
			[]*ir.Value{g.Param, g.Grad, a.state(g, momentum), a.hyper, a.clip, nil})
	case "muon":
		a.emit(ir.Muon, ir.MuonAttrs{Beta1: float32(c.Momentum), Decay: decay, LRScale: float32(c.MatrixLR / c.LR), Nesterov: c.Nesterov, NewtonSchulz: 5},
			[]*ir.Value{g.Param, g.Grad, a.state(g, momentum), a.hyper, a.clip, nil})
	}
}

// state returns a new tensor of the optimizer for a parameter, of its shape, or nil
// where it has no state of that name.
func (a *appender) state(g autograd.Gradient, name string) *ir.Value {
	if !slices.Contains(a.cfg.states(a.rules[g.Param.Name]), name) {
		return nil
	}
	return a.p.NewValue(ir.State, name+"."+g.Param.Name, ir.F32, g.Param.Shape...)
}

// Hyper returns the constants of an update: step counts schedule steps from 0,
// applied counts the updates that were really made before, from 0 (skipped
// steps do not advance the bias corrections); normLimit skips the update when
// the gradient norm exceeds it (0: no limit).
func (c Config) Hyper(step, total, applied int, normLimit float64) [ir.HyperLen]float32 {
	var h [ir.HyperLen]float32
	h[ir.LR] = float32(c.LR * c.LRFraction(step, total))
	h[ir.BC1] = float32(1 - math.Pow(c.Betas[0], float64(applied+1)))
	h[ir.BC2] = float32(1 - math.Pow(c.Betas[1], float64(applied+1)))
	h[ir.NormLimit] = float32(normLimit)
	if applied == 0 {
		h[ir.First] = 1
	}
	return h
}
