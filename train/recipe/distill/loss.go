package distill

import (
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// Fields of a row beside those of a text: what the teacher says after each token.
const (
	classesField = "teacher_classes"  // (T, K) int32, its likeliest tokens; -1 where there is no target
	logsField    = "teacher_logprobs" // (T, K), and with a remainder (T, K + 1)
)

// least keeps the logarithm of a mixture finite.
const least = 1e-30

// divergence is that of each row of log-probabilities p of the teacher and q of the student,
// (N, W) → (N, 1). Where both are 0 throughout it is 0.
func (c *Config) divergence(p, q *autograd.Node) *autograd.Node {
	switch c.Divergence {
	case Reverse:
		return relative(q, p)
	case JSD:
		b := float32(c.Beta)
		m := autograd.Add(autograd.Scale(autograd.Exp(p), b), autograd.Scale(autograd.Exp(q), 1-b))
		m = autograd.Log(autograd.Clip(m, least, math.MaxFloat32))
		return autograd.Add(autograd.Scale(relative(p, m), b), autograd.Scale(relative(q, m), 1-b))
	}
	return relative(p, q)
}

// relative is KL(a ‖ b) of log-probabilities.
func relative(a, b *autograd.Node) *autograd.Node {
	return autograd.Sum(autograd.Mul(autograd.Exp(a), autograd.Sub(a, b)), 1)
}

// loss is that of a micro-batch,
//
//	Weight·τ²·divergence + (1 - Weight)·NLL
//
// as a mean over targets. The τ² keeps gradients of the same size at every temperature (Hinton
// et al. 2015).
func lossOf(c config.Config, m nn.LanguageModel, t *teacher) recipe.LossFunc {
	o := own(c)
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		weight := g.Floats("loss_weight", 1)
		kl, nll, entropy := compared(g, c, m, t, rows, weight)
		g.In("loss", func() {
			mean := autograd.Mul(autograd.Reshape(autograd.Sum(kl), 1), weight)
			l.Value = autograd.Reshape(autograd.Scale(mean, float32(o.Weight)))
			sum := autograd.Scale(kl, float32(o.Weight))
			if o.Weight < 1 {
				l.Value = autograd.Add(l.Value, autograd.Scale(entropy, float32(1-o.Weight)))
				sum = autograd.Add(sum, autograd.Scale(nll, float32(1-o.Weight)))
			}
			l.Metrics = []recipe.Metric{{Name: "loss", Sum: sum}, {Name: "kl", Sum: kl}, {Name: "nll", Sum: nll}}
		})
		return l
	}
}

// scoreOf measures held-out text, and how far from the teacher the model is on it.
func scoreOf(c config.Config, m nn.LanguageModel, t *teacher) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) (l recipe.Loss) {
		kl, nll, _ := compared(g, c, m, t, rows, nil)
		l.Metrics = []recipe.Metric{
			{Name: "nll", Sum: nll}, {Name: "ppl", Sum: nll, As: recipe.Perplexity}, {Name: "kl", Sum: kl},
			{Name: "bits_per_byte", Sum: nll, Per: recipe.PerByte, As: recipe.BitsPerByte},
		}
		return l
	}
}

// compared adds the student to g: of each target τ²·divergence and NLL, (N), and in training,
// which has a loss_weight, the cross-entropy of the text, a scalar.
func compared(g *autograd.Graph, c config.Config, m nn.LanguageModel, t *teacher, rows int, weight *autograd.Node) (kl, nll, entropy *autograd.Node) {
	o, n := own(c), rows*c.Length()
	hidden, head := nn.Hidden(g, m, nn.Rows{Batch: rows, Length: c.Length(), Segments: c.Train.DocumentMask}, weight != nil)
	g.In("loss", func() {
		targets := g.Ints("targets", n)
		if weight != nil && o.Weight < 1 {
			entropy, nll = autograd.LinearCrossEntropy(hidden, head, targets, weight, autograd.LossConfig{})
		} else {
			logp, _, _ := autograd.LinearLogProb(hidden, head, targets, autograd.LogProbConfig{})
			nll = autograd.Scale(logp, -1)
		}
		p := g.Floats(logsField, n, t.width())
		q := autograd.LinearTopLogProb(hidden, head, g.Ints(classesField, n, t.top), float32(o.Temperature))
		kl = autograd.Scale(autograd.Reshape(o.divergence(p, q), n), float32(o.Temperature*o.Temperature))
	})
	return kl, nll, entropy
}
