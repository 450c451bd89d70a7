package generate

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
)

// shortest is the shortest program of a Scorer; each further one is twice as
// long, up to the context. A text runs in the shortest that holds it, so that
// at most half of the work is padding.
const shortest = 32

// Scorer gives the log-likelihood of completions, for multiple choice and
// few-shot evaluation. It plans programs when a text first needs them.
type Scorer struct {
	model          nn.LanguageModel
	store          *exec.Store
	cfg            Config
	context, vocab int
	programs       map[int]*program // by length
}

// program scores texts of up to its length.
type program struct {
	session                 *exec.Session
	ids, positions, targets []int32
	nll                     []float32
	inputs                  inputs
}

// NewScorer returns a scorer that reads m's parameters from store. It fails when
// one is missing there.
func NewScorer(m nn.LanguageModel, store *exec.Store, cfg Config) (*Scorer, error) {
	context, err := contextOf(m, cfg)
	if err != nil {
		return nil, err
	}
	if err := checkParams(m, store); err != nil {
		return nil, err
	}
	return &Scorer{model: m, store: store, cfg: cfg, context: context, vocab: m.Vocab(), programs: map[int]*program{}}, nil
}

// Score returns the log-likelihood in nats of each token of completion after
// prompt and the tokens before it. Where both exceed the context by more than
// one token, the start of prompt is left out; completion must fit whole.
func (s *Scorer) Score(prompt, completion []int32) ([]float32, error) {
	if len(prompt) == 0 {
		return nil, errEmptyPrompt
	}
	if len(completion) > s.context {
		return nil, fmt.Errorf("generate: a completion of %d tokens does not fit the context of %d", len(completion), s.context)
	}
	if len(completion) == 0 {
		return nil, nil
	}
	// The last token is predicted only, so context + 1 tokens fit.
	prompt = prompt[max(0, len(prompt)+len(completion)-1-s.context):]
	text := append(append(make([]int32, 0, len(prompt)+len(completion)), prompt...), completion...)
	if err := checkTokens(text, s.vocab); err != nil {
		return nil, err
	}
	p, err := s.program(len(text) - 1)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	first := len(prompt) - 1 // the row that predicts completion[0]
	for i := range p.ids {
		p.ids[i], p.targets[i] = 0, -1
		if i < len(text)-1 {
			p.ids[i] = text[i]
			if i >= first {
				p.targets[i] = text[i+1]
			}
		}
	}
	if err := p.run(); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	likelihood := make([]float32, len(completion))
	for i := range likelihood {
		likelihood[i] = -p.nll[first+i]
	}
	return likelihood, nil
}

// program returns the program for n tokens.
func (s *Scorer) program(n int) (*program, error) {
	length := shortest
	for length < n {
		length *= 2
	}
	length = min(length, s.context)
	if p := s.programs[length]; p != nil {
		return p, nil
	}
	graph := autograd.NewGraph()
	_, nll := nn.Evaluation(graph, s.model, nn.Rows{Batch: 1, Length: length})
	built, err := lower(graph, fmt.Sprintf("score.%d", length), s.store.Backend().Target(), s.cfg, nll)
	if err != nil {
		return nil, err
	}
	arena, err := exec.NewArena(s.store.Backend(), built.Arena)
	if err != nil {
		return nil, err
	}
	session, err := exec.NewSession(built, s.store, arena)
	if err != nil {
		return nil, err
	}
	p := &program{session: session, ids: make([]int32, length), positions: make([]int32, length), targets: make([]int32, length), nll: make([]float32, length)}
	for i := range p.positions {
		p.positions[i] = int32(i)
	}
	p.inputs, err = feed(session, map[string][]int32{"ids": p.ids, "positions": p.positions, "targets": p.targets})
	if err != nil {
		return nil, err
	}
	if err := session.SetFloats("loss_weight", []float32{1}); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	s.programs[length] = p
	return p, nil
}

func (p *program) run() error {
	if err := p.inputs.set(); err != nil {
		return err
	}
	if err := p.session.Run(); err != nil {
		return err
	}
	return p.session.Output(0, p.nll)
}
