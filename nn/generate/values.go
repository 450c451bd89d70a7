package generate

import (
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// Values tells the score of a model after each token of texts, some rows at a time: what a
// reward model gives a text, which is that after its last token, or what a value model
// expects.
type Values struct {
	model   *nn.Scored
	cfg     Config
	rows    int
	length  int
	plan    *plan.Plan
	program program // nll holds scores
}

// DesignValues returns the Values of m for rows texts at once, of up to a context of tokens,
// that has no memory on a back end yet.
func DesignValues(m *nn.Scored, cfg Config, rows int) (*Values, error) {
	if cfg.Context < 1 || cfg.Context > m.Context() || rows < 1 {
		return nil, fmt.Errorf("generate: scores of %d texts of %d tokens: use 1 or more, and a context up to the model's %d", rows, cfg.Context, m.Context())
	}
	return &Values{model: m, cfg: cfg, rows: rows, length: cfg.Context}, nil
}

// Plan plans the program for a back end.
func (v *Values) Plan(target plan.Target) ([]*plan.Plan, error) {
	graph := autograd.NewGraph()
	scores := nn.Scores(graph, v.model, nn.Rows{Batch: v.rows, Length: v.length}, false, nil)
	var err error
	v.plan, err = lower(graph, fmt.Sprintf("values.%d", v.length), target, v.cfg, scores)
	return []*plan.Plan{v.plan}, err
}

// Bind makes the program ready to run on the model's parameters in store.
func (v *Values) Bind(store *exec.Store, arena *exec.Arena) error {
	n := v.rows * v.length
	p := program{ids: make([]int32, n), positions: make([]int32, n), nll: make([]float32, n)}
	for i := range p.positions {
		p.positions[i] = int32(i % v.length)
	}
	var err error
	if p.session, err = exec.NewSession(v.plan, store, arena); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	p.inputs, err = feed(p.session, map[string][]int32{"ids": p.ids, "positions": p.positions})
	v.program = p
	return err
}

// Model is the one whose scores these are.
func (v *Values) Model() *nn.Scored { return v.model }

// Length is the most tokens of a text.
func (v *Values) Length() int { return v.length }

// Of returns the score after each token of each text. A text's are the same whatever the
// others are.
func (v *Values) Of(texts [][]int32) ([][]float32, error) {
	all := make([][]float32, 0, len(texts))
	vocab := v.model.Config().(nn.TextConfig).Text().Vocab
	for len(texts) > 0 {
		some := texts[:min(v.rows, len(texts))]
		texts = texts[len(some):]
		clear(v.program.ids)
		for row, t := range some {
			if len(t) == 0 || len(t) > v.length {
				return nil, fmt.Errorf("generate: the scores of a text of %d tokens do not fit rows of %d: %w", len(t), v.length, ErrContext)
			}
			if err := checkTokens(t, vocab); err != nil {
				return nil, err
			}
			copy(v.program.ids[row*v.length:], t)
		}
		if err := v.program.run(); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		for row, t := range some {
			all = append(all, append([]float32(nil), v.program.nll[row*v.length:][:len(t)]...))
		}
	}
	return all, nil
}
