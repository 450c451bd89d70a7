package train

import (
	"errors"
	"fmt"
	"io"
	"math"

	"gotrain/autograd/exec"
	"gotrain/autograd/ir"
	"gotrain/autograd/plan"
	"gotrain/data"
	"gotrain/data/vfs"
	"gotrain/nn"
	"gotrain/nn/hub"
)

// Engine runs optimizer steps and evaluations of one configuration. It is not
// safe for concurrent use.
type Engine struct {
	cfg      Config
	model    nn.LanguageModel
	programs *Programs
	store    *exec.Store
	arena    *exec.Arena

	step, first, next, last, eval *exec.Session
	ranks                         *coordinator

	micro      int       // micro-batches of a step
	length     uint64    // tokens of a sequence
	share      uint64    // first sample of this rank in a step
	nll        []float32 // (B·T), of one micro-batch
	lossWeight [1]float32
	gradNorm   [1]float32
	hyper      [ir.HyperLen]float32
	rng        [4]int32
}

// StepConfig is what changes from step to step.
type StepConfig struct {
	Step      int     // from 0
	Applied   int     // updates made before
	NormLimit float64 // the guard's bound on the gradient norm, 0 for none
	Targets   int     // of the step over all ranks; 0 means those of the batch
}

// StepResult is what an optimizer step measured.
type StepResult struct {
	NLL      float64 // mean over the targets of the step, nats; with several ranks this one's part of it
	GradNorm float64 // before clipping; NaN when it was not measured
	Skipped  bool    // the guard left the parameters as they were
}

// NewEngine allocates everything that training needs on b: after it, a step
// allocates nothing. Parameters are zero until Initialize or Restore.
func NewEngine(cfg Config, model nn.LanguageModel, b exec.Backend) (*Engine, error) {
	programs, err := Compile(cfg, model, b.Target())
	if err != nil {
		return nil, err
	}
	return newEngine(cfg, model, exec.NewStore(b), programs)
}

