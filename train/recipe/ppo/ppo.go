// Package ppo is the recipe of proximal policy optimisation from rewards of whole texts
// (Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al. 2022): the policy writes texts,
// rules and reward models judge them, a value model expects the reward at each token, and the
// policy learns by the advantages over what was expected, held near its base by a divergence in
// the reward. The arithmetic is that of TRL.
//
// Policy and value model are two parts, each with a phase and an optimizer of its own. A run's
// checkpoints have a folder for each, which are models as any other.
package ppo

import (
	"context"
	"fmt"
	"path/filepath"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Roles of the parts.
const (
	policy = "policy"
	value  = "value"
)

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	m, err := newModels(ctx, env)
	if err != nil {
		return nil, err
	}
	return m.job, nil
}

// models are a job with what writes its texts and tells its values.
type models struct {
	job      *recipe.Job
	programs *rollout.Programs
	values   *generate.Values
}

// newModels is the job without its data.
func newModels(ctx context.Context, env recipe.Env) (*models, error) {
	alone, from, err := text.Model(ctx, &env)
	if err != nil {
		return nil, err
	}
	c, o := env.Config, own(env.Config)
	made, err := env.Families.New(nn.SpecOf(alone), nn.Tuning{Role: policy, Adapter: c.LoRA, Freeze: c.Train.Freeze})
	if err != nil {
		return nil, err
	}
	writes, err := nn.AsLanguageModel(made)
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", Name, err)
	}
	expects, base, err := newValue(env)
	if err != nil {
		return nil, err
	}
	j, err := text.Of(c, writes)
	if err != nil {
		return nil, err
	}
	j.VocabFrom = from
	j.Parts = append(j.Parts, recipe.Part{Model: expects, Base: base})
	values := c.Optimizer
	if o.ValueLR > 0 {
		values.LR = o.ValueLR
	}
	j.Phases = []recipe.Phase{
		{Name: policy, Learns: policy, Loss: policyPhase(c, writes), Optimizer: c.Optimizer},
		{Name: value, Learns: value, Loss: valuePhase(c, expects), Optimizer: values},
	}
	m := &models{job: j}
	if m.programs, err = rollout.Add(j, env, o.Config, o.KL > 0); err != nil {
		return nil, err
	}
	rows, _ := c.MicroBatches()
	if m.values, err = generate.DesignValues(expects, generate.Config{Context: c.Length(), Compute: c.Compute()}, rows); err != nil {
		return nil, err
	}
	j.Makers = append(j.Makers, m.values)
	return m, nil
}

// newValue is the value model and the directory that it begins with, "" for none: the model of
// recipe.value, else one like the policy, whose head begins at 0 on a base.
func newValue(env recipe.Env) (m *nn.Scored, base string, err error) {
	c := env.Config
	spec, base := nn.Spec{Family: c.Model.Name(), Config: c.Model.Value()}, c.Base
	if dir := own(c).Value; dir != "" {
		place, d, err := hub.Whole(dir, env.Families)
		if err != nil {
			return nil, "", config.Faultf("recipe.value: %w", err)
		}
		base, spec = place.Dir, d.Spec
	}
	spec.Scored = true
	made, err := env.Families.New(spec, nn.Tuning{Role: value})
	if err != nil {
		return nil, "", err
	}
	m, ok := made.(*nn.Scored)
	if !ok {
		return nil, "", config.Faultf("recipe.value: a model of family %s expects no reward: name a language model or a reward model", made.Family())
	}
	if vocab := m.Config().(nn.TextConfig).Text().Vocab; vocab != c.Text().Vocab {
		return nil, "", config.Faultf("recipe.value: the model has %d tokens, the policy %d, whose texts it reads: name one with the same tokenizer", vocab, c.Text().Vocab)
	}
	return m, base, nil
}

// open reads the prompts.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	if env.From != "" {
		env.From = filepath.Join(env.From, policy)
	}
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	m, err := newModels(ctx, env)
	if err != nil {
		return nil, err
	}
	j := m.job
	if err := text.Finish(j, env, tokens, id); err != nil {
		return nil, err
	}
	expects := j.Part(value).Model
	for i := range j.Parts {
		if j.Parts[i].Role() == value {
			j.Parts[i].Files = func() ([]checkpoint.File, error) { return hub.Files(expects, tokens, id) }
		}
	}
	w, err := rollout.Open(j, env, own(j.Config).Config, m.programs, tokens, id)
	if err != nil {
		return nil, err
	}
	b := &batches{Config: own(j.Config), env: env, writer: w, base: m.programs.Base, values: m.values, layout: own(j.Config).LayoutOf(j.Config)}
	w.Complete = b.complete
	j.Train = &rollout.Source{Rows: j.Config.TrainRows(), Row: b.fields()}
	j.Prepare = b.prepare
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", w.Prompts[0].Text)
	}
	return j, nil
}
