package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// Engine runs optimizer steps and evaluations of one job. It is not safe for
// concurrent use.
type Engine struct {
	cfg      config.Config
	job      *recipe.Job
	programs *Programs
	store    *exec.Store
	ranks    *ranks.Coordinator

	step    []running       // of a step, in order
	metrics []recipe.Metric // of a step, of all phases
	eval    *running        // nil without one
	share   uint64          // first sample of this rank in a step
	phases  []phaseRun      // by phase of the job
	sums    []float64       // of the metrics of a step, then its counts; those of an evaluation
	results []PhaseResult
	weight  [1]float32
	norm    [1]float32
	rng     [4]int32
}

// running is a run of a step with its program bound.
type running struct {
	Run
	session *exec.Session
	first   int         // in sums, of its metrics
	out     [][]float32 // by metric
	sums    []float64   // of this run, by metric
}

// phaseRun is what the engine keeps of a phase.
type phaseRun struct {
	update *exec.Session
	hyper  [ir.HyperLen]float32
}

// StepConfig is what changes from step to step.
type StepConfig struct {
	Step   int               // from 0
	Phases []save.PhaseState // by phase of the job
	Limits []float64         // by phase, the guard's bounds on gradient norms, 0 for none; nil for none
	Weight float64           // of the step over all ranks; 0 means that of the batch
}

// StepResult is what an optimizer step measured.
type StepResult struct {
	// Sums are those of the metrics of all phases, and Counts what they are divided
	// by; with several ranks this one's part of them. They and Phases are valid until the
	// next step.
	Sums   []float64
	Counts recipe.Counts
	Phases []PhaseResult
}

// PhaseResult is what a phase of a step measured.
type PhaseResult struct {
	GradNorm float64 // before clipping; NaN when it was not measured
	Skipped  bool    // the guard left the parameters as they were
}

// New allocates everything that a job of cfg needs on b: after it, a step
// allocates nothing. Parameters are zero until they are initialised or restored. The
// ranks of r have an engine each.
func New(cfg config.Config, job *recipe.Job, b exec.Backend, r *ranks.Coordinator) (*Engine, error) {
	return NewChoosing(cfg, job, b, r, func(plans []*plan.Plan) error {
		if c, ok := b.(exec.Chooser); ok {
			_, err := c.Choose(plans, nil, false)
			return err
		}
		return nil
	})
}

// NewChoosing is New with a choice of how b computes the plans, before any memory is
// allocated.
func NewChoosing(cfg config.Config, job *recipe.Job, b exec.Backend, r *ranks.Coordinator, choose func([]*plan.Plan) error) (*Engine, error) {
	programs, err := Compile(cfg, job, b.Target())
	if err != nil {
		return nil, err
	}
	if err := useAttention(b, cmp.Or(cfg.CUDA.Attention, config.AttentionMMA)); err != nil {
		return nil, err
	}
	if err := choose(programs.All()); err != nil {
		return nil, err
	}
	return newEngine(cfg, job, exec.NewStore(b), programs, r)
}

// NewEvaluator is an Engine that only evaluates, with the parameters in store and
// without the memory that training needs.
func NewEvaluator(cfg config.Config, job *recipe.Job, store *exec.Store) (*Engine, error) {
	programs, err := CompileEval(cfg, job, store.Backend().Target())
	if err != nil {
		return nil, err
	}
	if err := useAttention(store.Backend(), cmp.Or(cfg.CUDA.Attention, config.AttentionMMA)); err != nil {
		return nil, err
	}
	return newEngine(cfg, job, store, programs, ranks.Coordinate(nil))
}

// useAttention asks b for the kernels of attention that a configuration names.
func useAttention(b exec.Backend, name string) error {
	if a, ok := b.(exec.Attender); ok {
		return a.UseAttention(name)
	}
	if name != config.AttentionMMA {
		return fmt.Errorf("cuda.attention is %s, for NVIDIA GPUs, and the device is %s: leave the key out", name, b.Name())
	}
	return nil
}

