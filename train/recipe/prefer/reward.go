package prefer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data/prefer"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Reward is the section recipe of reward models (Ouyang et al. 2022), with rewards r of the
// chosen and the rejected conversation and the margin m of a record:
//
//	-ln σ(r(chosen) - r(rejected) - m) + Center·(r(chosen) + r(rejected))²
//
// The reward of a conversation is the score after its last token.
type Reward struct {
	// Center keeps rewards around 0 (Eisenstein et al. 2023), 0 for not.
	Center float64 `yaml:"center"`
}

// Validate reports a fault.
func (c *Reward) Validate() error {
	if !(c.Center >= 0) || math.IsInf(c.Center, 0) {
		return fmt.Errorf("recipe.center is %g; use 0 or a small positive number, such as 0.01", c.Center)
	}
	return nil
}

// perSample is the loss of each sample, (K), of rewards and margins (K).
func (c *Reward) perSample(chosen, rejected, margins *autograd.Node) *autograd.Node {
	loss := autograd.Scale(autograd.LogSigmoid(autograd.Sub(autograd.Sub(chosen, rejected), margins)), -1)
	if c.Center == 0 {
		return loss
	}
	sum := autograd.Add(chosen, rejected)
	return autograd.Add(loss, autograd.Scale(autograd.Mul(sum, sum), float32(c.Center)))
}

func checkReward(c config.Config) error {
	errs := []error{check(c)}
	if c.LoRA.Rank > 0 && !c.LoRA.Merge {
		errs = append(errs, errors.New("lora.merge: recipe reward trains a head that the base has not, beside the adapter, and an adapter alone lacks it: use --set lora.merge=true"))
	}
	if c.Adapter != "" {
		errs = append(errs, errors.New("adapter: it has no head: name a checkpoint of a reward model with it merged as base"))
	}
	if c.Train.Sample != "" {
		errs = append(errs, errors.New("train.sample: a reward model writes no text: leave it out, or empty"))
	}
	return errors.Join(errs...)
}

func designReward(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	m, from, err := text.Model(ctx, &env)
	if err != nil {
		return nil, err
	}
	lm, err := nn.AsLanguageModel(m)
	if err != nil {
		return nil, fmt.Errorf("recipe reward: %w", err)
	}
	scored, err := nn.NewScored(lm)
	if err != nil {
		return nil, fmt.Errorf("recipe reward: %w", err)
	}
	c := env.Config
	return &recipe.Job{
		Config: c, VocabFrom: from,
		Parts:  []recipe.Part{{Model: scored, Base: c.Base}},
		Phases: []recipe.Phase{{Loss: rewardLoss(c, scored, true), Optimizer: c.Optimizer}},
		Score:  rewardLoss(c, scored, false),
		Unit:   recipe.Unit{Name: "tokens", PerSample: c.Length()},
	}, nil
}

// rewardLoss is the mean loss over pairs.
func rewardLoss(c config.Config, m *nn.Scored, training bool) recipe.LossFunc {
	own := c.Recipe.Value().(*Reward)
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		k := rows * prefer.PerRow(c.Length())
		size := nn.Rows{Batch: rows, Length: c.Length(), Segments: true}
		chosen, rejected := sides(nn.Scores(g, m, size, training, g.Ints(prefer.Last, 2*k)))
		g.In("loss", func() {
			labels := g.Floats(prefer.Labels, k) // 1, or 0 where there is no pair
			only := func(n *autograd.Node) *autograd.Node { return autograd.Mul(labels, n) }
			each := only(own.perSample(chosen, rejected, g.Floats(prefer.Margins, k)))
			l.Value = weighted(g, each)
			margin := autograd.Sub(chosen, rejected)
			l.Metrics = []recipe.Metric{
				{Name: "loss", Sum: each}, {Name: "accuracy", Sum: only(autograd.Step(margin)), Higher: true}, {Name: "margin", Sum: only(margin), Higher: true},
				{Name: "rewards/chosen", Sum: only(chosen), Higher: true}, {Name: "rewards/rejected", Sum: only(rejected)},
			}
		})
		return l
	}
}

func openReward(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	m, err := openMaterial(ctx, &env, prefer.Paired, prefer.LastToken)
	if err != nil {
		return nil, err
	}
	m.pad = padBeside(m.identity.Special.PAD, m.train.EndTokens())
	m.identity.Special.PAD = int(m.pad)
	j, err := designReward(ctx, env)
	if err != nil {
		return nil, err
	}
	text.Keep(j, m.tokens, m.identity)
	if err := m.batches(env, j, prefer.LastToken); err != nil {
		return nil, err
	}
	j.Next = func(model string) string {
		return shell.Command("gotrain", "score", "--model", model, "--data", "FILE.jsonl")
	}
	return j, text.CheckEval(env.Config, j.Eval)
}

// padBeside is the token that pads rows: pad, or where conversations end with that, the
// first other one. transformers takes the score after the last token that is no padding.
func padBeside(pad int, ends []int32) int32 {
	if pad >= 0 && !slices.Contains(ends, int32(pad)) {
		return int32(pad)
	}
	for pad = 0; slices.Contains(ends, int32(pad)); pad++ {
	}
	return int32(pad)
}
