package train

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gotrain/autograd"
	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
	"gotrain/nn"
	"gotrain/nn/hub"
	"gotrain/optim"
)

// Programs are the plans of a configuration. A step is either Step alone
// (forward, backward and update in one program) or, with accumulation, First, Next
// for every further micro-batch but the last, and Last, which also updates. With
// two micro-batches there is no Next.
type Programs struct {
	Step              *plan.Plan
	First, Next, Last *plan.Plan
	Eval              *plan.Plan // NLL of every target

	// Snapshot is the memory of the process, in bytes, that this rank's saves beside
	// the training take for the state that they write; 0 when the step waits for saves.
	Snapshot   int64
	hostMemory bool // the programs' own memory is that of the process too
}

// Compile plans every program that training cfg needs for a back end.
func Compile(cfg Config, model nn.LanguageModel, target plan.Target) (*Programs, error) {
	c := newCompiler(cfg, model, target)
	p := &Programs{hostMemory: target.HostMemory}
	_, count := cfg.microBatches()
	if count == 1 {
		p.Step = c.train("step", autograd.GradTemp, true)
	} else {
		p.First = c.train("first", autograd.GradStore, false)
		p.Last = c.train("last", autograd.GradAdd, true)
	}
	if count > 2 {
		p.Next = c.train("next", autograd.GradAdd, false)
	}
	p.Eval = c.eval()
	if c.err != nil {
		return p, c.err
	}
	p.Snapshot = snapshotBytes(cfg, model, p, target)
	return p, nil
}

// States lists the persistent state of all programs, each once, by name.
func (p *Programs) States() []*ir.Value {
	states := map[string]*ir.Value{}
	for _, q := range p.All() {
		for _, v := range q.Program.Values {
			if v.Class == ir.State && v.Base == nil {
				states[v.Name] = v
			}
		}
	}
	return slices.SortedFunc(maps.Values(states), func(a, b *ir.Value) int { return strings.Compare(a.Name, b.Name) })
}

// optimizerTensors lists the optimizer's state.
func (p *Programs) optimizerTensors() []hub.Tensor {
	var tensors []hub.Tensor
	for _, v := range p.States() {
		if optim.IsState(v.Name) {
			tensors = append(tensors, hub.Tensor{Name: v.Name, State: v.Name, Shape: v.Shape})
		}
	}
	return tensors
}

// All returns the plans that exist.
func (p *Programs) All() []*plan.Plan {
	var all []*plan.Plan
	for _, q := range []*plan.Plan{p.Step, p.First, p.Next, p.Last, p.Eval} {
		if q != nil {
			all = append(all, q)
		}
	}
	return all
}

// Arena is the working memory in bytes: that of the largest program.
func (p *Programs) Arena() int64 {
	var n int64
	for _, q := range p.All() {
		n = max(n, q.Arena)
	}
	return n
}

type compiler struct {
	cfg   Config
	model nn.LanguageModel
	opt   plan.Options
	err   error
}

func newCompiler(cfg Config, model nn.LanguageModel, target plan.Target) *compiler {
	return &compiler{cfg: cfg, model: model, opt: plan.Options{
		Compute: cfg.Compute(), Recompute: cfg.Train.Recompute, Target: target, Layout: shareUpdates(cfg, model),
	}}
}

func (c *compiler) shape() nn.Rows {
	rows, _ := c.cfg.microBatches()
	return nn.Rows{Batch: rows, Length: c.cfg.Length(), Segments: c.cfg.Train.DocumentMask}
}

// training builds the graph up to the loss.
func (c *compiler) training() (g *autograd.Graph, loss, nll *autograd.Node) {
	return c.cfg.Objective.training(c.model, c.shape(), autograd.LossConfig{Smoothing: c.cfg.Train.Smoothing, ZLoss: c.cfg.Train.ZLoss})
}

func (c *compiler) train(name string, mode autograd.GradMode, update bool) *plan.Plan {
	g, loss, nll := c.training()
	grads := g.Grad(loss)
	p, gradients, err := g.LowerTrain(name, grads, mode, nll)
	if err != nil {
		return c.fail(name, err)
	}
	if update {
		if norm := optim.Append(p, gradients, rules(c.model), c.cfg.Optimizer, c.cfg.guarded()); norm != nil {
			p.Outputs = append(p.Outputs, norm)
		}
	}
	return c.build(p)
}

func (c *compiler) eval() *plan.Plan {
	g, nll := c.cfg.Objective.evaluation(c.model, c.shape())
	p, err := g.Lower("eval", nll)
	if err != nil {
		return c.fail("eval", err)
	}
	return c.build(p)
}

func (c *compiler) build(p *ir.Program) *plan.Plan {
	if c.err != nil {
		return nil
	}
	built, err := plan.Build(p, c.opt)
	if err != nil {
		return c.fail(p.Name, err)
	}
	return built
}

func (c *compiler) fail(program string, err error) *plan.Plan {
	if c.err == nil {
		c.err = fmt.Errorf("model %s, program %s: %w", c.model.Family(), program, err)
	}
	return nil
}

// rules tells the optimizer how each parameter of the model is updated.
func rules(m nn.Model) map[string]optim.Rule {
	rules := map[string]optim.Rule{}
	for _, p := range m.Params() {
		rules[p.State()] = ruleOf(p)
	}
	return rules
}

func ruleOf(p nn.Param) optim.Rule { return optim.Rule{Decay: p.Decay, Matrix: p.Matrix} }
