package generate

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// LogProbs tells the log-probabilities of texts, some rows at a time, by a forward pass like
// that of the program that trains on them.
type LogProbs struct {
	model   nn.LanguageModel
	cfg     Config
	rows    int
	length  int
	of      autograd.LogProbConfig
	plan    *plan.Plan
	program program // nll holds log-probabilities; targets what was kept of a truncated distribution
}

// Scored is a text whose tokens from First on are asked for, of which the text has First ≥ 1
// before.
type Scored struct {
	Text  []int32
	First int
	// Kept are, of a truncated distribution, the tokens that each of those was drawn from, itself
	// first.
	Kept [][]int32
}

// DesignLogProbs returns the LogProbs of m for rows texts at once, of up to a context and one more
// tokens, that has no memory on a back end yet. of says of which distribution.
func DesignLogProbs(m nn.LanguageModel, cfg Config, rows int, of autograd.LogProbConfig) (*LogProbs, error) {
	length, err := contextOf(m, cfg)
	if err != nil {
		return nil, err
	}
	if rows < 1 || !(of.Temperature > 0) || of.Kept < 0 {
		return nil, fmt.Errorf("generate: log-probabilities of %d texts at once at a temperature of %g, of %d tokens: use 1 or more, more than 0, and 0 for all tokens", rows, of.Temperature, of.Kept)
	}
	return &LogProbs{model: m, cfg: cfg, rows: rows, length: length, of: of}, nil
}

// Plan plans the program for a back end.
func (l *LogProbs) Plan(target plan.Target) ([]*plan.Plan, error) {
	graph := autograd.NewGraph()
	logp, _ := nn.LogProbs(graph, l.model, nn.Rows{Batch: l.rows, Length: l.length}, false, l.of)
	var err error
	l.plan, err = lower(graph, "logprobs", target, l.cfg, logp)
	return []*plan.Plan{l.plan}, err
}

// Bind makes the program ready to run on the model's parameters in store.
func (l *LogProbs) Bind(store *exec.Store, arena *exec.Arena) error {
	n := l.rows * l.length
	p := program{ids: make([]int32, n), positions: make([]int32, n), targets: make([]int32, n*max(1, l.of.Kept)), nll: make([]float32, n)}
	for i := range p.positions {
		p.positions[i] = int32(i % l.length)
	}
	var err error
	if p.session, err = exec.NewSession(l.plan, store, arena); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	p.inputs, err = feed(p.session, map[string][]int32{"ids": p.ids, "positions": p.positions, "targets": p.targets, "kept": p.targets})
	l.program = p
	return err
}

// Model is the one whose log-probabilities these are.
func (l *LogProbs) Model() nn.LanguageModel { return l.model }

// place is where tokens that were kept stand.
func (l *LogProbs) place() Kept { return Kept{l.of.Kept, l.length} }

// Of returns the log-probabilities of the tokens of each text that are asked for.
func (l *LogProbs) Of(texts []Scored) ([][]float32, error) {
	all := make([][]float32, 0, len(texts))
	for len(texts) > 0 {
		some := texts[:min(l.rows, len(texts))]
		texts = texts[len(some):]
		clear(l.program.ids)
		if l.of.Kept > 0 {
			l.place().Clear(l.program.targets)
		} else {
			for i := range l.program.targets {
				l.program.targets[i] = -1
			}
		}
		for row, t := range some {
			if len(t.Text) > l.length+1 || t.First < 1 || t.First > len(t.Text) {
				return nil, fmt.Errorf("generate: the log-probabilities of a text of %d tokens from %d on do not fit rows of %d: %w", len(t.Text), t.First, l.length, ErrContext)
			}
			if err := checkTokens(t.Text, l.model.Vocab()); err != nil {
				return nil, err
			}
			copy(l.program.ids[row*l.length:], t.Text[:len(t.Text)-1])
			if l.of.Kept == 0 {
				copy(l.program.targets[row*l.length+t.First-1:], t.Text[t.First:])
			} else if err := l.place().Set(l.program.targets, row, t.First, t.Kept); err != nil {
				return nil, err
			}
		}
		if err := l.program.run(); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		for row, t := range some {
			from := row*l.length + t.First - 1
			all = append(all, append([]float32(nil), l.program.nll[from:from+len(t.Text)-t.First]...))
		}
	}
	return all, nil
}
