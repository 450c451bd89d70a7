package generate

import (
	"fmt"
	"strings"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// BatchConfig configures a Batch.
type BatchConfig struct {
	Config
	// Rows is the number of texts that are written at once; it is rounded up to a
	// multiple of 8. 0 is 16.
	Rows int
	// Temperature divides the logits, so that log-probabilities are those of the
	// distribution that is drawn from; 0 is 1. Options.Temperature comes on top of it.
	Temperature float64
}

// Rows of a Batch: products of fewer than rowStep rows add up in another order.
const (
	rowStep     = 8
	defaultRows = 16
)

// The names of the caches of a Batch.
const (
	slotCaches   = "slots"
	promptCaches = "prompt"
)

// prefills are the numbers of tokens of a prompt that are read at once.
var prefills = []int{64, 8}

// Batch continues many texts at once, a row of a program each. A row has caches of its own
// and is at a position of its own; when its text ends the next takes its place. A prompt
// of several samples is read once.
//
// A text depends on the seed, its prompt and the number of its sample alone: neither on
// the others nor on how many there are. On a CPU it does so to the bit, and the
// log-probabilities are those that [nn.Training] of rows which begin with the prompt computes
// with the same precision; see [Batch.Exact].
//
// As with a Generator, [NewBatch] makes one for a model that is loaded; a run that plans
// its memory calls [DesignBatch], Batch.Plan and Batch.Bind itself. A store has one Batch of
// a size.
type Batch struct {
	model          nn.LanguageModel
	cfg            BatchConfig
	vocab, context int
	store          *exec.Store
	prefill        []*step // the longest first
	decode         *step
	start          []int32   // (1): rows of the prompt's caches that are in use
	logits         []float32 // (R, V)
	lse            []float32 // (R)
	caches         []pairedCache
	buffer         []float32 // of rows of a cache on their way from a prompt to a slot
}

// pairedCache is a cache of a block, of a prompt (S, width) and of the slots (R·S, width).
type pairedCache struct {
	prompt, slots string
	width         int
}

// NewBatch returns a Batch that reads m's parameters from store. It fails when one is
// missing there, and when memory for the caches is.
func NewBatch(m nn.LanguageModel, store *exec.Store, cfg BatchConfig) (*Batch, error) {
	b, err := DesignBatch(m, cfg)
	if err != nil {
		return nil, err
	}
	return b, bindAlone(b, m, store)
}

// DesignBatch returns a Batch of m that has no memory on a back end yet.
func DesignBatch(m nn.LanguageModel, cfg BatchConfig) (*Batch, error) {
	context, err := contextOf(m, cfg.Config)
	if err != nil {
		return nil, err
	}
	if cfg.Rows == 0 {
		cfg.Rows = defaultRows
	}
	if cfg.Temperature == 0 {
		cfg.Temperature = 1
	}
	switch {
	case context < rowStep:
		return nil, fmt.Errorf("generate: a batch wants a context of %d tokens or more, not %d", rowStep, context)
	case cfg.Rows < 0:
		return nil, fmt.Errorf("generate: %d texts at once; use 1 or more", cfg.Rows)
	case !(cfg.Temperature > 0 && cfg.Temperature <= 1e3):
		return nil, fmt.Errorf("generate: a batch divides logits by a temperature in (0, 1000], not %g", cfg.Temperature)
	}
	cfg.Rows = (cfg.Rows + rowStep - 1) / rowStep * rowStep
	b := &Batch{
		model: m, cfg: cfg, vocab: m.Vocab(), context: context, start: make([]int32, 1),
		decode: newStep(cfg.Rows), logits: make([]float32, cfg.Rows*m.Vocab()), lse: make([]float32, cfg.Rows),
	}
	for _, length := range prefills {
		if length <= context {
			b.prefill = append(b.prefill, newStep(length))
		}
	}
	return b, nil
}

func newStep(tokens int) *step {
	return &step{ids: make([]int32, tokens), positions: make([]int32, tokens)}
}

// Rows is the number of texts that are written at once.
func (b *Batch) Rows() int { return b.cfg.Rows }

// Context returns the most tokens that a text may have.
func (b *Batch) Context() int { return b.context }

// Exact tells whether log-probabilities are, to the bit, those of a training program: on
// a CPU, unless the model reads more than the row, as one with a memory does. Elsewhere
// products of other sizes round otherwise, and whoever needs equal ones scores the texts
// with the program that trains.
func (b *Batch) Exact() bool {
	_, remembers := b.model.(nn.Remembering)
	return b.store.Backend().Target().HostMemory && !remembers
}

// Plan plans the programs for a back end.
func (b *Batch) Plan(target plan.Target) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	add := func(s *step, name string, graph *autograd.Graph, outputs ...*autograd.Node) (err error) {
		if s.plan, err = lower(graph, name, target, b.cfg.Config, outputs...); err == nil {
			plans = append(plans, s.plan)
		}
		return err
	}
	for _, s := range b.prefill {
		graph, hidden := nn.Prefill(b.model, promptCaches, len(s.ids), b.context)
		if err := add(s, fmt.Sprintf("prefill.%d", len(s.ids)), graph, hidden); err != nil {
			return nil, err
		}
	}
	graph, logits, lse := nn.DecodeRows(b.model, slotCaches, b.cfg.Rows, b.context, b.cfg.Temperature)
	if err := add(b.decode, fmt.Sprintf("decode.rows.%d", b.cfg.Rows), graph, logits, lse); err != nil {
		return nil, err
	}
	return plans, nil
}

