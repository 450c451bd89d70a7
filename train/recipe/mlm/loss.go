package mlm

import (
	"math"

	"example.com/gotrain/autograd"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// Fields of a row beside those of package data.
const (
	kinds = "kinds" // (T) int32: 0 in the first text, 1 in the second
	asked = "asked" // (A) int32: places of the tokens that are asked for, in the rows of a micro-batch
	next  = "next"  // (1) int32: 0 where the second text goes on with the first, 1 where not
)

// askedPerRow is A, the most tokens of a row that are asked for.
func askedPerRow(c config.Config) int {
	return int(math.Ceil(own(c).Rate * float64(c.Length()-specials(c))))
}

// specials is the number of [CLS] and [SEP] in a row.
func specials(c config.Config) int {
	if own(c).NextSentence {
		return 3
	}
	return 2
}

// told is the forward pass over rows samples.
func told(g *autograd.Graph, c config.Config, m nn.TextEncoder, rows int, training bool) nn.Encoded {
	in := nn.NewEncoderInputs(g, rows, c.Length())
	in.Asked = g.Ints(asked, rows*askedPerRow(c))
	if training && m.Random() {
		in.RNG = g.Ints("rng", 4)
	}
	return m.Encode(g, in)
}

// loss is the mean NLL of the tokens that are asked for, and on wish that of which texts go
// on.
func loss(c config.Config, m nn.TextEncoder) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) recipe.Loss {
		return build(g, c, told(g, c, m, rows, true), rows, autograd.LossConfig{Smoothing: c.Train.Smoothing, ZLoss: c.Train.ZLoss})
	}
}

// score is loss without dropout and without terms that only shape the gradient.
func score(c config.Config, m nn.TextEncoder) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) recipe.Loss {
		return build(g, c, told(g, c, m, rows, false), rows, autograd.LossConfig{})
	}
}

func build(g *autograd.Graph, c config.Config, told nn.Encoded, rows int, cfg autograd.LossConfig) (l recipe.Loss) {
	targets := g.Ints("targets", rows*askedPerRow(c))
	var nll *autograd.Node
	g.In("loss", func() { l.Value, nll = autograd.CrossEntropy(told.Masked, targets, g.Floats("loss_weight", 1), cfg) })
	l.Metrics = []recipe.Metric{{Name: "nll", Sum: nll}, {Name: "ppl", Sum: nll, As: recipe.Perplexity}}
	if told.Next == nil {
		return l
	}
	g.In("next", func() {
		perRow := g.Table("per_row", func() []float32 { return []float32{1 / float32(c.StepSamples())} }, 1)
		value, nll := autograd.CrossEntropy(told.Next, g.Ints(next, rows), perRow, autograd.LossConfig{})
		l.Value = autograd.Add(l.Value, value)
		l.Metrics = append(l.Metrics, recipe.Metric{Name: "next_nll", Sum: nll, Per: recipe.PerRow})
	})
	return l
}