// newEngine binds programs to the state in store.
func newEngine(cfg config.Config, job *recipe.Job, store *exec.Store, programs *Programs, r *ranks.Coordinator) (*Engine, error) {
	e := &Engine{cfg: cfg, job: job, programs: programs, store: store, ranks: r, phases: make([]phaseRun, len(job.Phases)), results: make([]PhaseResult, len(job.Phases))}
	if n := cfg.Rank.Count(); n > 1 {
		if b, ok := store.Backend().(exec.Ranked); !ok || b.Ranks() != n {
			return nil, fmt.Errorf("device %s does not compute together with other ranks, but there are %d; use --device cpu", store.Backend().Name(), n)
		}
	}
	e.share, _ = cfg.TrainRows().Share()
	arena, err := exec.NewArena(store.Backend(), programs.Arena())
	if err != nil {
		return nil, err
	}
	if err := e.bindStep(arena); err != nil {
		return nil, err
	}
	if programs.Eval != nil {
		r, err := e.bind(Run{Program: programs.Eval}, nil, arena)
		if err != nil {
			return nil, err
		}
		e.eval = &r
	}
	for _, tool := range job.ToolsOf(cfg.Rank) {
		if programs.Tools == nil { // of an evaluator
			break
		}
		if err := tool.Bind(store, arena); err != nil {
			return nil, err
		}
	}
	return e, e.ensureParams()
}

// ensureParams allocates parameters that no program of this rank reads, such as the decoder of an
// autoencoder where nothing is drawn: bases and checkpoints have them too.
func (e *Engine) ensureParams() error {
	for _, p := range e.job.Params() {
		if e.store.Get(p.State()) != nil {
			continue
		}
		if _, err := e.store.Ensure(p.State(), p.DType, p.Shape); err != nil {
			return err
		}
	}
	return nil
}

// bindStep binds the programs of a step, each once.
func (e *Engine) bindStep(arena *exec.Arena) error {
	bound := map[Run]*running{}
	for _, run := range e.programs.Step {
		r, err := e.bind(run, bound[run.bound()], arena)
		if err != nil {
			return err
		}
		if run.Micro == 0 { // of a phase
			r.first = len(e.metrics)
			e.metrics = append(e.metrics, run.Program.Metrics...)
		} else {
			r.first = e.step[len(e.step)-1].first
		}
		if run.Program.Updates {
			e.phases[run.Program.Phase].update = r.session
		}
		e.step = append(e.step, r)
		bound[run.bound()] = &r
	}
	sums := len(e.metrics)
	if e.programs.Eval != nil {
		sums = max(sums, len(e.programs.Eval.Metrics))
	}
	e.sums = make([]float64, sums)
	return nil
}

// bind binds the program of a run, unless that has been done.
func (e *Engine) bind(run Run, bound *running, arena *exec.Arena) (running, error) {
	if bound != nil {
		return running{Run: run, session: bound.session, out: bound.out, sums: bound.sums}, nil
	}
	session, err := exec.NewSessionOf(run.Program.Plan, e.store, arena, Binding{Plan: run.Program.Plan, run: run}.State)
	if err != nil {
		return running{}, err
	}
	r := running{Run: run, session: session, out: make([][]float32, len(run.Program.Metrics)), sums: make([]float64, len(run.Program.Metrics))}
	for i, output := range run.Program.outputs {
		r.out[i] = make([]float32, run.Program.Program.Outputs[output].Shape.Size())
	}
	return r, nil
}

// Store returns the state that the engine trains.
func (e *Engine) Store() *exec.Store { return e.store }

// Programs returns the engine's plans.
func (e *Engine) Programs() *Programs { return e.programs }

// Step trains on batch, whose rows are the micro-batches one after the other.
func (e *Engine) Step(batch *data.Batch, c StepConfig) (StepResult, error) {
	if c.Weight == 0 {
		c.Weight = batch.Weight
	}
	if c.Weight == 0 {
		return StepResult{}, errors.New("a batch holds nothing to learn from")
	}
	if err := e.feedHyper(c); err != nil {
		return StepResult{}, err
	}
	weight := 1 / float32(c.Weight)
	if err := e.feed(&e.step[0], batch, weight); err != nil {
		return StepResult{}, err
	}
	clear(e.sums)
	for i := range e.step {
		run := &e.step[i]
		run.session.Start()
		if i+1 < len(e.step) { // while it runs
			if err := e.feed(&e.step[i+1], batch, weight); err != nil {
				return StepResult{}, err
			}
		}
		if err := run.session.Wait(); err != nil {
			return StepResult{}, err
		}
		if err := e.add(run); err != nil {
			return StepResult{}, err
		}
	}
	r := StepResult{Sums: e.sums, Counts: e.counts(batch)}
	return r, e.readNorms(c, &r)
}

