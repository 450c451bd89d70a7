package generate

import (
	"context"
	"errors"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/nn"
)

// TranslatorConfig is the size of a Translator.
type TranslatorConfig struct {
	Config
	// Batch is how many sources are translated at once, Beams the most texts of each that
	// are followed side by side; 0 is 1.
	Batch, Beams int
	// Source is the most tokens of a source, and MaxTokens that of a translation with the
	// token that ends it; 0 is the model's context.
	Source, MaxTokens int
}

// withDefaults fills in what is 0.
func (c TranslatorConfig) withDefaults(m nn.PairModel) (TranslatorConfig, error) {
	for _, size := range []struct {
		value *int
		most  int
		what  string
	}{{&c.Source, m.Context(), "the tokens of a source"}, {&c.MaxTokens, m.Context(), "the tokens of a translation"}} {
		if *size.value == 0 {
			*size.value = size.most
		}
		if *size.value < 1 || *size.value > size.most {
			return c, fmt.Errorf("generate: %s are at most %d, outside [1, %d], the model's context", size.what, *size.value, size.most)
		}
	}
	c.Batch, c.Beams = max(c.Batch, 1), max(c.Beams, 1)
	if c.Beams > m.Vocab()/2 {
		return c, fmt.Errorf("generate: %d beams of a vocabulary of %d: use %d or fewer", c.Beams, m.Vocab(), max(1, m.Vocab()/2))
	}
	return c, nil
}

// Translator writes texts of a model of pairs: it reads a batch of sources, keeps what the
// decoder needs of them, and writes the texts of all of them a token at a time, beside each
// other, with caches on both sides. What a source gives does not depend on the others.
type Translator struct {
	model  nn.PairModel
	cfg    TranslatorConfig
	encode struct {
		plan    *plan.Plan
		session *exec.Session
		inputs  inputs
		states  []string // that its outputs are for
		values  []float32
	}
	decode struct {
		plan    *plan.Plan
		session *exec.Session
		inputs  inputs
	}
	store                               *exec.Store
	sourceIDs, sourcePositions, sources []int32   // (B·S): tokens, positions, segments
	ids, positions, queries             []int32   // (B·K)
	logits                              []float32 // (B·K, V)
	caches                              []cache
	rows                                []float32 // of a cache, to move them
}

// cache is a state of the decoder's own tokens.
type cache struct {
	state string
	width int
}

// NewTranslator returns a translator that reads m's parameters from store.
func NewTranslator(m nn.PairModel, store *exec.Store, cfg TranslatorConfig) (*Translator, error) {
	t, err := DesignTranslator(m, cfg)
	if err != nil {
		return nil, err
	}
	return t, bindAlone(t, m, store)
}

// DesignTranslator returns a translator of m that has no memory on a back end yet.
func DesignTranslator(m nn.PairModel, cfg TranslatorConfig) (*Translator, error) {
	cfg, err := cfg.withDefaults(m)
	if err != nil {
		return nil, err
	}
	sources, texts := cfg.Batch*cfg.Source, cfg.Batch*cfg.Beams
	t := &Translator{
		model: m, cfg: cfg,
		sourceIDs: make([]int32, sources), sourcePositions: make([]int32, sources), sources: make([]int32, sources),
		ids: make([]int32, texts), positions: make([]int32, texts), queries: make([]int32, texts),
		logits: make([]float32, texts*m.Vocab()),
	}
	for i := range t.sourcePositions {
		t.sourcePositions[i] = int32(i % cfg.Source)
	}
	return t, nil
}

// Plan plans the programs for a back end.
func (t *Translator) Plan(target plan.Target) ([]*plan.Plan, error) {
	graph, memory := nn.PairMemory(t.model, t.cfg.Batch, t.cfg.Source)
	var values []*autograd.Node
	t.encode.states = nil
	for _, m := range memory {
		values, t.encode.states = append(values, m.Value), append(t.encode.states, m.State)
	}
	var err error
	if t.encode.plan, err = lower(graph, "encode", target, t.cfg.Config, values...); err != nil {
		return nil, err
	}
	graph, logits := nn.PairDecode(t.model, t.cfg.Batch, t.cfg.Source, t.cfg.Beams, t.cfg.MaxTokens)
	if t.decode.plan, err = lower(graph, "decode", target, t.cfg.Config, logits); err != nil {
		return nil, err
	}
	return []*plan.Plan{t.encode.plan, t.decode.plan}, nil
}

// Bind makes the programs that Plan has planned ready to run: on the model's parameters in
// store, which may be filled later, with working memory that they share.
func (t *Translator) Bind(store *exec.Store, arena *exec.Arena) (err error) {
	t.store = store
	if t.encode.session, err = exec.NewSession(t.encode.plan, store, arena); err == nil {
		t.decode.session, err = exec.NewSession(t.decode.plan, store, arena)
	}
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if t.encode.inputs, err = feed(t.encode.session, map[string][]int32{
		"source_ids": t.sourceIDs, "source_positions": t.sourcePositions, "source_segments": t.sources,
	}); err != nil {
		return err
	}
	if t.decode.inputs, err = feed(t.decode.session, map[string][]int32{
		"ids": t.ids, "positions": t.positions, "position": t.positions, "query_segments": t.queries, "source_segments": t.sources,
	}); err != nil {
		return err
	}
	longest := 0
	for _, out := range t.encode.plan.Program.Outputs {
		longest = max(longest, out.Shape.Size())
	}
	t.encode.values = make([]float32, longest)
	t.caches = nil
	for _, in := range t.decode.plan.Program.Instrs {
		for _, i := range ir.Kinds[in.Kind].Mutates {
			state := in.In[i] // (B·K·T, width)
			t.caches = append(t.caches, cache{state.Name, state.Shape.Size() / (len(t.ids) * t.cfg.MaxTokens)})
		}
	}
	return nil
}

