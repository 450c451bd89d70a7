package eval

import (
	"errors"
	"math"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// ErrNotFinite says that the weights of a model have diverged: use an earlier
// checkpoint.
var ErrNotFinite = errors.New("the NLL is not finite: the model's weights have diverged")

// TextScore is how well a model knows texts. Bits per byte, NLL·tokens / (ln 2 · bytes),
// compare models with different tokenizers.
type TextScore struct {
	NLL         float64  `json:"nll"`           // nats per token
	PPL         float64  `json:"ppl"`           // exp(NLL)
	BitsPerByte *float64 `json:"bits_per_byte"` // nil where no byte was scored, the end of a text alone
	Tokens      int      `json:"tokens"`        // scored
	Bytes       int64    `json:"bytes"`         // of text
	Documents   int64    `json:"documents"`
	TokensPerS  float64  `json:"tokens_per_s"`
}

// Text scores every token of a set but the first, in windows of the model's context, as
// training scores held-out text; batch windows are scored together. cfg is the
// configuration that the model was trained with. Windows begin stride tokens apart, as
// data.Eval.Strided has them; 0 is one behind the other. A model with a memory reads the
// text on in segments, as in training.
func Text(cfg config.Config, m nn.LanguageModel, store *exec.Store, set *data.Set, tokens tokenizers.Encoder, batch, stride int) (TextScore, error) {
	if nn.Remembers(m) {
		if stride != 0 {
			return TextScore{}, config.Faultf("windows that overlap are for models without a memory; this one reads the text on: leave the stride out")
		}
		return remembering(cfg, m.(nn.Remembering), store, set, tokens, batch, 0)
	}
	windows := data.Sequences{Rows: data.Rows{Batch: batch}, Context: m.Context(), VocabSize: m.Vocab(), DocumentMask: cfg.Train.DocumentMask}
	source, err := data.NewEval(set, windows, tokens)
	if err != nil {
		return TextScore{}, err
	}
	if stride > 0 {
		if source, err = source.Strided(stride); err != nil {
			return TextScore{}, err
		}
	}
	s, err := Batches(cfg, m, store, source)
	s.Bytes, s.Documents = set.TextBytes(), set.Documents()
	return s, err
}

// Batches scores what the loss counts of the batches of a source of sequences, as
// training scores held-out data. Bytes are those of the tokens that were scored.
func Batches(cfg config.Config, m nn.LanguageModel, store *exec.Store, source data.Source) (TextScore, error) {
	cfg.Train.Batch = source.NewBatch().Rows
	cfg.Train.Context = source.Fields()[0].Size()
	job, err := text.Of(cfg, m)
	if err != nil {
		return TextScore{}, err
	}
	evaluator, err := engine.NewEvaluator(cfg, job, store)
	if err != nil {
		return TextScore{}, err
	}
	start := time.Now()
	e, err := evaluator.Evaluate(source, 0)
	if err != nil {
		return TextScore{}, err
	}
	nll, scored := e.Get("nll"), e.Counts[recipe.PerWeight]
	if math.IsNaN(nll) || math.IsInf(nll, 0) {
		return TextScore{}, ErrNotFinite
	}
	s := TextScore{NLL: nll, PPL: math.Exp(nll), Tokens: int(scored), Bytes: int64(e.Counts[recipe.PerByte]),
		TokensPerS: scored / max(time.Since(start).Seconds(), 1e-9)}
	if e.Counts[recipe.PerByte] > 0 {
		bits := e.Get("bits_per_byte")
		s.BitsPerByte = &bits
	}
	return s, nil
}