// Profile takes steps on batch, as many as rounds, and tells how long each group of
// launches took, in their order. Every program of the step runs with the same batch.
func (e *Engine) Profile(batch *data.Batch, c StepConfig, rounds int) ([]exec.Group, error) {
	if err := e.feedHyper(c); err != nil {
		return nil, err
	}
	var all []exec.Group
	for i := range e.step {
		run := &e.step[i]
		if err := e.feed(run, batch, 1/float32(batch.Weight)); err != nil {
			return nil, err
		}
		groups, err := run.session.Profile(rounds)
		if err != nil {
			return nil, err
		}
		all = append(all, groups...)
	}
	return all, nil
}

// feedHyper writes the constants of the step's updates.
func (e *Engine) feedHyper(c StepConfig) error {
	for i := range e.phases {
		var state save.PhaseState
		var limit float64
		if c.Phases != nil {
			state = c.Phases[i]
		}
		if c.Limits != nil {
			limit = c.Limits[i]
		}
		p := &e.phases[i]
		p.hyper = e.job.Phases[i].Optimizer.Hyper(c.Step, e.cfg.Train.Steps, state.Applied, limit)
		if err := p.update.SetFloats(hyper, p.hyper[:]); err != nil {
			return err
		}
	}
	return nil
}

// counts are the divisors of the metrics of batch.
func (e *Engine) counts(batch *data.Batch) recipe.Counts {
	var c recipe.Counts
	c[recipe.PerWeight], c[recipe.PerByte] = batch.Weight, float64(batch.TextBytes)
	for _, o := range batch.From {
		if o != (data.Origin{}) {
			c[recipe.PerRow]++
		}
	}
	_, micro := e.cfg.MicroBatches()
	c[recipe.PerRun] = float64(micro)
	return c
}

// feed writes the micro-batch of a run into its inputs.
func (e *Engine) feed(run *running, batch *data.Batch, weight float32) error {
	e.weight[0] = weight
	for _, in := range run.session.Inputs() {
		if err := e.feedInput(in, batch, run.Micro); err != nil {
			return fmt.Errorf("program %s: %w", run.Program.Program.Name, err)
		}
	}
	return nil
}

// draw is what random numbers of a micro-batch go by: the seed, and the number of its first row
// among all of the run, of rows a sample. So a sample has its own on every rank and in every
// micro-batch.
func (e *Engine) draw(batch *data.Batch, micro, rows int) []int32 {
	samples, _ := e.cfg.MicroBatches()
	first, seed := (batch.Position+e.share+uint64(micro*samples))*uint64(rows), e.cfg.Run.Seed
	e.rng = [4]int32{int32(uint32(seed)), int32(uint32(seed >> 32)), int32(uint32(first)), int32(uint32(first >> 32))}
	return e.rng[:]
}

func (e *Engine) feedInput(in exec.Input, batch *data.Batch, micro int) error {
	switch in.Name() {
	case lossWeight:
		return in.SetFloats(e.weight[:])
	case hyper:
		return nil // set once a step
	}
	if rows, draws := rowsOf(in.Name(), e.job.Unit.PerSample); draws {
		return in.SetInts(e.draw(batch, micro, rows))
	}
	lo, hi := micro*in.Shape().Size(), (micro+1)*in.Shape().Size()
	switch kindOf(in.DType()) {
	case data.Int32:
		if x := batch.Ints[in.Name()]; len(x) >= hi {
			return in.SetInts(x[lo:hi])
		}
	case data.Float32:
		if x := batch.Floats[in.Name()]; len(x) >= hi {
			return in.SetFloats(x[lo:hi])
		}
	default:
		lo, hi := micro*int(in.Bytes()), (micro+1)*int(in.Bytes())
		if x := batch.Raw[in.Name()]; len(x) >= hi {
			return in.SetBytes(x[lo:hi])
		}
	}
	return fmt.Errorf("the input %q %s%s is not in the batch", in.Name(), in.DType(), in.Shape())
}