// Config is the size of the translator, with its defaults filled in.
func (t *Translator) Config() TranslatorConfig { return t.cfg }

// read encodes sources, of which there may be fewer than the batch: the others are padding.
func (t *Translator) read(sources [][]int32) error {
	if len(sources) > t.cfg.Batch {
		return fmt.Errorf("generate: %d sources; %d are translated at once", len(sources), t.cfg.Batch)
	}
	for i := range t.sources {
		t.sourceIDs[i], t.sources[i] = 0, -1
	}
	for i, source := range sources {
		if len(source) == 0 {
			return errEmptySource
		}
		if len(source) > t.cfg.Source {
			return fmt.Errorf("generate: a source of %d tokens does not fit in %d: %w", len(source), t.cfg.Source, ErrContext)
		}
		if err := checkTokens(source, t.model.Vocab()); err != nil {
			return err
		}
		copy(t.sourceIDs[i*t.cfg.Source:], source)
		for j := range source {
			t.sources[i*t.cfg.Source+j] = 0
		}
	}
	if err := t.encode.inputs.set(); err != nil {
		return err
	}
	if err := t.encode.session.Run(); err != nil {
		return err
	}
	for i, state := range t.encode.states {
		values := t.encode.values[:t.encode.plan.Program.Outputs[i].Shape.Size()]
		if err := t.encode.session.Output(i, values); err != nil {
			return err
		}
		if err := t.store.Write(state, values); err != nil {
			return err
		}
	}
	return nil
}

// errEmptySource is that of a source without tokens.
var errEmptySource = errors.New("generate: a source is empty: there is nothing to read")

// step appends t.ids to the texts, whose tokens before are at places below place, and
// computes the logits after them.
func (t *Translator) step(place int) error {
	for i := range t.positions {
		t.positions[i] = int32(place)
	}
	if err := t.decode.inputs.set(); err != nil {
		return err
	}
	if err := t.decode.session.Run(); err != nil {
		return err
	}
	return t.decode.session.Output(0, t.logits)
}

// reorder makes text i go on from what text from[i] was, of places tokens: it moves rows
// of the caches. Where nothing changes it does nothing.
func (t *Translator) reorder(from []int, places int) error {
	for _, c := range t.caches {
		text := t.cfg.MaxTokens * c.width
		used := places * c.width
		if memory := t.store.View(c.state); memory != nil {
			t.move(from, used, func(i int, rows []float32) error {
				copy(rows, memory[i*text:])
				return nil
			}, func(i int, rows []float32) error {
				copy(memory[i*text:], rows)
				return nil
			})
			continue
		}
		err := t.move(from, used,
			func(i int, rows []float32) error { return t.store.ReadAt(c.state, i*text, rows) },
			func(i int, rows []float32) error { return t.store.WriteAt(c.state, i*text, rows) })
		if err != nil {
			return err
		}
	}
	return nil
}

// move reads what every text needs that another was, then writes it.
func (t *Translator) move(from []int, used int, read, write func(text int, rows []float32) error) error {
	if need := len(from) * used; len(t.rows) < need {
		t.rows = make([]float32, need)
	}
	for i, parent := range from {
		if parent != i {
			if err := read(parent, t.rows[i*used:][:used]); err != nil {
				return err
			}
		}
	}
	for i, parent := range from {
		if parent != i {
			if err := write(i, t.rows[i*used:][:used]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Translate searches a text for each of up to Batch sources by beam search, of which greedy
// decoding is that with one beam. start is the token that texts follow; it is no part of
// them. The results are in the order of the sources.
func (t *Translator) Translate(ctx context.Context, sources [][]int32, start int32, opt BeamOptions) ([]Translation, error) {
	if err := opt.check(t.cfg); err != nil {
		return nil, err
	}
	if err := checkTokens([]int32{start}, t.model.Vocab()); err != nil {
		return nil, err
	}
	if err := t.read(sources); err != nil {
		return nil, err
	}
	most := opt.MaxTokens
	if most == 0 {
		most = t.cfg.MaxTokens
	}
	searches := make([]*search, len(sources))
	for i := range searches {
		searches[i] = newSearch(opt, t.cfg.Beams, most, t.model.Vocab())
	}
	for i := range t.ids {
		t.ids[i] = start
	}
	from := make([]int, len(t.ids))
	for place := range most {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := t.step(place); err != nil {
			return nil, err
		}
		for i := range from {
			from[i] = i
		}
		open := false
		for i, s := range searches {
			if s.done {
				continue
			}
			first := i * t.cfg.Beams
			if err := s.step(t.logits[first*t.model.Vocab():][:s.beams*t.model.Vocab()]); err != nil {
				return nil, err
			}
			open = open || !s.done
			for b := range s.beams {
				t.ids[first+b], from[first+b] = s.running[b].last(), first+s.parents[b]
			}
		}
		if !open {
			break
		}
		if err := t.reorder(from, place+1); err != nil {
			return nil, err
		}
	}
	results := make([]Translation, len(sources))
	for i, s := range searches {
		results[i] = s.best()
	}
	return results, nil
}
