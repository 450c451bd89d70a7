package optim

import (
	"math"
	"strings"

	"gotrain/autograd"
	"gotrain/autograd/ir"
)

// Group tells how a parameter is treated.
type Group struct {
	Decay  bool // weight decay applies
	Matrix bool // a hidden weight matrix, which Muon orthogonalises
}

// Append adds to p the update of every parameter from its gradient, which of
// several ranks is the sum of theirs. With clipping or guard it measures the
// global norm first and returns it, (1); otherwise norm is nil. groups is keyed by
// parameter name. Updates of one kind follow each other, so that a back end can
// run them as one.
func Append(p *ir.Program, grads []autograd.Gradient, groups map[string]Group, cfg Config, guard bool, ranks int) (norm *ir.Value) {
	a := appender{p: p, cfg: cfg, hyper: p.NewValue(ir.Input, "hyper", ir.F32, ir.HyperLen)}
	if ranks > 1 {
		grads = a.reduce(grads)
	}
	if cfg.Clip > 0 || guard && !cfg.InBackward {
		norm = a.gradNorm(grads)
	}
	var matrices []autograd.Gradient
	for _, g := range grads {
		if group := groups[g.Param.Name]; cfg.Kind == "muon" && group.Matrix {
			matrices = append(matrices, g)
		} else {
			a.update(g, group)
		}
	}
	for _, g := range matrices {
		a.muon(g, groups[g.Param.Name])
	}
	if cfg.EMA > 0 {
		for _, g := range grads {
			a.emit(ir.EMA, ir.Attrs{Beta1: float32(cfg.EMA)}, []*ir.Value{a.state("ema", g), g.Param, a.clip})
		}
	}
	return norm
}

// UpdateProgram returns the program that updates from the gradients in state,
// for use after LowerTrain programs in the modes GradStore and GradAdd.
func UpdateProgram(params []*autograd.Node, groups map[string]Group, cfg Config, guard bool, ranks int) *ir.Program {
	p := &ir.Program{Name: "update"}
	var grads []autograd.Gradient
	for _, n := range params {
		grads = append(grads, autograd.Gradient{
			Param: p.NewValue(ir.State, n.Name(), ir.F32, n.Shape()...),
			Grad:  p.NewValue(ir.State, autograd.GradState(n.Name()), ir.F32, n.Shape()...),
		})
	}
	if norm := Append(p, grads, groups, cfg, guard, ranks); norm != nil {
		p.Outputs = append(p.Outputs, norm)
	}
	return p
}

type appender struct {
	p           *ir.Program
	cfg         Config
	hyper, clip *ir.Value
}

// reduce sums the gradients over the ranks. The sums start as soon as there is
// something to add (the planner moves them up) and are awaited together. Gradients
// in state are summed where they are.
func (a *appender) reduce(grads []autograd.Gradient) []autograd.Gradient {
	sums := make([]autograd.Gradient, len(grads))
	for i, g := range grads {
		sum := a.p.NewValue(g.Grad.Class, g.Grad.Name, ir.F32, g.Grad.Shape...)
		if sum.Class == ir.State {
			sum.Base = g.Grad
		}
		sums[i] = autograd.Gradient{Param: g.Param, Grad: sum}
		a.emit(ir.AllReduce, ir.Attrs{}, []*ir.Value{g.Grad}, sums[i].Grad)
	}
	for i, s := range sums {
		sums[i].Grad = a.p.NewValue(ir.Temp, "", ir.F32, s.Grad.Shape...)
		a.emit(ir.Await, ir.Attrs{}, []*ir.Value{s.Grad}, sums[i].Grad)
	}
	return sums
}

func (a *appender) gradNorm(grads []autograd.Gradient) *ir.Value {
	in := []*ir.Value{a.hyper}
	for _, g := range grads {
		in = append(in, g.Grad)
	}
	norm := a.p.NewValue(ir.Temp, "grad_norm", ir.F32, 1)
	a.clip = a.p.NewValue(ir.Temp, "clip", ir.F32, 1)
	a.emit(ir.GradNorm, ir.Attrs{MaxNorm: float32(a.cfg.Clip)}, in, norm, a.clip)
	return norm
}

func (a *appender) emit(kind ir.Kind, attrs ir.Attrs, in []*ir.Value, out ...*ir.Value) {
	a.p.Emit(&ir.Instr{Kind: kind, Attrs: attrs, In: in, Out: out, Path: "optimizer", Block: -1})
}

// state returns a new tensor of the optimizer for a parameter, of its shape.
func (a *appender) state(kind string, g autograd.Gradient) *ir.Value {
	return a.p.NewValue(ir.State, kind+"."+g.Param.Name, ir.F32, g.Param.Shape...)
}

// attrs are the constants of a parameter's update.
func (a *appender) attrs(group Group) ir.Attrs {
	c := a.cfg
	attrs := ir.Attrs{Beta1: float32(c.Betas[0]), Beta2: float32(c.Betas[1]), Eps: float32(c.Eps), LRScale: 1}
	if group.Decay {
		attrs.Decay = float32(c.WeightDecay)
	}
	return attrs
}

// update emits the update of a parameter by the configured kind, AdamW where that
// is Muon.
func (a *appender) update(g autograd.Gradient, group Group) {
	c, attrs := a.cfg, a.attrs(group)
	switch c.Kind {
	case "adamw", "muon":
		a.emit(ir.AdamW, attrs, []*ir.Value{g.Param, g.Grad, a.state("exp_avg", g), a.state("exp_avg_sq", g), a.hyper, a.clip})
	case "lion":
		a.emit(ir.Lion, attrs, []*ir.Value{g.Param, g.Grad, a.state("momentum", g), a.hyper, a.clip})
	case "sgd":
		attrs.Beta1, attrs.Nesterov = float32(c.Momentum), c.Nesterov
		var m *ir.Value
		if c.Momentum > 0 {
			m = a.state("momentum", g)
		}
		a.emit(ir.SGD, attrs, []*ir.Value{g.Param, g.Grad, m, a.hyper, a.clip})
	}
}

// muon emits the update of a hidden weight matrix.
func (a *appender) muon(g autograd.Gradient, group Group) {
	c, attrs := a.cfg, a.attrs(group)
	attrs.Beta1, attrs.Nesterov, attrs.NewtonSchulz = float32(c.Momentum), c.Nesterov, 5
	attrs.LRScale = float32(c.MatrixLR / c.LR)
	a.emit(ir.Muon, attrs, []*ir.Value{g.Param, g.Grad, a.state("momentum", g), a.hyper, a.clip})
}

// IsState tells whether a state of that name belongs to the optimizer.
func IsState(name string) bool {
	for _, prefix := range []string{"exp_avg.", "exp_avg_sq.", "momentum.", "ema."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
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
