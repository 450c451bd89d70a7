package generate

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// PairScorer gives the log-likelihoods of targets after their sources. What a pair scores
// does not depend on what was scored before. It belongs to one goroutine.
type PairScorer struct {
	model    nn.PairModel
	store    *exec.Store
	cfg      Config
	programs map[int]*pairProgram // by the length of a row
}

// pairProgram scores one row.
type pairProgram struct {
	session     *exec.Session
	inputs      inputs
	ints        map[string][]int32
	nll, logits []float32 // (T), (T, V)
}

// pairStep is what lengths of rows are a multiple of.
const pairStep = 32

// NewPairScorer returns a scorer that reads m's parameters from store.
func NewPairScorer(m nn.PairModel, store *exec.Store, cfg Config) (*PairScorer, error) {
	return &PairScorer{m, store, cfg, map[int]*pairProgram{}}, checkParams(m, store)
}

// Score gives the log-likelihood of each token of target in nats, valid until the next call,
// and whether each is the likeliest. The target follows the token start. Neither side may be
// empty or longer than the model's context.
func (s *PairScorer) Score(source []int32, start int32, target []int32) (logs []float32, greedy bool, err error) {
	if len(source) == 0 {
		return nil, false, errEmptySource
	}
	if len(target) == 0 {
		return nil, false, fmt.Errorf("generate: a target without tokens has no likelihood")
	}
	if n := max(len(source), len(target)); n > s.model.Context() {
		return nil, false, fmt.Errorf("generate: a side of %d tokens does not fit the context of %d: %w", n, s.model.Context(), ErrContext)
	}
	for _, ids := range [][]int32{source, target, {start}} {
		if err := checkTokens(ids, s.model.Vocab()); err != nil {
			return nil, false, err
		}
	}
	p, err := s.program(max(len(source), len(target)))
	if err != nil {
		return nil, false, err
	}
	p.fill(source, start, target)
	if err := p.inputs.set(); err != nil {
		return nil, false, err
	}
	if err := p.session.Run(); err != nil {
		return nil, false, err
	}
	for i, out := range [][]float32{p.nll, p.logits} {
		if err := p.session.Output(i, out); err != nil {
			return nil, false, err
		}
	}
	logs, greedy = p.nll[:len(target)], true
	for i, id := range target {
		logs[i] = -logs[i]
		v := s.model.Vocab()
		greedy = greedy && Likeliest(p.logits[i*v:][:v]) == id
	}
	return logs, greedy, nil
}

// fill writes a pair into the row, padded.
func (p *pairProgram) fill(source []int32, start int32, target []int32) {
	for i := range p.nll {
		p.ints["source_ids"][i], p.ints["source_segments"][i] = start, -1
		p.ints["ids"][i], p.ints["segments"][i], p.ints["targets"][i] = start, -1, -1
		if i < len(source) {
			p.ints["source_ids"][i], p.ints["source_segments"][i] = source[i], 0
		}
		if i < len(target) {
			p.ints["segments"][i], p.ints["targets"][i] = 0, target[i]
			if i > 0 {
				p.ints["ids"][i] = target[i-1]
			}
		}
	}
}

// program returns that of rows of at least n tokens a side.
func (s *PairScorer) program(n int) (*pairProgram, error) {
	length := min(s.model.Context(), (n+pairStep-1)/pairStep*pairStep)
	if p := s.programs[length]; p != nil {
		return p, nil
	}
	g := autograd.NewGraph()
	logits, nll := nn.PairScores(g, s.model, nn.Rows{Batch: 1, Length: length, Segments: true})
	built, err := lower(g, fmt.Sprintf("pairs.%d", length), s.store.Backend().Target(), s.cfg, nll, logits)
	if err != nil {
		return nil, err
	}
	p := &pairProgram{nll: make([]float32, length), logits: make([]float32, length*s.model.Vocab()), ints: map[string][]int32{}}
	for _, name := range []string{"source_ids", "source_positions", "source_segments", "ids", "positions", "segments", "targets"} {
		p.ints[name] = make([]int32, length)
	}
	for i := range length {
		p.ints["source_positions"][i], p.ints["positions"][i] = int32(i), int32(i)
	}
	if err := p.bind(built, s.store); err != nil {
		return nil, err
	}
	s.programs[length] = p
	return p, nil
}

func (p *pairProgram) bind(built *plan.Plan, store *exec.Store) error {
	arena, err := exec.NewArena(store.Backend(), built.Arena)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if p.session, err = exec.NewSession(built, store, arena); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if p.inputs, err = feed(p.session, p.ints); err != nil {
		return err
	}
	return p.session.SetFloats("loss_weight", []float32{1})
}
