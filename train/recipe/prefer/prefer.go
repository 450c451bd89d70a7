// Package prefer is the recipes that learn preferences from answers. Those of policies, dpo,
// kto, orpo and simpo, are each a loss over the log-probabilities of answers ([Objective]);
// reward is that of models which give answers a number. What they have in common is here:
// the data, the programs, and the log-probabilities of a reference.
//
// The reference is the model that the run begins with; with an adapter the base, since a
// new adapter changes nothing. Its log-probabilities are computed by the weights of the run
// before the first step and kept in RUN/reference.bin, so that no second model is in memory.
package prefer

import (
	"context"
	"errors"
	"fmt"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/prefer"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Format is the data.format of preferences.
const Format = "prefer"

// Data is the section data of preferences.
type Data struct {
	data.Config `yaml:",inline"`
	// Instruct says how conversations become tokens, as in instruction tuning.
	Instruct instruct.Config `yaml:"instruct"`
}

// Validate reports every fault at once.
func (d Data) Validate() error {
	errs := []error{d.Instruct.Validate()}
	if len(d.Sources) > 0 {
		errs = append(errs, errors.New("data.sources are for text: name all files of preferences in data.train, whatever their formats"))
	} else {
		errs = append(errs, d.Config.Validate())
	}
	if d.Instruct.Loss == instruct.LossAll {
		errs = append(errs, errors.New("data.instruct.loss is all: preferences are of answers; use assistant or last"))
	}
	return errors.Join(errs...)
}

// Recipes are the rows of the table.
func Recipes() []recipe.Recipe {
	reward := row("reward", func() any { return &Reward{} })
	reward.Check, reward.Design, reward.Open = checkReward, designReward, openReward
	return []recipe.Recipe{
		row("dpo", func() any { return &DPO{Beta: 0.1, Loss: Sigmoid} }),
		row("kto", func() any { return &KTO{Beta: 0.1, Desirable: 1, Undesirable: 1} }),
		row("orpo", func() any { return &ORPO{Beta: 0.1} }),
		row("simpo", func() any { return &SimPO{Beta: 2, Gamma: 0.5} }),
		reward,
	}
}

// row is that of an objective with its defaults.
func row(name string, defaults func() any) recipe.Recipe {
	return recipe.Recipe{
		Name: name, Config: defaults,
		Formats: []config.Choice{{Name: Format, New: func() any {
			return &Data{Config: data.Config{Format: data.FormatText, TextKey: "text", BOS: true}, Instruct: instruct.Default()}
		}}},
		Check: check, Design: design, Open: open,
	}
}

func check(c config.Config) error {
	var errs []error
	if !c.Train.DocumentMask {
		errs = append(errs, fmt.Errorf("data.format %s needs train.document_mask: true: answers that share a row must not see each other", Format))
	}
	if c.Tokenizer.Path == "" && c.Tokenizer.Kind != "bytes" {
		errs = append(errs, fmt.Errorf("data.format %s needs a tokenizer: name a model with base, or a directory with tokenizer.path, or set tokenizer.kind bytes", Format))
	}
	if c.Train.Smoothing != 0 || c.Train.ZLoss != 0 {
		errs = append(errs, fmt.Errorf("train.label_smoothing and train.z_loss are of the next token: recipe %s has none", c.Recipe.Name()))
	}
	return errors.Join(errs...)
}

// parts are what a job of a configuration has beside its data.
type parts struct {
	config    config.Config
	objective Objective
	model     nn.LanguageModel
	reference *reference // nil for an objective that has none
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, _, err := newJob(ctx, env)
	return j, err
}

// newJob is the job without its data.
func newJob(ctx context.Context, env recipe.Env) (*recipe.Job, *parts, error) {
	m, from, err := text.Model(ctx, &env)
	if err != nil {
		return nil, nil, err
	}
	lm, err := nn.AsLanguageModel(m)
	if err != nil {
		return nil, nil, fmt.Errorf("recipe %s: %w", env.Config.Recipe.Name(), err)
	}
	j, err := text.Of(env.Config, lm)
	if err != nil {
		return nil, nil, err
	}
	c := env.Config
	p := &parts{config: c, objective: c.Recipe.Value().(Objective), model: lm}
	j.VocabFrom = from
	j.Phases = []recipe.Phase{{Loss: p.loss(true), Optimizer: c.Optimizer}}
	j.Score = p.loss(false)
	if p.objective.Want()&prefer.Referred != 0 {
		p.reference = newReference(p)
		j.Tools = append(j.Tools, p.reference)
	}
	return j, p, nil
}

// size is that of rows rows of text.
func (p *parts) size(rows int) nn.Rows {
	return nn.Rows{Batch: rows, Length: p.config.Length(), Segments: true, Carried: nn.Remembers(p.model)}
}

// sums are the log-probabilities of the sequences of rows, (2·P·rows).
func (p *parts) sums(g *autograd.Graph, rows int, training bool) *autograd.Node {
	logp, _ := nn.LogProbs(g, p.model, p.size(rows), training, autograd.LogProbConfig{})
	length := p.config.Length()
	return autograd.SegmentSum(logp, g.Ints(prefer.Answers, rows*length), 2*rows*prefer.PerRow(length))
}

// loss is the mean of the objective over samples.
func (p *parts) loss(training bool) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		k := rows * prefer.PerRow(p.config.Length())
		sums := p.sums(g, rows, training)
		g.In("loss", func() {
			x := Compared{Rows: rows, Label: g.Floats(prefer.Labels, k)}
			x.Present = autograd.Mul(x.Label, x.Label)
			x.First, x.Second = sides(autograd.Mul(sums, g.Floats(prefer.Weights, 2*k)))
			if p.reference != nil {
				x.RefFirst, x.RefSecond = sides(g.Floats(prefer.Reference, 2*k))
			}
			each, shown := p.objective.PerSample(x)
			each = x.only(each)
			l.Value = weighted(g, each)
			l.Metrics = append([]recipe.Metric{{Name: "loss", Sum: each}}, shown...)
		})
		return l
	}
}

