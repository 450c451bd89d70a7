package train

import (
	"gotrain/autograd/exec"
	"gotrain/data"
	"gotrain/nn"
)

// Evaluator scores text with the parameters in a store, without the memory that
// training needs. It is not safe for concurrent use.
type Evaluator struct{ engine *Engine }

// NewEvaluator plans evaluations in batches of cfg.Train.Batch sequences of
// cfg.Length tokens.
func NewEvaluator(cfg Config, model nn.LanguageModel, store *exec.Store) (*Evaluator, error) {
	c := newCompiler(cfg, model, store.Backend().Target())
	programs := &Programs{Eval: c.eval()}
	if c.err != nil {
		return nil, c.err
	}
	engine, err := newEngine(cfg, model, store, programs)
	return &Evaluator{engine}, err
}

// Evaluate scores up to limit batches (0: all).
func (e *Evaluator) Evaluate(batches data.Source, limit int) (EvalResult, error) {
	return e.engine.Evaluate(batches, limit)
}
