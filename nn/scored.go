package nn

import (
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// Scored is a language model whose head gives a text one number in place of the next
// token's logits, as a reward model does: transformers' …ForSequenceClassification with
// one label. It is read-only and safe for concurrent use.
type Scored struct {
	lm     LanguageModel
	params []Param
	width  int
}

// ScoreName is the parameter of the head, (1, D).
const ScoreName = "score.weight"

// NewScored returns the scored model on m, whose own head it leaves out unless that is the
// table of tokens.
func NewScored(m LanguageModel) (*Scored, error) {
	c, ok := m.Config().(HeadConfig)
	if !ok {
		return nil, fmt.Errorf("a model of family %s has no head that another can take the place of", m.Family())
	}
	head, table, tied := c.Head()
	s := &Scored{lm: m}
	for _, p := range m.Params() {
		if p.Name == table {
			s.width = p.Shape[1]
		}
		if tied || p.Name != head {
			s.params = append(s.params, p)
		}
	}
	if s.width == 0 {
		return nil, fmt.Errorf("a model of family %s has no table of tokens %q", m.Family(), table)
	}
	score := Param{Name: ScoreName, Shape: []int{1, s.width}, Init: Init{Std: 0.02}, Decay: true, Role: m.Tuning().Role, DType: ir.F32, Block: -1}
	s.params = append(s.params, score)
	return s, nil
}

// Family is that of the language model.
func (s *Scored) Family() string { return s.lm.Family() }

// Config is that of the language model.
func (s *Scored) Config() any { return s.lm.Config() }

// Tuning is that of the language model.
func (s *Scored) Tuning() Tuning { return s.lm.Tuning() }

// Params are those of the language model without its head, and the head's.
func (s *Scored) Params() []Param { return s.params }

// Random tells whether a training graph draws random numbers.
func (s *Scored) Random() bool { return s.lm.Random() }

// Context is the most tokens of a text.
func (s *Scored) Context() int { return s.lm.Context() }

// HuggingFace returns the keys of a config.json of …ForSequenceClassification.
func (s *Scored) HuggingFace() (map[string]any, error) {
	keys, err := s.lm.HuggingFace()
	if err != nil {
		return nil, err
	}
	if names, ok := keys[architectures].([]string); ok && len(names) == 1 {
		name := names[0]
		for _, of := range []string{"ForCausalLM", "LMHeadModel"} {
			name = strings.TrimSuffix(name, of)
		}
		keys[architectures] = []string{name + scoredSuffix}
	}
	return keys, nil
}

// Keys of config.json by which a scored model is told.
const (
	architectures = "architectures"
	scoredSuffix  = "ForSequenceClassification"
)

// label adds the one label, of models without counterpart the architecture too.
func (s *Scored) label(keys map[string]any) {
	if keys[architectures] == nil {
		keys[architectures] = []string{scoredSuffix}
	}
	keys["id2label"], keys["label2id"] = map[string]string{"0": "LABEL_0"}, map[string]int{"LABEL_0": 0}
}

// isScored tells whether a config.json is of a scored model.
func isScored(h HF) bool {
	return slices.ContainsFunc(read(h, architectures, []string(nil)), func(name string) bool { return strings.HasSuffix(name, scoredSuffix) })
}

// scored is the model with a score in place of its head, of a spec that says so.
func scored(m Model, err error) (Model, error) {
	if err != nil {
		return nil, err
	}
	lm, ok := m.(LanguageModel)
	if !ok {
		return m, nil // a text encoder has its classes in its configuration
	}
	s, err := NewScored(lm)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Scores adds the forward pass to g and gives the score after each of the tokens that last
// (K) int32 numbers among those of the batch, (K); of last nil after every token, (N).
func (s *Scored) Scores(g *autograd.Graph, in Inputs, last *autograd.Node) *autograd.Node {
	ends, _ := s.lm.Build(g, in)
	head := s.params[len(s.params)-1]
	var score *autograd.Node
	g.In("score", func() {
		w := g.Declared(head.State())
		if w == nil {
			w = g.Param(head.State(), head.Shape...)
		}
		if last != nil {
			ends = autograd.Embedding(last, ends) // (N, D) → (K, D)
		}
		score = autograd.Reshape(autograd.MatMul(ends, w, false, true), ends.Shape()[0]) // (K, D) × (1, D)ᵀ → (K)
	})
	return score
}

// Scores reads rows: it declares the inputs of text, "rng" in training only. last is as in
// [Scored.Scores].
func Scores(g *autograd.Graph, s *Scored, r Rows, training bool, last *autograd.Node) *autograd.Node {
	in := r.inputs(g)
	if training && s.Random() {
		in.RNG = g.Ints("rng", 4)
	}
	return s.Scores(g, in, last)
}
