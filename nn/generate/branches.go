package generate

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// Branches is a prompt and the completions of it that are scored.
type Branches struct {
	Prompt      []int32
	Completions [][]int32
}

// Longest is the number of tokens that the caches take for the prompt with its longest
// completion, whose last token is predicted only.
func (b Branches) Longest() int {
	longest := 0
	for _, c := range b.Completions {
		longest = max(longest, len(c)-1)
	}
	return len(b.Prompt) + longest
}

// Likelihood is what a completion scores.
type Likelihood struct {
	Logs   []float32 // log-likelihood of each token, nats
	Greedy bool      // each token is the likeliest, of equals the one of the lowest id; only where that is asked for
}

// Lengths of the programs of a BranchScorer: a prompt goes in by the first, then by the
// second, and what is scored by pieces of the second.
const (
	fillTokens = 64
	tailTokens = 8
)

// BranchScorer scores completions of several prompts at once. Keys and values of a
// prompt are computed once, in caches that its completions share: one after the other
// stands behind the prompt in its place. What a completion scores depends neither on the
// others nor on the prompts beside its own, to the bit: each prompt and each completion
// is cut into the same pieces whatever is scored with them.
type BranchScorer struct {
	model         nn.LanguageModel
	batch, vocab  int // B, V
	context, most int // tokens of a text, positions of the model
	greedy        bool
	long, short   *pieces // reads prompts
	tail          *pieces // scores
}

// pieces is a program that reads one piece of each prompt, of so many tokens.
type pieces struct {
	length                   int
	session                  *exec.Session
	inputs                   inputs
	ids, positions, position []int32   // (B·T), (B·T), (B)
	rows, targets            []int32   // (M): which token predicts which; the target below 0 is none
	nll                      []float32 // (M)
	logits                   []float32 // (M, V)
}

// NewBranchScorer returns a scorer of batch prompts at once that reads m's parameters
// from store. cfg.Context is the most tokens of a prompt with a completion, but for the
// completion's last: it decides the memory that the caches take, which stays with the store
// for the next scorer of the same size. With greedy it tells whether completions are what greedy decoding gives.
func NewBranchScorer(m nn.LanguageModel, store *exec.Store, cfg Config, batch int, greedy bool) (*BranchScorer, error) {
	context, err := contextOf(m, cfg)
	if err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("generate: %d prompts at once; use 1 or more", batch)
	}
	if err := checkParams(m, store); err != nil {
		return nil, err
	}
	s := &BranchScorer{model: m, batch: batch, vocab: m.Vocab(), context: context, most: m.Context(), greedy: greedy}
	s.long, s.short, s.tail = s.pieces(fillTokens, 0), s.pieces(tailTokens, 0), s.pieces(tailTokens, tailTokens)
	var plans []*plan.Plan
	for _, p := range s.programs() {
		graph, outputs := s.graph(p)
		built, err := lower(graph, fmt.Sprintf("branches.%d.%d", p.length, len(p.rows)), store.Backend().Target(), cfg, outputs...)
		if err != nil {
			return nil, err
		}
		plans = append(plans, built)
	}
	arena, err := exec.NewArenaFor(store.Backend(), plans)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	for i, p := range s.programs() {
		if err := p.bind(plans[i], store, arena); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *BranchScorer) programs() []*pieces { return []*pieces{s.long, s.short, s.tail} }

// pieces returns a program that scores up to scored tokens a prompt.
func (s *BranchScorer) pieces(length, scored int) *pieces {
	n, m := s.batch*length, s.batch*scored
	p := &pieces{
		length: length, ids: make([]int32, n), positions: make([]int32, n), position: make([]int32, s.batch),
		rows: make([]int32, m), targets: make([]int32, m), nll: make([]float32, m),
	}
	if s.greedy {
		p.logits = make([]float32, m*s.vocab)
	}
	return p
}

// graph returns what p computes: what it appends to the caches, and the NLL (M) of
// targets after the tokens of rows, with their logits (M, V) where they are asked for.
func (s *BranchScorer) graph(p *pieces) (g *autograd.Graph, outputs []*autograd.Node) {
	g = autograd.NewGraph()
	in := nn.NewInputs(g, s.batch, p.length)
	// The piece that a text ends in may be padded, beyond the context. Caches of another size
	// are other states.
	rows := s.context + fillTokens
	in.Cache = &nn.Cache{Name: fmt.Sprintf("branches.%d.%d", s.batch, rows), Rows: rows, Position: g.Ints("position", s.batch)}
	hidden, head := s.model.Build(g, in)
	if len(p.rows) == 0 {
		return g, []*autograd.Node{hidden}
	}
	which, targets, weight := g.Ints("rows", len(p.rows)), g.Ints("targets", len(p.targets)), g.Floats("loss_weight", 1)
	g.In("loss", func() {
		hidden = autograd.Embedding(which, hidden) // (B·T, D) → (M, D)
		_, nll := autograd.LinearCrossEntropy(hidden, head, targets, weight, autograd.LossConfig{})
		outputs = append(outputs, nll)
		if s.greedy {
			outputs = append(outputs, autograd.MatMul(hidden, head, false, true)) // (M, D) × (V, D)ᵀ → (M, V)
		}
	})
	return g, outputs
}

func (p *pieces) bind(built *plan.Plan, store *exec.Store, arena *exec.Arena) error {
	var err error
	if p.session, err = exec.NewSession(built, store, arena); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if p.inputs, err = feed(p.session, map[string][]int32{
		"ids": p.ids, "positions": p.positions, "position": p.position, "rows": p.rows, "targets": p.targets,
	}); err != nil {
		return err
	}
	if len(p.rows) > 0 {
		err = p.session.SetFloats("loss_weight", []float32{1})
	}
	return err
}

// Score scores the completions of up to as many prompts as the scorer takes at once.
func (s *BranchScorer) Score(list []Branches) ([][]Likelihood, error) {
	if len(list) > s.batch {
		return nil, fmt.Errorf("generate: %d prompts; %d are scored at once", len(list), s.batch)
	}
	scores := make([][]Likelihood, len(list))
	for i, b := range list {
		if err := s.check(b); err != nil {
			return nil, err
		}
		for _, c := range b.Completions {
			scores[i] = append(scores[i], Likelihood{Logs: make([]float32, len(c)), Greedy: s.greedy})
		}
	}
	begin, err := s.fill(list)
	if err != nil {
		return nil, err
	}
	queues := make([][]piece, len(list))
	for i, b := range list {
		queues[i] = b.pieces(begin[i], scores[i])
	}
	return scores, s.follow(queues)
}

// check refuses what does not fit.
func (s *BranchScorer) check(b Branches) error {
	if len(b.Prompt) == 0 {
		return errEmptyPrompt
	}
	if n := b.Longest(); n > s.context {
		return fmt.Errorf("generate: a prompt of %d tokens with its completions takes %d, the context has %d", len(b.Prompt), n, s.context)
	}
	for _, text := range append([][]int32{b.Prompt}, b.Completions...) {
		if err := checkTokens(text, s.vocab); err != nil {
			return err
		}
	}
	return nil
}
