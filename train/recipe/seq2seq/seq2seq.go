// Package seq2seq is the recipe of encoders and decoders: the target of each pair of texts,
// token by token, given its source. Evaluations measure the NLL of held-out targets and what
// the model makes of some held-out sources, in BLEU and chrF.
package seq2seq

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"example.com/gotrain/data"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Config are the keys of the recipe.
type Config struct {
	// Translations is how many held-out sources an evaluation translates for BLEU and chrF, 0
	// for none; Shown is how many of them it shows.
	Translations int `yaml:"translations"`
	Shown        int `yaml:"shown"`
	// Beams is how many texts a translation follows side by side; 1 is greedy.
	Beams int `yaml:"beams"`
}

// Data is the section data of pairs.
type Data struct {
	data.Config `yaml:",inline"`
	Pairs       pairs.Config `yaml:"pairs"`
}

// Validate reports every fault at once.
func (d Data) Validate() error {
	if len(d.Sources) > 0 {
		return errors.Join(errors.New("data.sources are for text: name all files of pairs in data.train"), d.Pairs.Validate())
	}
	if d.Pairs.Cipher > 0 && len(d.ValidationPaths) > 0 {
		return errors.New("data.pairs.cipher makes pairs of one text: hold some out with data.validation")
	}
	return errors.Join(d.Config.Validate(), d.Pairs.Validate())
}

// Keys are where the two texts of a pair stand in the files of the run.
func (d *Data) Keys() pairs.Config { return d.Pairs }

// FitTo streams both sides of the pairs that are trained on; see text.Fitter.
func (d *Data) FitTo() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for p, err := range d.train() {
			if err != nil {
				yield(nil, err)
				return
			}
			if pairs.HeldOut(p, d.Validation) {
				continue
			}
			if !yield([]byte(p.Source), nil) || !yield([]byte(p.Target), nil) {
				return
			}
		}
	}
}

// train streams the pairs of data.train.
func (d *Data) train() iter.Seq2[pairs.Pair, error] {
	paths, _, err := d.Files()
	var targets []string
	if err == nil {
		targets, err = data.ExpandPaths(d.Pairs.Targets)
	}
	if err != nil {
		return failed(err)
	}
	return d.Pairs.Read(paths, targets, d.Encoding)
}

// held streams the pairs of data.validation_paths.
func (d *Data) held() iter.Seq2[pairs.Pair, error] {
	_, paths, err := d.Files()
	var targets []string
	if err == nil {
		targets, err = data.ExpandPaths(d.Pairs.ValidationTargets)
	}
	if err != nil {
		return failed(err)
	}
	return d.Pairs.Read(paths, targets, d.Encoding)
}

func failed(err error) iter.Seq2[pairs.Pair, error] {
	return func(yield func(pairs.Pair, error) bool) { yield(pairs.Pair{}, err) }
}

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:   "seq2seq",
		Config: func() any { return &Config{Translations: 64, Shown: 3, Beams: 1} },
		Formats: []config.Choice{{Name: pairs.Format, New: func() any {
			return &Data{Config: data.Config{Format: data.FormatText, TextKey: "text", BOS: true}, Pairs: pairs.Default()}
		}}},
		Check: check, Design: design, Open: open, Inspect: inspect,
	}
}

func check(c config.Config) error {
	var errs []error
	r := keys(c)
	for name, n := range map[string]int{"translations": r.Translations, "shown": r.Shown} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("recipe.%s is %d; use 0 for none", name, n))
		}
	}
	if r.Beams < 1 || r.Beams > maxBeams {
		errs = append(errs, fmt.Errorf("recipe.beams is %d, outside [1, %d]: 1 is greedy", r.Beams, maxBeams))
	}
	return errors.Join(errs...)
}

const maxBeams = 64

// keys are those of the section recipe.
func keys(c config.Config) Config { return *c.Recipe.Value().(*Config) }

// section is the section data.
func section(c config.Config) (*Data, error) {
	d, ok := c.Data.Value().(*Data)
	if !ok {
		return nil, fmt.Errorf("data.format is %s; pairs are of format %s", c.Data.Name(), pairs.Format)
	}
	return d, nil
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	m, from, err := text.Model(ctx, &env)
	if err != nil {
		return nil, err
	}
	pm, err := nn.AsPairModel(m)
	if err != nil {
		return nil, fmt.Errorf("recipe seq2seq: %w", err)
	}
	c := env.Config
	j := &recipe.Job{
		Config: c, VocabFrom: from,
		Parts:  []recipe.Part{{Model: m, Base: c.Base, Adapter: c.Adapter}},
		Phases: []recipe.Phase{{Loss: text.PairLoss(c, pm, size(c)), Optimizer: c.Optimizer}},
		Score:  text.PairScore(pm, size(c)),
		Unit:   recipe.Unit{Name: "tokens", PerSample: c.Length()},
	}
	if j.Reading, err = reading(c); err != nil {
		return nil, err
	}
	if r := keys(c); r.Translations > 0 && c.Length() <= pm.Context() {
		tr, err := generate.DesignTranslator(pm, generate.TranslatorConfig{
			Config: generate.Config{Compute: c.Compute()}, Batch: batchOf(r), Beams: r.Beams, Source: c.Length(), MaxTokens: c.Length(),
		})
		if err != nil {
			return nil, err
		}
		j.Tools = []recipe.Tool{tr}
	}
	return j, nil
}

