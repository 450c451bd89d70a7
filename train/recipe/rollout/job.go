package rollout

import (
	"context"
	"fmt"
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/prompts"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/reward"
	"example.com/gotrain/train/shell"
)

// Programs are what a job runs beside its losses, on every rank.
type Programs struct {
	Batch *generate.Batch
	Old   *generate.LogProbs // of the model that learns
	Base  *Base              // nil where nothing asks for it
	// Judges are the reward models of the rules that name one.
	Judges []*Judge
}

// Base tells log-probabilities of the base, whose weights it keeps beside those that learn.
type Base struct {
	*generate.LogProbs
	dir    string
	store  *exec.Store
	loaded bool
}

// Bind makes the program ready to run.
func (b *Base) Bind(store *exec.Store, arena *exec.Arena) error {
	b.store = store
	return b.LogProbs.Bind(store, arena)
}

// Of returns the log-probabilities of texts.
func (b *Base) Of(texts []Text) ([][]float32, error) {
	if !b.loaded {
		if err := hub.LoadBase(b.store, b.dir, b.Model()); err != nil {
			return nil, err
		}
		b.loaded = true
	}
	ref, err := b.LogProbs.Of(Scored(texts))
	if err != nil {
		return nil, err
	}
	return ref, checkDivergence(texts, ref)
}

// checkDivergence wants the estimate of the KL divergence, the mean over texts of p - q, not to
// be below 0 by more than chance explains: six standard errors.
func checkDivergence(texts []Text, ref [][]float32) error {
	var sum, squares float64
	for i, t := range texts {
		d := 0.0
		for k, p := range t.LogProbs {
			d += float64(p) - float64(ref[i][k])
		}
		sum, squares = sum+d, squares+d*d
	}
	n := float64(len(texts))
	mean := sum / n
	spread := math.Sqrt(max(0, squares/n-mean*mean) / n)
	if len(texts) >= leastTexts && mean < -6*spread-1e-3 || math.IsNaN(mean) {
		return fmt.Errorf("%w: %.3g nats a text of %d texts, ± %.2g", errNegative, mean, len(texts), spread)
	}
	return nil
}

// leastTexts is how many texts tell something of a mean.
const leastTexts = 16

// reference is the role of the base's weights in the store.
const reference = "reference"

// Add gives a job, which text.Design or New has made, the programs that write and score texts
// of it, and with them the evaluation of rewards. divergence asks for the base.
func Add(j *recipe.Job, env recipe.Env, r Config, divergence bool) (*Programs, error) {
	c := j.Config
	m := j.Parts[0].Model.(nn.LanguageModel)
	cfg := generate.Config{Context: c.Length(), Compute: c.Compute()}
	rows, _ := c.MicroBatches()
	var p Programs
	var err error
	if p.Batch, err = generate.DesignBatch(m, generate.BatchConfig{Config: cfg, Rows: r.AtOnce, Temperature: r.Temperature}); err != nil {
		return nil, err
	}
	if p.Old, err = generate.DesignLogProbs(m, cfg, rows, r.LogProb(c)); err != nil {
		return nil, err
	}
	j.Makers = []recipe.Tool{p.Batch, p.Old}
	if divergence {
		base, err := env.Families.New(nn.Spec{Family: c.Model.Name(), Config: c.Model.Value()}, nn.Tuning{Role: reference})
		if err != nil {
			return nil, err
		}
		lm, err := nn.AsLanguageModel(base)
		if err != nil {
			return nil, err
		}
		scores, err := generate.DesignLogProbs(lm, cfg, rows, r.LogProb(c))
		if err != nil {
			return nil, err
		}
		p.Base = &Base{LogProbs: scores, dir: c.Base}
		j.Makers = append(j.Makers, p.Base)
	}
	models, _ := reward.Models(r.Rewards)
	for i, rule := range models {
		judge, err := newJudge(env, fmt.Sprintf("reward%d", i+1), rule)
		if err != nil {
			return nil, config.Faultf("recipe.rewards: model %s: %w", rule.Model, err)
		}
		p.Judges = append(p.Judges, judge)
		j.Makers = append(j.Makers, judge)
	}
	j.Score = func(g *autograd.Graph, rows int) recipe.Loss {
		return recipe.Loss{Metrics: []recipe.Metric{{Name: Reward, Sum: g.Floats(Reward, rows), Per: recipe.PerRow, Higher: true}}}
	}
	return &p, nil
}

// Open reads the prompts of env, gives a job that Add has completed what is held out, and
// returns what writes the texts of its steps.
func Open(j *recipe.Job, env recipe.Env, r Config, p *Programs, tokens data.Tokenizer, id hub.Identity) (*Writer, error) {
	c := j.Config
	train, heldOut, err := read(c)
	if err != nil {
		return nil, err
	}
	var judge reward.Func
	if _, rules := reward.Models(r.Rewards); len(rules) > 0 {
		if judge, err = reward.Sum(rules); err != nil {
			return nil, config.Faultf("recipe.rewards: %w", err)
		}
	}
	for _, m := range p.Judges {
		if err := m.open(env); err != nil {
			return nil, config.Faultf("recipe.rewards: %w", err)
		}
	}
	encoder := id.Prompts(tokens, text.BOS(c))
	w := &Writer{
		Config: r, Prompts: train, Encode: encoder.Encode, Stop: id.Ends(tokens), Seed: c.Run.Seed, Rows: c.TrainRows(), Batch: p.Batch, Old: p.Old, Reward: judge, Judges: p.Judges,
		Decode: func(ids []int32) string { return string(tokens.AppendDecode(nil, ids)) },
		Table:  NewTable(env.FS, c.Run.Dir, c.Rank.Index()),
	}
	if len(heldOut) > 0 {
		j.Eval = &held{Rows: c.EvalRows(), set: heldOut, answer: func(asked []*prompts.Prompt) ([]Text, error) {
			return w.Answers(context.Background(), asked, 1, c.Run.Seed, nil)
		}}
	}
	j.Epoch = uint64(len(train) * r.Samples * r.Updates)
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: fmt.Sprintf("%d prompts", len(train)), Cure: "data.paths have to name the same content on all nodes"})
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", train[0].Text)
	}
	env.Telling("prompts", "%d, and %d held out; %d texts a step", len(train), len(heldOut), c.StepSamples())
	return w, text.CheckEval(c, j.Eval)
}