// newEngine binds programs, of which some may be nil, to the state in store.
func newEngine(cfg Config, model nn.LanguageModel, store *exec.Store, programs *Programs) (*Engine, error) {
	e := &Engine{cfg: cfg, model: model, programs: programs, store: store, ranks: newCoordinator(nil)}
	if n := cfg.Rank.Count(); n > 1 {
		if b, ok := store.Backend().(exec.Ranked); !ok || b.Ranks() != n {
			return nil, fmt.Errorf("device %s does not compute together with other ranks, but there are %d; use --device cpu", store.Backend().Name(), n)
		}
	}
	rows, count := cfg.microBatches()
	e.micro = count
	e.share, _ = cfg.trainRows().Share()
	e.length = uint64(cfg.Length())
	e.nll = make([]float32, rows*cfg.Length())
	var err error
	if e.arena, err = exec.NewArena(store.Backend(), programs.Arena()); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		session **exec.Session
		plan    *plan.Plan
	}{{&e.step, programs.Step}, {&e.first, programs.First}, {&e.next, programs.Next}, {&e.last, programs.Last}, {&e.eval, programs.Eval}} {
		if s.plan == nil {
			continue
		}
		if *s.session, err = exec.NewSession(s.plan, e.store, e.arena); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Store returns the state that the engine trains.
func (e *Engine) Store() *exec.Store { return e.store }

// Programs returns the engine's plans.
func (e *Engine) Programs() *Programs { return e.programs }

// Initialize draws the initial parameters from the seed of the run.
func (e *Engine) Initialize() error {
	return e.draw(e.model.Params())
}

// InitializeFrom loads the parameters from the checkpoint of the configuration's
// base, and those of an adapter from the configuration's, or draws them where it
// names none.
func (e *Engine) InitializeFrom(fsys vfs.FS) error {
	params := e.model.Params()
	if err := hub.LoadParams(e.store, e.cfg.Base, nn.Base(params)); err != nil {
		return err
	}
	if e.cfg.Adapter == "" {
		return e.draw(nn.Adapters(params))
	}
	const cure = "the adapter is another one than the lora section; name it with --adapter alone"
	if err := hub.LoadAdapter(e.store, fsys, e.cfg.Adapter, params, cure); err != nil {
		return err
	}
	return e.draw(nil)
}

// draw gives params their first values, and averages theirs.
func (e *Engine) draw(params []nn.Param) error {
	if err := nn.Initialize(params, e.cfg.Run.Seed, e.store.WriteAt); err != nil {
		return err
	}
	buf := make([]float32, hub.StreamElements)
	for _, p := range nn.Trainable(e.model.Params()) {
		if e.store.Get("ema."+p.State()) == nil {
			continue
		}
		for off := 0; off < p.Shape.Size(); off += len(buf) {
			part := buf[:min(len(buf), p.Shape.Size()-off)]
			if err := errors.Join(e.store.ReadAt(p.State(), off, part), e.store.WriteAt("ema."+p.State(), off, part)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Step trains on batch, whose rows are the micro-batches one after the other.
func (e *Engine) Step(batch *data.Batch, c StepConfig) (StepResult, error) {
	if c.Targets == 0 {
		c.Targets = int(batch.Weight)
	}
	if c.Targets == 0 {
		return StepResult{}, errors.New("a batch holds no target")
	}
	e.hyper = e.cfg.Optimizer.Hyper(c.Step, e.cfg.Train.Steps, c.Applied, c.NormLimit)
	last := e.session(e.micro - 1)
	if err := last.SetFloats("hyper", e.hyper[:]); err != nil {
		return StepResult{}, err
	}
	lossWeight := 1 / float32(c.Targets)
	if err := e.feed(e.session(0), batch, 0, lossWeight); err != nil {
		return StepResult{}, err
	}
	var sum float64
	for m := range e.micro {
		micro := e.session(m)
		micro.Start()
		if m+1 < e.micro { // beside it
			if err := e.feed(e.session(m+1), batch, m+1, lossWeight); err != nil {
				return StepResult{}, err
			}
		}
		if err := micro.Wait(); err != nil {
			return StepResult{}, err
		}
		s, err := e.sumNLL(micro)
		if err != nil {
			return StepResult{}, err
		}
		sum += s
	}
	r := StepResult{NLL: sum / float64(c.Targets), GradNorm: math.NaN()}
	return r, e.readNorm(last, c.NormLimit, &r)
}

// session returns the program of micro-batch m.
func (e *Engine) session(m int) *exec.Session {
	switch {
	case e.micro == 1:
		return e.step
	case m == 0:
		return e.first
	case m == e.micro-1:
		return e.last
	}
	return e.next
}

// feed writes micro-batch m of batch into the inputs of s.
func (e *Engine) feed(s *exec.Session, batch *data.Batch, m int, lossWeight float32) error {
	// Dropout goes by the number of a token among all of the run, so that a sample
	// has its masks on every rank and in every micro-batch.
	token := (batch.Position+e.share)*e.length + uint64(m*len(e.nll))
	seed := e.cfg.Run.Seed
	e.lossWeight[0] = lossWeight
	e.rng = [4]int32{int32(uint32(seed)), int32(uint32(seed >> 32)), int32(uint32(token)), int32(uint32(token >> 32))}
	for _, in := range s.Inputs() {
		if err := e.feedInput(in, batch, m); err != nil {
			return fmt.Errorf("program %s: %w", s.Plan.Program.Name, err)
		}
	}
	return nil
}

func (e *Engine) feedInput(in exec.Input, batch *data.Batch, m int) error {
	lo, hi := m*in.Shape().Size(), (m+1)*in.Shape().Size()
	switch in.Name() {
	case "loss_weight":
		return in.SetFloats(e.lossWeight[:])
	case "rng":
		return in.SetInts(e.rng[:])
	case "hyper":
		return nil // set once a step
	}
	if x := batch.Ints[in.Name()]; len(x) >= hi && in.DType() == ir.I32 {
		return in.SetInts(x[lo:hi])
	}
	if x := batch.Floats[in.Name()]; len(x) >= hi && in.DType() == ir.F32 {
		return in.SetFloats(x[lo:hi])
	}
	return fmt.Errorf("the input %q %s%s is not in the batch", in.Name(), in.DType(), in.Shape())
}

// sumNLL adds the NLL of the micro-batch that s has run, in nats.
func (e *Engine) sumNLL(s *exec.Session) (float64, error) {
	if err := s.Output(0, e.nll); err != nil {
		return 0, err
	}
	var sum float64
	for _, x := range e.nll {
		sum += float64(x)
	}
	return sum, nil
}

func (e *Engine) readNorm(s *exec.Session, limit float64, r *StepResult) error {
	i := s.Plan.Program.Output("grad_norm")
	if i < 0 {
		return nil
	}
	if err := s.Output(i, e.gradNorm[:]); err != nil {
		return err
	}
	r.GradNorm = float64(e.gradNorm[0])
	r.Skipped = math.IsNaN(r.GradNorm) || math.IsInf(r.GradNorm, 0) || limit > 0 && r.GradNorm > limit
	return nil
}

// Blame runs the batch again without an update and returns the first
// instruction whose result is not finite, or nil when all are.
func (e *Engine) Blame(batch *data.Batch) (*ir.Instr, error) {
	session := e.session(0)
	for m := range e.micro {
		if err := e.feed(session, batch, m, 1/float32(max(1, batch.Weight))); err != nil {
			return nil, err
		}
		if in, err := session.FindNonFinite(); in != nil || err != nil {
			return in, err
		}
	}
	return nil, nil
}

// EvalResult is a score of held-out text.
type EvalResult struct {
	NLL         float64 // mean over the targets, nats
	BitsPerByte float64 // NLL of the text in bits by its length in UTF-8 bytes
	Targets     int
}

// Evaluate scores up to limit batches (0: all) of the held-out text, whose source
// ends with io.EOF. Each rank scores its share; the result is that of all.
func (e *Engine) Evaluate(batches data.Source, limit int) (EvalResult, error) {
	var own report
	batch := batches.NewBatch()
	for i := 0; limit == 0 || i < limit; i++ {
		err := batches.Fill(batch, uint64(i)*batches.Stride())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return EvalResult{}, err
		}
		if err := e.feed(e.eval, batch, 0, 1); err != nil {
			return EvalResult{}, err
		}
		if err := e.eval.Run(); err != nil {
			return EvalResult{}, err
		}
		s, err := e.sumNLL(e.eval)
		if err != nil {
			return EvalResult{}, err
		}
		own.NLL += s
		own.Targets += int64(batch.Weight)
		own.Bytes += batch.TextBytes
	}
	reports, err := e.ranks.meet(own)
	if err != nil {
		return EvalResult{}, err
	}
	all := total(reports)
	if all.Targets == 0 {
		return EvalResult{}, fmt.Errorf("there is no held-out text: set data.validation or data.validation_paths")
	}
	r := EvalResult{NLL: all.NLL / float64(all.Targets), Targets: int(all.Targets)}
	if all.Bytes > 0 {
		r.BitsPerByte = all.NLL / math.Ln2 / float64(all.Bytes)
	}
	return r, nil
}
