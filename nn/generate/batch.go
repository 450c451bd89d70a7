package generate

import (
	"fmt"
	"strings"

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
	prefill        prefill // of the prompt's caches
	decode         *step
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
		model: m, cfg: cfg, vocab: m.Vocab(), context: context, prefill: designPrefill(context),
		decode: newStep(cfg.Rows), logits: make([]float32, cfg.Rows*m.Vocab()), lse: make([]float32, cfg.Rows),
	}
	return b, nil
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
	plans, err := b.prefill.plan(b.model, promptCaches, b.context, target, b.cfg.Config)
	if err != nil {
		return nil, err
	}
	graph, logits, lse := nn.DecodeRows(b.model, slotCaches, b.cfg.Rows, b.context, b.cfg.Temperature)
	b.decode.plan, err = lower(graph, fmt.Sprintf("decode.rows.%d", b.cfg.Rows), target, b.cfg.Config, logits, lse)
	return append(plans, b.decode.plan), err
}

// Bind makes the programs that Plan has planned ready to run: on the model's parameters in
// store, which may be filled later, with working memory that they share.
func (b *Batch) Bind(store *exec.Store, arena *exec.Arena) error {
	b.store = store
	if err := b.prefill.bind(store, arena); err != nil {
		return err
	}
	if err := b.decode.bind(store, arena, b.decode.positions); err != nil {
		return err
	}
	b.caches = b.caches[:0]
	for name, state := range cachesOf(b.prefill.steps[0].plan, promptCaches) {
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
