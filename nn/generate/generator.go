package generate

import (
	"errors"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// Config configures a Generator or a Scorer.
type Config struct {
	// Context limits the tokens of a text, and with them the caches; 0 is the
	// model's context, which it must not exceed.
	Context int
	// Compute is the precision of matrix products; see plan.Options.
	Compute ir.DType
}

// Generator continues texts. Its caches are states of the store, so that one
// store has one Generator of a given context. [New] makes one for a model that is
// loaded; a run that plans all of its memory before it starts calls [Design],
// Generator.Plan and Generator.Bind itself.
type Generator struct {
	model          nn.LanguageModel
	cfg            Config
	vocab, context int
	prefill        prefill   // of all tokens that are new but the last
	decode         *step     // of the last
	tokens         []int32   // the tokens of those rows
	logits         []float32 // (V), after the last of them; Sampler.Next overwrites it
}

// New returns a generator that reads m's parameters from store. It fails when
// one is missing there, and when memory for the caches is.
func New(m nn.LanguageModel, store *exec.Store, cfg Config) (*Generator, error) {
	g, err := Design(m, cfg)
	if err != nil {
		return nil, err
	}
	return g, bindAlone(g, m, store)
}

// Design returns a generator of m that has no memory on a back end yet.
func Design(m nn.LanguageModel, cfg Config) (*Generator, error) {
	context, err := contextOf(m, cfg)
	if err != nil {
		return nil, err
	}
	return &Generator{
		model: m, cfg: cfg, vocab: m.Vocab(), context: context, prefill: designPrefill(context), decode: newStep(1),
		tokens: make([]int32, 0, context), logits: make([]float32, m.Vocab()),
	}, nil
}

// Plan plans the programs for a back end.
func (g *Generator) Plan(target plan.Target) ([]*plan.Plan, error) {
	plans, err := g.prefill.plan(g.model, "", g.context, target, g.cfg)
	if err != nil {
		return nil, err
	}
	graph, logits := nn.Decode(g.model, 1, 1, g.context)
	g.decode.plan, err = lower(graph, "decode", target, g.cfg, logits)
	return append(plans, g.decode.plan), err
}

// Bind makes the programs that Plan has planned ready to run: on the model's
// parameters in store, which may be filled later, with working memory that they
// share.
func (g *Generator) Bind(store *exec.Store, arena *exec.Arena) error {
	if err := g.prefill.bind(store, arena); err != nil {
		return err
	}
	return g.decode.bind(store, arena, g.decode.positions)
}

// designed is a reader of a model that has no memory on a back end yet.
type designed interface {
	Plan(plan.Target) ([]*plan.Plan, error)
	Bind(*exec.Store, *exec.Arena) error
}

// bindAlone plans and binds d with memory of its own, for a model that is loaded into store.
func bindAlone(d designed, m nn.Model, store *exec.Store) error {
	plans, err := d.Plan(store.Backend().Target())
	if err != nil {
		return err
	}
	if err := checkParams(m, store); err != nil {
		return err
	}
	arena, err := exec.NewArenaFor(store.Backend(), plans)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return d.Bind(store, arena)
}

// checkParams verifies that store holds m.
func checkParams(m nn.Model, store *exec.Store) error {
	for _, p := range m.Params() {
		st := store.Get(p.State())
		if st == nil || !st.Shape.Equal(p.Shape) {
			return fmt.Errorf("generate: the store does not hold parameter %q %s: load or initialise the model first", p.State(), p.Shape)
		}
	}
	return nil
}

// contextOf returns the context of cfg.
func contextOf(m nn.LanguageModel, cfg Config) (int, error) {
	most := m.Context()
	if cfg.Context < 0 || cfg.Context > most {
		return 0, fmt.Errorf("generate: context %d is outside [1, %d], the model's: 0 takes all of it", cfg.Context, most)
	}
	if cfg.Context == 0 {
		return most, nil
	}
	return cfg.Context, nil
}

// lower plans the part of graph that outputs need.
func lower(graph *autograd.Graph, name string, target plan.Target, cfg Config, outputs ...*autograd.Node) (*plan.Plan, error) {
	p, err := graph.Lower(name, outputs...)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	built, err := plan.Build(p, plan.Options{Compute: cfg.Compute, Target: target})
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	return built, nil
}

// Context returns the most tokens that a text may have.
func (g *Generator) Context() int { return g.context }

// Tokens returns the text that the caches hold, valid until the next call.
func (g *Generator) Tokens() []int32 { return g.tokens }

// Logits returns the logits (V) after the last token, valid until the next
// call.
func (g *Generator) Logits() []float32 { return g.logits }

// Truncate forgets all but the first n tokens. Truncate(0) starts a new text,
// and is needed whenever the parameters have changed.
func (g *Generator) Truncate(n int) { g.tokens = g.tokens[:min(n, len(g.tokens))] }

// errEmptyPrompt is that of a prompt after which nothing can be predicted.
var errEmptyPrompt = errors.New("generate: the prompt is empty: start with the tokenizer's first token, such as its BOS or EOS")

// checkTokens wants tokens of a vocabulary.
func checkTokens(tokens []int32, vocab int) error {
	for _, token := range tokens {
		if token < 0 || int(token) >= vocab {
			return fmt.Errorf("generate: token %d is outside the vocabulary of %d", token, vocab)
		}
	}
	return nil
}

// ErrContext says that a text has no room in the context.
var ErrContext = errors.New("the context is full")

// Append extends the text by tokens and computes the logits after the last.
// One token costs no allocation.
func (g *Generator) Append(tokens ...int32) error {
	if room := g.context - len(g.tokens); len(tokens) > room {
		return fmt.Errorf("generate: %d tokens, but the context of %d has room for %d: %w", len(tokens), g.context, room, ErrContext)
	}
	if err := checkTokens(tokens, g.vocab); err != nil {
		return err
	}
	if len(tokens) == 0 {
		return nil
	}
	if len(tokens) == 0 {
		return nil
	}
	at, last := len(g.tokens), len(g.tokens)+len(tokens)-1
	g.tokens = append(g.tokens, tokens...)
	err := g.read(at, last)
	if err != nil {
		g.tokens = g.tokens[:at]
	}
	return err
}

// read reads the tokens from at to last and computes the logits after that.
func (g *Generator) read(at, last int) error {
	if err := g.prefill.read(g.tokens[:last], at, g.context); err != nil {
		return err
	}
	g.decode.ids[0], g.decode.positions[0] = g.tokens[last], int32(last)
	if err := g.decode.run(); err != nil {
		return err
	}
	return g.decode.session.Output(0, g.logits)
}
