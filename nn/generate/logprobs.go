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
	model       nn.LanguageModel
	cfg         Config
	rows        int
	length      int
	temperature float64
	plan        *plan.Plan
	program     program // nll holds log-probabilities
}

// Scored is a text whose tokens from First on are asked for, of which the text has First ≥ 1
// before.
type Scored struct {
	Text  []int32
	First int
}

// DesignLogProbs returns the LogProbs of m for rows texts at once, of up to a context and one more
// tokens, that has no memory on a back end yet. The temperature divides the logits.
func DesignLogProbs(m nn.LanguageModel, cfg Config, rows int, temperature float64) (*LogProbs, error) {
	length, err := contextOf(m, cfg)
	if err != nil {
		return nil, err
	}
	if rows < 1 || !(temperature > 0) {
		return nil, fmt.Errorf("generate: log-probabilities of %d texts at once at a temperature of %g: use 1 or more, and more than 0", rows, temperature)
	}
	return &LogProbs{model: m, cfg: cfg, rows: rows, length: length, temperature: temperature}, nil
}

// Plan plans the program for a back end.
func (l *LogProbs) Plan(target plan.Target) ([]*plan.Plan, error) {
	graph := autograd.NewGraph()
	logp, _ := nn.LogProbs(graph, l.model, nn.Rows{Batch: l.rows, Length: l.length}, false, autograd.LogProbConfig{Temperature: float32(l.temperature)})
	var err error
	l.plan, err = lower(graph, "logprobs", target, l.cfg, logp)
	return []*plan.Plan{l.plan}, err
}

// Bind makes the program ready to run on the model's parameters in store.
func (l *LogProbs) Bind(store *exec.Store, arena *exec.Arena) error {
	n := l.rows * l.length
	p := program{ids: make([]int32, n), positions: make([]int32, n), targets: make([]int32, n), nll: make([]float32, n)}
	for i := range p.positions {
		p.positions[i] = int32(i % l.length)
	}
	var err error
	if p.session, err = exec.NewSession(l.plan, store, arena); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	p.inputs, err = feed(p.session, map[string][]int32{"ids": p.ids, "positions": p.positions, "targets": p.targets})
	l.program = p
	return err
}

// Model is the one whose log-probabilities these are.
func (l *LogProbs) Model() nn.LanguageModel { return l.model }

// Of returns the log-probabilities of the tokens of each text that are asked for.
func (l *LogProbs) Of(texts []Scored) ([][]float32, error) {
	all := make([][]float32, 0, len(texts))
	for len(texts) > 0 {
		some := texts[:min(l.rows, len(texts))]
		texts = texts[len(some):]
		for i := range l.program.ids {
			l.program.ids[i], l.program.targets[i] = 0, -1
		}
		for row, t := range some {
			if len(t.Text) > l.length+1 || t.First < 1 || t.First > len(t.Text) {
				return nil, fmt.Errorf("generate: the log-probabilities of a text of %d tokens from %d on do not fit rows of %d: %w", len(t.Text), t.First, l.length, ErrContext)
			}
			if err := checkTokens(t.Text, l.model.Vocab()); err != nil {
				return nil, err
			}
			copy(l.program.ids[row*l.length:], t.Text[:len(t.Text)-1])
			copy(l.program.targets[row*l.length+t.First-1:], t.Text[t.First:])
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
