package generate

import (
	"fmt"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// prefills are the numbers of tokens that are read at once, the largest first.
var prefills = [...]int{64, 8}

// fewReads is how often the smallest is run before the next larger one is faster.
const fewReads = 2

// prefill reads tokens into caches, many at once, and gives no logits.
type prefill struct {
	steps []*step // by length, the longest first
	start []int32 // (1): rows of the caches that are in use
}

// step is a program for so many tokens.
type step struct {
	plan           *plan.Plan
	session        *exec.Session
	ids, positions []int32 // as many as the tokens
	inputs         inputs
}

func newStep(tokens int) *step {
	return &step{ids: make([]int32, tokens), positions: make([]int32, tokens)}
}

// designPrefill is for caches of so many rows.
func designPrefill(context int) prefill {
	p := prefill{start: make([]int32, 1)}
	for i, tokens := range prefills {
		if tokens <= context || i == len(prefills)-1 {
			p.steps = append(p.steps, newStep(min(tokens, context)))
		}
	}
	return p
}

// plan plans the programs of m for the caches of that name.
func (p *prefill) plan(m nn.LanguageModel, caches string, context int, target plan.Target, cfg Config) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	for _, s := range p.steps {
		graph, hidden := nn.Prefill(m, caches, len(s.ids), context)
		var err error
		if s.plan, err = lower(graph, fmt.Sprintf("prefill.%d", len(s.ids)), target, cfg, hidden); err != nil {
			return nil, err
		}
		plans = append(plans, s.plan)
	}
	return plans, nil
}

func (p *prefill) bind(store *exec.Store, arena *exec.Arena) error {
	for _, s := range p.steps {
		if err := s.bind(store, arena, p.start); err != nil {
			return err
		}
	}
	return nil
}

// bind makes a program that is planned ready to run; position is its input of that name.
func (s *step) bind(store *exec.Store, arena *exec.Arena, position []int32) (err error) {
	if s.session, err = exec.NewSession(s.plan, store, arena); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	s.inputs, err = feed(s.session, map[string][]int32{"ids": s.ids, "positions": s.positions, "position": position})
	return err
}

// run runs the program on the inputs as they are.
func (s *step) run() error {
	if err := s.inputs.set(); err != nil {
		return err
	}
	return s.session.Run()
}

// next is the program that goes on with so many tokens.
func (p *prefill) next(tokens int) *step {
	for i, s := range p.steps {
		if i == len(p.steps)-1 || tokens > fewReads*len(p.steps[i+1].ids) {
			return s
		}
	}
	return nil
}

// read fills caches of context rows, which have the first at tokens already, with all tokens.
// The last program goes on beyond the end, where nothing looks, or begins earlier where the
// caches end, which gives the same.
func (p *prefill) read(tokens []int32, at, context int) error {
	for at < len(tokens) {
		s := p.next(len(tokens) - at)
		from := min(at, context-len(s.ids))
		clear(s.ids)
		copy(s.ids, tokens[from:])
		for i := range s.positions {
			s.positions[i] = int32(from + i)
		}
		p.start[0] = int32(from)
		if err := s.run(); err != nil {
			return err
		}
		at = from + len(s.ids)
	}
	return nil
}
