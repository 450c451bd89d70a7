package train

import (
	"gotrain/autograd/exec"
	"gotrain/autograd/plan"
	"gotrain/data"
	"gotrain/nn"
)

// Evaluator scores text with the parameters in a store, without the memory that
// training needs. It is not safe for concurrent use.
type Evaluator struct{ engine Engine }

// NewEvaluator plans evaluations in batches of cfg.Train.Batch sequences of
// cfg.Model.Context tokens.
func NewEvaluator(cfg Config, model nn.Model, store *exec.Store) (*Evaluator, error) {
	b := store.Backend()
	c := compiler{cfg: cfg, model: model, opt: plan.Options{BF16: cfg.Precision == "bfloat16", Workspace: b.Workspace}}
	p := c.eval()
	if c.err != nil {
		return nil, c.err
	}
	e := &Evaluator{Engine{cfg: cfg, model: model, programs: &Programs{Eval: p}, store: store}}
	e.engine.nll = make([]float32, cfg.Train.Batch*cfg.Model.Context)
	e.engine.positions = make([]int32, len(e.engine.nll))
	for i := range e.engine.positions {
		e.engine.positions[i] = int32(i % cfg.Model.Context)
	}
	arena, err := exec.NewArena(b, p.Arena)
	if err != nil {
		return nil, err
	}
	e.engine.arena = arena
	e.engine.eval, err = exec.NewSession(p, store, arena)
	return e, err
}

// Evaluate scores up to limit batches (0: all).
func (e *Evaluator) Evaluate(batches *data.Eval, limit int) (EvalResult, error) {
	return e.engine.Evaluate(batches, limit)
}
