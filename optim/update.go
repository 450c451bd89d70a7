package optim

import (
	"cmp"
	"math"
	"slices"

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
func Append(p *ir.Program, grads []autograd.Gradient, groups map[string]Group, cfg Config, guard bool, ranks Ranks) (norm *ir.Value) {
	a := appender{p: p, cfg: cfg, groups: groups, ranks: ranks, hyper: p.NewValue(ir.Input, "hyper", ir.F32, ir.HyperLen)}
	if ranks.Size > 1 {
		grads = a.reduce(grads)
	}
	if cfg.Clip > 0 || guard && !cfg.InBackward {
		norm = a.gradNorm(grads)
	}
	if ranks.Owner != nil {
		a.updateOwned(grads)
	} else {
		a.update(grads)
	}
	return norm
}

type appender struct {
	p           *ir.Program
	cfg         Config
	groups      map[string]Group
	ranks       Ranks
	hyper, clip *ir.Value
}

// reduce sums the gradients over the ranks, or to their owners. The sums start as soon as there is
// something to add (the planner moves them up) and are awaited together. Gradients
// in state are summed where they are.
func (a *appender) reduce(grads []autograd.Gradient) []autograd.Gradient {
	sums := make([]autograd.Gradient, len(grads))
	for i, g := range grads {
		kind, attrs := ir.AllReduce, ir.Attrs{}
		if a.ranks.Owner != nil {
			kind, attrs.Root = ir.ReduceTo, a.ranks.Owner[g.Param.Name]
		}
		sums[i] = autograd.Gradient{Param: g.Param, Grad: a.start(kind, attrs, g.Grad)}
	}
	for i, s := range sums {
		sums[i].Grad = a.await(s.Grad)
	}
	return sums
}

// start begins a collective over x, in its place where that is state.
func (a *appender) start(kind ir.Kind, attrs ir.Attrs, x *ir.Value) *ir.Value {
	y := a.p.NewValue(x.Class, x.Name, ir.F32, x.Shape...)
	if y.Class == ir.State {
		y.Base = x
	}
	a.emit(kind, attrs, []*ir.Value{x}, y)
	return y
}

func (a *appender) await(x *ir.Value) *ir.Value {
	y := a.p.NewValue(ir.Temp, "", ir.F32, x.Shape...)
	a.emit(ir.Await, ir.Attrs{}, []*ir.Value{x}, y)
	return y
}

// gradNorm measures the norm of all gradients. Of each owner's gradients the sum of
// squares goes to all ranks, in a row of its own, so that nothing is rounded and all
// ranks come to the same bits.
func (a *appender) gradNorm(grads []autograd.Gradient) *ir.Value {
	var own []*ir.Value
	for _, g := range grads {
		if a.ranks.owns(g.Param.Name) {
			own = append(own, g.Grad)
		}
	}
	rows, row := 1, 0
	if a.ranks.Owner != nil {
		rows, row = a.ranks.Size, a.ranks.Rank
	}
	if own == nil {
		own = append(own, a.p.NewValue(ir.Const, "", ir.F32, 1)) // a zero
	}
	squares := a.p.NewValue(ir.Temp, "squares", ir.F32, rows, 2)
	a.emit(ir.SumSquares, ir.Attrs{Root: row}, own, squares)
	if a.ranks.Owner != nil {
		squares = a.await(a.start(ir.AllReduce, ir.Attrs{}, squares))
	}
	norm := a.p.NewValue(ir.Temp, "grad_norm", ir.F32, 1)
	a.clip = a.p.NewValue(ir.Temp, "clip", ir.F32, 1)
	a.emit(ir.GradNorm, ir.Attrs{MaxNorm: float32(a.cfg.Clip)}, []*ir.Value{a.hyper, squares}, norm, a.clip)
	return norm
}

func (a *appender) emit(kind ir.Kind, attrs ir.Attrs, in []*ir.Value, out ...*ir.Value) {
	a.p.Emit(&ir.Instr{Kind: kind, Attrs: attrs, In: in, Out: out, Path: "optimizer", Block: -1})
}

// ownedParts is in how many parts an owner updates: one travels while the next is
// computed, and a back end can still run many updates as one.
const ownedParts = 4

// updateOwned updates what this rank owns and sends each parameter from its owner
// to all ranks. All owners are at work at a time.
func (a *appender) updateOwned(grads []autograd.Gradient) {
	owned := make([][]autograd.Gradient, a.ranks.Size)
	for _, g := range grads {
		owner := a.ranks.Owner[g.Param.Name]
		owned[owner] = append(owned[owner], g)
	}
	var flying []*ir.Value
	for i := range ownedParts {
		part := func(owner int) []autograd.Gradient {
			all := owned[owner]
			return all[len(all)*i/ownedParts : len(all)*(i+1)/ownedParts]
		}
		a.update(part(a.ranks.Rank))
		for owner := range owned {
			for _, g := range part(owner) {
				flying = append(flying, a.start(ir.BroadcastFrom, ir.Attrs{Root: owner}, g.Param))
			}
		}
	}
	for _, p := range flying {
		a.await(p)
	}
}

// update emits the updates of parameters, those of one kind one after the other,
// and then of their averages.
func (a *appender) update(grads []autograd.Gradient) {
	kind := func(g autograd.Gradient) string { return a.cfg.kind(a.groups[g.Param.Name]) }
	sorted := slices.Clone(grads)
	slices.SortStableFunc(sorted, func(a, b autograd.Gradient) int { return cmp.Compare(kind(a), kind(b)) })
	for _, g := range sorted {
		a.updateBy(kind(g), g)
	}
	if a.cfg.EMA > 0 {
		for _, g := range grads {
			a.emit(ir.EMA, ir.Attrs{Beta1: float32(a.cfg.EMA)}, []*ir.Value{a.state(g, ema), g.Param, a.clip})
		}
	}
}

// updateBy emits the update of a parameter by a kind of optimizer.
func (a *appender) updateBy(kind string, g autograd.Gradient) {
	c, group := a.cfg, a.groups[g.Param.Name]
	attrs := ir.Attrs{Beta1: float32(c.Betas[0]), Beta2: float32(c.Betas[1]), Eps: float32(c.Eps), LRScale: 1}
	if group.Decay {
		attrs.Decay = float32(c.WeightDecay)
	}
	switch kind {
	case "adamw":
		a.emit(ir.AdamW, attrs, []*ir.Value{g.Param, g.Grad, a.state(g, expAvg), a.state(g, expAvgSq), a.hyper, a.clip})
	case "lion":
		a.emit(ir.Lion, attrs, []*ir.Value{g.Param, g.Grad, a.state(g, momentum), a.hyper, a.clip})
	case "sgd":
		attrs.Beta1, attrs.Nesterov = float32(c.Momentum), c.Nesterov
		a.emit(ir.SGD, attrs, []*ir.Value{g.Param, g.Grad, a.state(g, momentum), a.hyper, a.clip})
	case "muon":
		attrs.Beta1, attrs.Nesterov, attrs.NewtonSchulz = float32(c.Momentum), c.Nesterov, 5
		attrs.LRScale = float32(c.MatrixLR / c.LR)
		a.emit(ir.Muon, attrs, []*ir.Value{g.Param, g.Grad, a.state(g, momentum), a.hyper, a.clip})
	}
}

// state returns a new tensor of the optimizer for a parameter, of its shape, or nil
// where it has no state of that name.
func (a *appender) state(g autograd.Gradient, name string) *ir.Value {
	if !slices.Contains(a.cfg.states(a.groups[g.Param.Name]), name) {
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