// sides takes (2K) apart: the first and the second of each two.
func sides(x *autograd.Node) (first, second *autograd.Node) {
	k := x.Shape().Size() / 2
	x = autograd.Reshape(x, k, 2)
	return autograd.Reshape(autograd.Slice(x, 1, 0, 1), k), autograd.Reshape(autograd.Slice(x, 1, 1, 2), k)
}

// weighted is the loss of a step of the losses of samples.
func weighted(g *autograd.Graph, each *autograd.Node) *autograd.Node {
	sum := autograd.Reshape(autograd.Sum(each), 1)
	return autograd.Reshape(autograd.Mul(sum, g.Floats("loss_weight", 1)))
}

// material is the preferences of a configuration as a model reads them.
type material struct {
	data     *Data
	tokens   data.Tokenizer
	identity hub.Identity
	encoder  *instruct.Encoder
	train    *prefer.Set
	held     *prefer.Set // nil where nothing is held out
	pad      int32
}

// openMaterial reads the preferences of env, whose configuration gets what the tokenizer
// tells.
func openMaterial(ctx context.Context, env *recipe.Env, kind string, want prefer.Want) (*material, error) {
	tokens, id, err := text.Open(ctx, env)
	if err != nil {
		return nil, err
	}
	d, ok := env.Config.Data.Value().(*Data)
	if !ok {
		return nil, fmt.Errorf("data.format is %s; preferences are of format %s", env.Config.Data.Name(), Format)
	}
	m := &material{data: d, tokens: tokens}
	if m.encoder, err = text.Conversing(*env, &d.Instruct, tokens, &id); err != nil {
		return nil, err
	}
	if m.train, m.held, err = read(ctx, env.Config, d, kind, want, m.encoder); err != nil {
		return nil, err
	}
	m.pad = text.EndTurns(&id, m.train.EndTokens())
	m.identity = id
	return m, nil
}

// open reads the preferences and gives the job its batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	objective := env.Config.Recipe.Value().(Objective)
	m, err := openMaterial(ctx, &env, objective.Kind(), objective.Want())
	if err != nil {
		return nil, err
	}
	j, p, err := newJob(ctx, env)
	if err != nil {
		return nil, err
	}
	if err := text.Finish(j, env, m.tokens, m.identity); err != nil {
		return nil, err
	}
	if err := m.batches(env, j, objective.Want()); err != nil {
		return nil, err
	}
	if p.reference != nil {
		p.reference.keep(env, m.encoder.Template().Source(), m.train, m.held)
		j.Begin = p.reference.begin
	}
	j.Next = func(model string) string { return shell.Command("gotrain", "chat", "--model", model) }
	return j, text.CheckEval(env.Config, j.Eval)
}

// batches gives the job its sources, and what ranks have to agree on.
func (m *material) batches(env recipe.Env, j *recipe.Job, want prefer.Want) error {
	c := env.Config
	rows, _ := c.MicroBatches()
	size := prefer.Size{Rows: c.TrainRows(), Context: c.Length(), Micro: rows, Vocab: c.Text().Vocab}
	loader, err := prefer.NewLoader(m.train, size, want, m.data.Instruct.Packing, m.pad, c.Run.Seed)
	if err != nil {
		return err
	}
	j.Train, j.TrainUnits, j.Epoch = loader, loader.Tokens(), uint64(loader.Epoch())
	tell(env, m.train, m.held, loader)
	if m.held != nil {
		size.Rows = c.EvalRows()
		eval, err := prefer.NewEval(m.held, size, want, m.data.Instruct.Packing, m.pad)
		if err != nil {
			return err
		}
		j.Eval, j.EvalUnits = eval, eval.Tokens()
	}
	if date := m.data.Instruct.Date; date != "" {
		j.Facts = append(j.Facts, ranks.Fact{Name: "data.instruct.date", Value: date, Cure: "set it, where nodes begin on different days"})
	}
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: fmt.Sprintf("%+v", m.train.Stats()), Cure: "data.paths have to name the same content on all nodes"})
	return nil
}
