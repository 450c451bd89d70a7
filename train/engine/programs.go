package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
	"example.com/gotrain/optim"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// Programs are the plans of a job. Of a step each phase is either one program
// (forward, backward and update) or, with accumulation, first, next for every
// further micro-batch but the last, and last, which also updates. With two
// micro-batches there is no next.
type Programs struct {
	Step  []Run // in order
	Eval  *Program
	Tools [][]*plan.Plan // by recipe.Job.ToolsOf this rank

	// AsyncSaves tells that training goes on while checkpoints on the way are written.
	AsyncSaves bool
	// Snapshot is the memory of the process, in bytes, that this rank's asynchronous
	// saves take for the state that they write; 0 when the step waits for saves.
	Snapshot int64
	// HostMemory tells that the programs' own memory is that of the process too.
	HostMemory bool

	layout plan.Layout
	rows   save.Rows
}

// Run is one execution of a program in a step.
type Run struct {
	Program *Program
	Micro   int // the micro-batch that it takes
}

// Program is a plan and what the engine reads of it.
type Program struct {
	*plan.Plan
	Phase   int // of the job, -1 for an evaluation
	Updates bool
	Metrics []recipe.Metric
	outputs []int // of the program, by metric
}

// Compile plans every program that a job of cfg needs for a back end.
func Compile(cfg config.Config, job *recipe.Job, target plan.Target) (*Programs, error) {
	if err := job.Check(); err != nil {
		return nil, err
	}
	layout := layoutOf(cfg, job)
	c := compiler{cfg: cfg, job: job, opt: plan.Options{Compute: cfg.Compute(), Recompute: cfg.Train.Recompute, Target: target, Layout: layout}}
	p := &Programs{HostMemory: target.HostMemory, layout: layout, rows: RowsOf(cfg)}
	for i := range job.Phases {
		p.Step = append(p.Step, c.phase(i)...)
	}
	if job.Score != nil {
		p.Eval = c.eval()
	}
	for _, tool := range job.ToolsOf(cfg.Rank) {
		plans, err := tool.Plan(target)
		if err != nil {
			return nil, err
		}
		p.Tools = append(p.Tools, plans)
	}
	if p.AsyncSaves = savesAsync(cfg, target); c.err == nil && p.AsyncSaves {
		p.Snapshot = p.Share(job).SnapshotBytes(p.States(), target)
	}
	if c.err == nil {
		c.err = errors.Join(c.inputs.check(job), p.checkStates(job))
	}
	return p, c.err
}

// savesAsync tells whether saves on the way are asynchronous. They write from a copy
// of what steps change; train.save: auto makes one where it is small or lies
// elsewhere: on a GPU's host, of a rank's share, of an adapter.
func savesAsync(c config.Config, target plan.Target) bool {
	t := c.Train
	onTheWay := t.SaveEvery > 0 && t.SaveEvery < t.Steps || t.Patience > 0
	return onTheWay && (t.Save == "async" || t.Save == "auto" && (!target.HostMemory || !c.Rank.Alone() || c.LoRA.Rank > 0))
}

// CompileEval plans the evaluation of a job alone.
func CompileEval(cfg config.Config, job *recipe.Job, target plan.Target) (*Programs, error) {
	c := compiler{cfg: cfg, job: job, opt: plan.Options{Compute: cfg.Compute(), Target: target}}
	return &Programs{Eval: c.eval(), HostMemory: target.HostMemory}, c.err
}

// States lists the persistent state of all programs, each once, by its name in the store.
func (p *Programs) States() []*ir.Value {
	states := map[string]*ir.Value{}
	for _, b := range p.Bindings() {
		for _, v := range b.Plan.Program.Values {
			if v.Class == ir.State && v.Base == nil {
				state := *v
				state.Name = b.State(v.Name)
				states[state.Name] = &state
			}
		}
	}
	return slices.SortedFunc(maps.Values(states), func(a, b *ir.Value) int { return strings.Compare(a.Name, b.Name) })
}

// ToolStates names the states that only tools have, such as the caches of a
// generator.
func (p *Programs) ToolStates() map[string]bool {
	tools := map[string]bool{}
	for _, b := range p.Bindings() { // those of steps and evaluations last
		for _, v := range b.Plan.Program.Values {
			if v.Class == ir.State {
				tools[b.State(v.Name)] = b.tool
			}
		}
	}
	return tools
}

// optimizerStates lists those of the optimizers.
func (p *Programs) optimizerStates() []*ir.Value {
	return slices.DeleteFunc(p.States(), func(v *ir.Value) bool { return !optim.IsState(v.Name) })
}

// carriedStates lists those that steps hand on to each other.
func (p *Programs) carriedStates() []*ir.Value {
	return slices.DeleteFunc(p.States(), func(v *ir.Value) bool {
		return !ir.IsRunning(v.Name) && (!ir.IsMemory(v.Name) || strings.HasSuffix(v.Name, ofEval))
	})
}

