package grpo

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
)

// Fields of a row beside those of package data. All but reward and length are of each target.
const (
	oldLogProbs = "old_logprobs" // of the model that wrote the text
	refLogProbs = "ref_logprobs" // of the base
	advantages  = "advantages"
	weights     = "weights" // of the token in the loss, before loss_weight
	rewards     = "reward"
	lengths     = "length" // tokens of the answer
	ended       = "ended"  // 1 where a stop token has ended it
)

// policy is what the loss of a token is made of, nodes (N) of rows texts, 0 where there is no
// target.
type policy struct {
	rows                      int
	logp, old, ref, advantage *autograd.Node
}

// loss is that of each token,
//
//	-min(ρ·A, clip(ρ, 1-ε, 1+ε_high)·A) + β·(e^(r-p) - (r-p) - 1),  ρ = e^(p-old),
//
// with p, r the log-probabilities of the model and its base, and for ratios of a text the sum of
// p - old in place of it. Of ref nil there is no divergence.
func (c *Config) loss(p policy) (loss, ratio, kl *autograd.Node) {
	change := autograd.Sub(p.logp, p.old)
	if c.Ratio == OfText {
		n := change.Shape().Size()
		text := autograd.Sum(autograd.Reshape(change, p.rows, n/p.rows), 1) // (rows, T) → (rows, 1)
		change = autograd.Reshape(autograd.Broadcast(text, p.rows, n/p.rows), n)
	}
	ratio = autograd.Exp(change)
	loss = c.clip().Loss(ratio, p.advantage)
	if p.ref == nil {
		return loss, ratio, nil
	}
	kl = rollout.Divergence(p.ref, p.logp)
	return autograd.Add(loss, autograd.Scale(kl, float32(c.Beta))), ratio, kl
}

// clip are the bounds of ratios.
func (c *Config) clip() rollout.Clip {
	if c.EpsilonHigh == 0 {
		return rollout.Clip{Low: c.Epsilon, High: c.Epsilon}
	}
	return rollout.Clip{Low: c.Epsilon, High: c.EpsilonHigh}
}

// lossOf builds the loss of a micro-batch.
func lossOf(c config.Config, m nn.LanguageModel) recipe.LossFunc {
	o := own(c)
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		n := rows * c.Length()
		logp, _ := nn.LogProbs(g, m, nn.Rows{Batch: rows, Length: c.Length()}, false, o.LogProb(c))
		g.In("loss", func() {
			p := policy{rows: rows, logp: logp, old: g.Floats(oldLogProbs, n), advantage: g.Floats(advantages, n)}
			if o.Beta > 0 {
				p.ref = g.Floats(refLogProbs, n)
			}
			weight := g.Floats(weights, n)
			loss, ratio, kl := o.loss(p)
			sum := autograd.Mul(loss, weight)
			l.Value = autograd.Reshape(autograd.Mul(autograd.Sum(sum), g.Floats("loss_weight", 1)))
			l.Metrics = []recipe.Metric{
				{Name: "loss", Sum: sum},
				{Name: "reward", Sum: g.Floats(rewards, rows), Per: recipe.PerRow, Higher: true},
				{Name: "length", Sum: g.Floats(lengths, rows), Per: recipe.PerRow},
				{Name: "ended", Sum: g.Floats(ended, rows), Per: recipe.PerRow},
				{Name: "kl_old", Sum: autograd.Mul(rollout.Divergence(p.old, logp), weight)},
				{Name: "clipped", Sum: autograd.Mul(o.clip().Outside(ratio, p.advantage), weight)},
			}
			if kl != nil {
				l.Metrics = append(l.Metrics, recipe.Metric{Name: "kl", Sum: autograd.Mul(kl, weight)})
			}
		})
		return l
	}
}
