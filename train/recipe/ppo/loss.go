package ppo

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/rollout"
)

// Fields of a row beside those of package data. The first are of each token, 0 where there is
// none of an answer.
const (
	oldLogProbs = "old_logprobs" // of the policy that wrote the text
	advantages  = "advantages"
	oldValues   = "old_values" // of the value model as the text was written
	returns     = "returns"
	weights     = "weights"   // 1 for a token that counts
	explained   = "explained" // 1 by the variance of the returns, for a token that counts
	rewards     = "reward"    // of the text
	lengths     = "length"    // tokens of the answer
	ended       = "ended"     // 1 where a stop token has ended it
	divergences = "kl"        // from the base, in nats
	coefficient = "kl_coefficient"
)

// clip are the bounds of ratios.
func (c *Config) clip() rollout.Clip { return rollout.Clip{Low: c.Epsilon, High: c.Epsilon} }

// policyLoss is that of each token, with the ratio ρ = e^(p-old) of its probabilities:
//
//	max(-ρ·A, -clip(ρ, 1-ε, 1+ε)·A)
func (c *Config) policyLoss(logp, old, advantage *autograd.Node) (loss, ratio *autograd.Node) {
	ratio = autograd.Exp(autograd.Sub(logp, old))
	return c.clip().Loss(ratio, advantage), ratio
}

// valueLoss is that of each token, with values V and returns R,
//
//	½·max((V - R)², (V' - R)²),  V' = clip(V, old - c, old + c)
//
// and beyond is 1 where V' counts.
func (c *Config) valueLoss(value, old, ret *autograd.Node) (loss, beyond *autograd.Node) {
	square := func(v *autograd.Node) *autograd.Node {
		d := autograd.Sub(v, ret)
		return autograd.Mul(d, d)
	}
	near := autograd.Add(old, autograd.Clip(autograd.Sub(value, old), float32(-c.ValueClip), float32(c.ValueClip)))
	whole, clipped := square(value), square(near)
	return autograd.Scale(autograd.Max(whole, clipped), 0.5), autograd.Step(autograd.Sub(clipped, whole))
}

// weighted is the loss of a step of those of tokens.
func weighted(g *autograd.Graph, each *autograd.Node) *autograd.Node {
	return autograd.Reshape(autograd.Mul(autograd.Sum(each), g.Floats("loss_weight", 1)))
}

// policyPhase builds the loss of the policy.
func policyPhase(c config.Config, m nn.LanguageModel) recipe.LossFunc {
	o := own(c)
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		n := rows * c.Length()
		of := o.LogProb(c)
		of.Entropy = true
		logp, entropy := nn.LogProbs(g, m, nn.Rows{Batch: rows, Length: c.Length()}, false, of)
		g.In("loss", func() {
			old, advantage, weight := g.Floats(oldLogProbs, n), g.Floats(advantages, n), g.Floats(weights, n)
			loss, ratio := o.policyLoss(logp, old, advantage)
			if o.EntropyWeight > 0 {
				loss = autograd.Sub(loss, autograd.Scale(entropy, float32(o.EntropyWeight)))
			}
			only := func(x *autograd.Node) *autograd.Node { return autograd.Mul(x, weight) }
			sum := only(loss)
			l.Value = weighted(g, sum)
			l.Metrics = []recipe.Metric{
				{Name: "loss", Sum: sum},
				{Name: "reward", Sum: g.Floats(rewards, rows), Per: recipe.PerRow, Higher: true},
				{Name: "kl", Sum: g.Floats(divergences, rows), Per: recipe.PerRow},
				{Name: "kl_coefficient", Sum: g.Floats(coefficient, rows), Per: recipe.PerRow},
				{Name: "entropy", Sum: only(entropy)},
				{Name: "kl_old", Sum: only(rollout.Divergence(old, logp))},
				{Name: "clipped", Sum: only(o.clip().Outside(ratio, advantage))},
				{Name: "length", Sum: g.Floats(lengths, rows), Per: recipe.PerRow},
				{Name: "ended", Sum: g.Floats(ended, rows), Per: recipe.PerRow},
			}
		})
		return l
	}
}

// valuePhase builds the loss of the value model.
func valuePhase(c config.Config, m *nn.Scored) recipe.LossFunc {
	o := own(c)
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		n := rows * c.Length()
		values := nn.Scores(g, m, nn.Rows{Batch: rows, Length: c.Length()}, false, nil)
		g.In("loss", func() {
			ret, weight := g.Floats(returns, n), g.Floats(weights, n)
			loss, beyond := o.valueLoss(values, g.Floats(oldValues, n), ret)
			sum := autograd.Mul(loss, weight)
			l.Value = weighted(g, autograd.Scale(sum, float32(o.ValueWeight)))
			miss := autograd.Sub(values, ret)
			l.Metrics = []recipe.Metric{
				{Name: "value_loss", Sum: sum},
				{Name: "value_clipped", Sum: autograd.Mul(beyond, weight)},
				{Name: "explained_variance", Sum: autograd.Mul(autograd.Mul(miss, miss), g.Floats(explained, n)), Higher: true,
					As: func(unexplained float64) float64 { return 1 - unexplained }},
			}
		})
		return l
	}
}