// add adds the metrics of the run that has ended to the sums.
func (e *Engine) add(run *running) error {
	for i, output := range run.Program.outputs {
		if same := slices.Index(run.Program.outputs, output); same < i {
			run.sums[i] = run.sums[same]
		} else {
			if err := run.session.Output(output, run.out[i]); err != nil {
				return err
			}
			run.sums[i] = 0
			for _, x := range run.out[i] {
				run.sums[i] += float64(x)
			}
		}
		e.sums[run.first+i] += run.sums[i]
	}
	return nil
}

// readNorms reads what the updates measured.
func (e *Engine) readNorms(c StepConfig, r *StepResult) error {
	r.Phases = e.results
	for i, p := range e.phases {
		r.Phases[i] = PhaseResult{GradNorm: math.NaN()}
		output := p.update.Plan.Program.Output(gradNorm)
		if output < 0 {
			continue
		}
		if err := p.update.Output(output, e.norm[:]); err != nil {
			return err
		}
		norm := float64(e.norm[0])
		limit := 0.0
		if c.Limits != nil {
			limit = c.Limits[i]
		}
		r.Phases[i] = PhaseResult{norm, math.IsNaN(norm) || math.IsInf(norm, 0) || limit > 0 && norm > limit}
	}
	return nil
}

// Blame runs the batch again without an update and returns the first
// instruction whose result is not finite, or nil when all are.
func (e *Engine) Blame(batch *data.Batch) (*ir.Instr, error) {
	for i := range e.step {
		run := &e.step[i]
		if err := e.feed(run, batch, 1/float32(max(1, batch.Weight))); err != nil {
			return nil, err
		}
		if in, err := run.session.FindNonFinite(); in != nil || err != nil {
			return in, err
		}
	}
	return nil, nil
}

// forget clears the memories of evaluations.
func (e *Engine) forget() error {
	for _, name := range e.store.Names() {
		if ir.IsMemory(name) && strings.HasSuffix(name, ofEval) {
			if err := e.store.WriteBytes(name, make([]byte, e.store.Get(name).Bytes())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Evaluate scores up to limit batches (0: all) of held-out data, whose source ends
// with io.EOF. Each rank scores its share; the result is that of all.
func (e *Engine) Evaluate(batches data.Source, limit int) (EvalResult, error) {
	if e.eval == nil {
		return EvalResult{}, errors.New("the recipe has no evaluation")
	}
	if err := e.forget(); err != nil {
		return EvalResult{}, err
	}
	var counts recipe.Counts
	clear(e.sums)
	batch := batches.NewBatch()
	for i := 0; limit == 0 || i < limit; i++ {
		err := batches.Fill(batch, uint64(i)*batches.Stride())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return EvalResult{}, err
		}
		if err := e.feed(e.eval, batch, 1); err != nil {
			return EvalResult{}, err
		}
		if err := e.eval.session.Run(); err != nil {
			return EvalResult{}, err
		}
		if err := e.add(e.eval); err != nil {
			return EvalResult{}, err
		}
		c := e.counts(batch)
		c[recipe.PerRun] = 1
		counts.Add(c)
	}
	all, err := e.ranks.Agree(ranks.Notice{Sums: append(append([]float64{}, e.sums...), counts[:]...)})
	if err != nil {
		return EvalResult{}, err
	}
	copy(counts[:], all.Sums[len(e.sums):])
	if counts[recipe.PerWeight] == 0 {
		return EvalResult{}, errors.New("nothing was scored: the loss counts no token of the held-out data")
	}
	sums := slices.Clone(all.Sums[:len(e.sums)])
	return EvalResult{Values: values(e.eval.Program.Metrics, sums, counts), Counts: counts, Sums: sums}, nil
}