// carriedBytes is the size of what all ranks save of carriedStates.
func (p *Programs) carriedBytes() int64 {
	var n int64
	for _, v := range p.carriedStates() {
		if ir.IsMemory(v.Name) {
			n += v.Bytes() * int64(p.layout.Rank.Count())
		} else {
			n += v.Bytes()
		}
	}
	return n
}

// Distinct lists the programs of a step, each once.
func (p *Programs) Distinct() []*Program {
	var all []*Program
	for _, r := range p.Step {
		if !slices.Contains(all, r.Program) {
			all = append(all, r.Program)
		}
	}
	return all
}

// All returns the plans.
func (p *Programs) All() []*plan.Plan {
	var all []*plan.Plan
	for _, q := range p.Distinct() {
		all = append(all, q.Plan)
	}
	if p.Eval != nil {
		all = append(all, p.Eval.Plan)
	}
	return append(all, slices.Concat(p.Tools...)...)
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
	cfg config.Config
	job *recipe.Job
	opt plan.Options
	// inputs are those that the graphs declare.
	inputs inputs
	err    error
}

// phase plans the programs of phase i for all micro-batches of a step.
func (c *compiler) phase(i int) []Run {
	_, count := c.cfg.MicroBatches()
	if count == 1 {
		return []Run{{c.train(i, "step", autograd.GradTemp, true), 0}}
	}
	runs := []Run{{c.train(i, "first", autograd.GradStore, false), 0}}
	if count > 2 {
		next := c.train(i, "next", autograd.GradAdd, false)
		for m := 1; m < count-1; m++ {
			runs = append(runs, Run{next, m})
		}
	}
	return append(runs, Run{c.train(i, "last", autograd.GradAdd, true), count - 1})
}

func (c *compiler) train(i int, name string, mode autograd.GradMode, update bool) *Program {
	phase := c.job.Phases[i]
	if phase.Name != "" {
		name = phase.Name + "." + name
	}
	rows, _ := c.cfg.MicroBatches()
	g := autograd.NewGraph()
	loss := phase.Loss(g, rows)
	c.inputs.declare(g, rows)
	grads := g.Grad(loss.Value, learning(g, c.job.Trained(phase))...)
	program := &Program{Phase: i, Updates: update, Metrics: loss.Metrics}
	p, gradients, err := g.LowerTrain(name, grads, mode, program.nodes()...)
	if err != nil {
		return c.fail(name, err)
	}
	if update {
		if norm := optim.Append(p, gradients, rules(c.job.Trained(phase)), phase.Optimizer, guarded(c.cfg, phase.Optimizer)); norm != nil {
			p.Outputs = append(p.Outputs, norm)
		}
	}
	return c.build(program, p)
}

// gradNorm is the name of the output that holds the norm of all gradients.
const gradNorm = "grad_norm"

func (c *compiler) eval() *Program {
	rows, _ := c.cfg.MicroBatches()
	g := autograd.NewGraph()
	program := &Program{Phase: -1, Metrics: c.job.Score(g, rows).Metrics}
	c.inputs.declare(g, rows)
	p, err := g.Lower("eval", program.nodes()...)
	if err != nil {
		return c.fail("eval", err)
	}
	return c.build(program, p)
}

// nodes are what the metrics sum, each once, and fixes where the program puts out
// what.
func (p *Program) nodes() []*autograd.Node {
	var nodes []*autograd.Node
	for _, m := range p.Metrics {
		i := slices.Index(nodes, m.Sum)
		if i < 0 {
			i = len(nodes)
			nodes = append(nodes, m.Sum)
		}
		p.outputs = append(p.outputs, i)
	}
	return nodes
}

func (c *compiler) build(program *Program, p *ir.Program) *Program {
	if c.err != nil {
		return program
	}
	built, err := plan.Build(p, c.opt)
	if err != nil {
		return c.fail(p.Name, err)
	}
	program.Plan = built
	return program
}

func (c *compiler) fail(program string, err error) *Program {
	if c.err == nil {
		c.err = fmt.Errorf("model %s, program %s: %w", c.cfg.Model.Name(), program, err)
	}
	return &Program{}
}

// learning are the nodes of the parameters in a graph.
func learning(g *autograd.Graph, params []nn.Param) []*autograd.Node {
	names := map[string]bool{}
	for _, p := range params {
		names[p.State()] = true
	}
	return slices.DeleteFunc(slices.Clone(g.Params()), func(n *autograd.Node) bool { return !names[n.Name()] })
}

// rules tells the optimizer how each parameter is updated.
func rules(params []nn.Param) map[string]optim.Rule {
	rules := map[string]optim.Rule{}
	for _, p := range params {
		rules[p.State()] = ruleOf(p)
	}
	return rules
}

func ruleOf(p nn.Param) optim.Rule { return optim.Rule{Decay: p.Decay, Matrix: p.Matrix} }

// guarded tells whether an update waits for the norm of all gradients.
func guarded(cfg config.Config, o optim.Config) bool { return cfg.Train.MaxSkips > 0 && !o.InBackward }
