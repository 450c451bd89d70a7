package text

import (
	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/pairs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// PairEncoder is how the texts of pairs become tokens of a model of that identity. A model that
// names no token for its decoder to begin from begins from the one that ends a text.
func PairEncoder(tokens data.Tokenizer, id *hub.Identity) (pairs.Encoder, error) {
	ends := id.Ends(tokens)
	if len(ends) == 0 {
		return pairs.Encoder{}, config.Faultf("the tokenizer has no token that ends a text (add one with tokenizer.add_special_tokens, or name another tokenizer)")
	}
	enc := pairs.Encoder{Tokens: tokens, Start: ends[0], End: ends[0]}
	if len(id.Special.Start) > 0 {
		enc.Start = int32(id.Special.Start[0])
	}
	id.Special.Start, id.Special.EOS = []int{int(enc.Start)}, toInts(ends)
	if id.Special.PAD < 0 {
		id.Special.PAD = int(enc.End)
	}
	return enc, nil
}

func toInts(ids []int32) []int {
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = int(id)
	}
	return out
}

// PairLoss is the cross-entropy of the next token of a target, of micro-batches of rows of that size.
func PairLoss(c config.Config, m nn.PairModel, size nn.Rows) recipe.LossFunc {
	cfg := autograd.LossConfig{Smoothing: c.Train.Smoothing, ZLoss: c.Train.ZLoss}
	return func(g *autograd.Graph, rows int) recipe.Loss {
		size.Batch = rows
		loss, nll := nn.PairTraining(g, m, size, cfg)
		return recipe.Loss{Value: loss, Metrics: Metrics(nll)}
	}
}

// PairScore measures held-out targets.
func PairScore(m nn.PairModel, size nn.Rows) recipe.LossFunc {
	return func(g *autograd.Graph, rows int) recipe.Loss {
		size.Batch = rows
		_, nll := nn.PairEvaluation(g, m, size)
		bits := recipe.Metric{Name: "bits_per_byte", Sum: nll, Per: recipe.PerByte, As: recipe.BitsPerByte}
		return recipe.Loss{Metrics: append(Metrics(nll), bits)}
	}
}