// Bind makes the programs that Plan has planned ready to run: on the model's parameters in
// store, which may be filled later, with working memory that they share.
func (b *Batch) Bind(store *exec.Store, arena *exec.Arena) error {
	b.store = store
	for _, s := range append(b.prefill[:len(b.prefill):len(b.prefill)], b.decode) {
		var err error
		if s.session, err = exec.NewSession(s.plan, store, arena); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
		position := b.start
		if s == b.decode {
			position = s.positions
		}
		if s.inputs, err = feed(s.session, map[string][]int32{"ids": s.ids, "positions": s.positions, "position": position}); err != nil {
			return err
		}
	}
	b.caches = b.caches[:0]
	for name, state := range cachesOf(b.prefill[0].plan, promptCaches) {
		slots := cachesOf(b.decode.plan, slotCaches)[name]
		if slots == nil {
			return fmt.Errorf("generate: cache %s of a prompt has none of the slots", state.Name)
		}
		b.caches = append(b.caches, pairedCache{state.Name, slots.Name, state.Shape.Cols()})
	}
	return nil
}

// cachesOf are the caches of that name which a plan updates, by the rest of their names.
func cachesOf(p *plan.Plan, name string) map[string]*ir.Value {
	found := map[string]*ir.Value{}
	for _, in := range p.Program.Instrs {
		in.Writes(func(v *ir.Value) {
			if _, rest, ok := strings.Cut(v.Name, name+"."); ok && v.Class == ir.State {
				found[rest] = v
			}
		})
	}
	return found
}

// read fills the prompt's caches, which have the first at tokens already, with all tokens.
// The last programs may reach back over what is read already, which gives the same, or
// beyond the end, where nothing looks.
func (b *Batch) read(tokens []int32, at int) error {
	for i, s := range b.prefill {
		n, last := len(s.ids), i == len(b.prefill)-1
		for len(tokens)-at >= n || last && at < len(tokens) {
			from := max(0, min(at, len(tokens)-n))
			for j := range n {
				s.ids[j], s.positions[j] = 0, int32(from+j)
				if from+j < len(tokens) {
					s.ids[j] = tokens[from+j]
				}
			}
			b.start[0] = int32(from)
			if err := s.inputs.set(); err != nil {
				return err
			}
			if err := s.session.Run(); err != nil {
				return err
			}
			at = from + n
		}
	}
	return nil
}

// seat copies the first tokens of the prompt's caches to a slot.
func (b *Batch) seat(slot, tokens int) error {
	for _, c := range b.caches {
		n, at := tokens*c.width, slot*b.context*c.width
		if from, to := b.store.View(c.prompt), b.store.View(c.slots); from != nil && to != nil {
			copy(to[at:], from[:n])
			continue
		}
		if len(b.buffer) < n {
			b.buffer = make([]float32, b.context*c.width)
		}
		if err := b.store.ReadAt(c.prompt, 0, b.buffer[:n]); err != nil {
			return err
		}
		if err := b.store.WriteAt(c.slots, at, b.buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}