// batchOf is how many sources are translated at once.
func batchOf(c Config) int { return max(1, min(16, c.Translations)) }

// reading is what the pairs take of memory.
func reading(c config.Config) (data.Memory, error) {
	d, err := section(c)
	if err != nil {
		return data.Memory{}, err
	}
	paths, held, err := d.Files()
	if err != nil {
		return data.Memory{}, nil // whoever reads them says so
	}
	return pairs.Memory(append(paths, held...)), nil
}

// size is that of rows of pairs.
func size(c config.Config) nn.Rows { return nn.Rows{Length: c.Length(), Segments: true} }

// opened are the pairs of a run as a model gets them.
type opened struct {
	encoder     pairs.Encoder
	train, held *pairs.Set // held may have no pairs
	ledger      *data.Ledger
}

// read encodes the pairs of env. known is what the run has trained on and holds out already,
// nil for nothing.
func read(ctx context.Context, env recipe.Env, enc pairs.Encoder, known *data.Ledger) (*opened, error) {
	c := env.Config
	d, err := section(c)
	if err != nil {
		return nil, err
	}
	o := &opened{encoder: enc}
	split := pairs.Split{Fraction: d.Validation, Known: known}
	if o.train, o.held, o.ledger, err = pairs.Build(ctx, enc, c.Length(), d.Pairs.MaxPairs, split, counted(env, d.train())); err != nil {
		return nil, err
	}
	if len(d.ValidationPaths) > 0 {
		if o.held, _, _, err = pairs.Build(ctx, enc, c.Length(), d.Pairs.MaxPairs, pairs.Split{}, d.held()); err != nil {
			return nil, fmt.Errorf("held-out pairs: %w", err)
		}
	}
	return o, nil
}

// counted tells env how many pairs have come.
func counted(env recipe.Env, list iter.Seq2[pairs.Pair, error]) iter.Seq2[pairs.Pair, error] {
	if env.Progress == nil {
		return list
	}
	return func(yield func(pairs.Pair, error) bool) {
		seen := data.Progress{Doing: data.Conversing}
		for p, err := range list {
			if seen.Documents++; seen.Documents%4096 == 0 {
				env.Progress(seen)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// tell says what of the pairs is not learnt, or perhaps should not be.
func (o *opened) tell(env recipe.Env) {
	for _, s := range []pairs.Stats{o.train.Stats(), o.held.Stats()} {
		if s.Long > 0 {
			env.Telling("left out", "%d pairs with a side of more than %d tokens, the first at %s", s.Long, env.Config.Length(), s.LongFirst)
		}
		if s.Copies > 0 {
			env.Telling("copies", "%d pairs whose target is their source, the first at %s; take them out if they should not be learnt", s.Copies, s.CopiesFirst)
		}
	}
}

// open encodes the pairs and packs them into batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	enc, err := text.PairEncoder(tokens, &id)
	if err != nil {
		return nil, err
	}
	known, err := text.Ledger(env)
	if err != nil {
		return nil, err
	}
	o, err := read(ctx, env, enc, known)
	if err != nil {
		return nil, err
	}
	j, err := design(ctx, env)
	if err != nil {
		return nil, err
	}
	j.VocabFrom = "the tokenizer"
	if j.Split, err = text.KeepLedger(env, known, o.ledger); err != nil {
		return nil, err
	}
	o.tell(env)
	m := j.Parts[0].Model
	j.Parts[0].Files = func() ([]checkpoint.File, error) { return hub.Files(m, tokens, id) }
	j.Facts = []ranks.Fact{
		{Name: "tokenizer", Value: tokens.Fingerprint(), Cure: "the run's directory has to be one that all nodes share"},
		{Name: "data", Value: fmt.Sprintf("%+v", o.train.Stats()), Cure: "data.train has to name the same content on all nodes"},
	}
	return j, o.batches(env, j, id.Ends(tokens))
}

// batches gives the job its sources and what evaluations measure and show.
func (o *opened) batches(env recipe.Env, j *recipe.Job, ends []int32) error {
	c := env.Config
	d, err := section(c)
	if err != nil {
		return err
	}
	loader, err := pairs.NewLoader(o.train, data.LoaderConfig{Sequences: c.Sequences(c.TrainRows()), Seed: c.Run.Seed}, d.Pairs.Packing, o.encoder)
	if err != nil {
		return err
	}
	s := o.train.Stats()
	source, target := loader.Density(c.Length())
	j.Train, j.TrainUnits, j.Epoch = loader, s.TargetTokens, uint64(loader.Epoch())
	env.Telling("pairs", "%d, %d tokens of sources and %d of targets; rows of %d full to %.1f%% and %.1f%%", s.Pairs, s.SourceTokens, s.TargetTokens, c.Length(), 100*source, 100*target)
	if o.held.Len() == 0 {
		return text.CheckEval(c, nil)
	}
	env.Telling("held out", "%d pairs", o.held.Len())
	eval, err := pairs.NewEval(o.held, c.Sequences(c.EvalRows()), d.Pairs.Packing, o.encoder)
	if err != nil {
		return err
	}
	j.Eval, j.EvalUnits = eval, o.held.Stats().TargetTokens
	sample := o.encoder.Text(o.held.Example(0).Source)
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", sample)
	}
	if len(j.Tools) > 0 {
		o.translate(j, keys(c), ends)
	}
	return text.CheckEval(c, eval)
}

var _ text.Fitter = (*Data)(nil)
