package eval

import (
	"errors"
	"math"
	"time"

	"gotrain/autograd/exec"
	"gotrain/data"
	"gotrain/data/tokenizers"
	"gotrain/nn"
	"gotrain/train"
)

// ErrNotFinite says that the weights of a model have diverged: use an earlier
// checkpoint.
var ErrNotFinite = errors.New("the NLL is not finite: the model's weights have diverged")

// TextScore is how well a model knows texts. Bits per byte, NLL·tokens / (ln 2 · bytes),
// compare models with different tokenizers.
type TextScore struct {
	NLL         float64 `json:"nll"` // nats per token
	PPL         float64 `json:"ppl"` // exp(NLL)
	BitsPerByte float64 `json:"bits_per_byte"`
	Tokens      int     `json:"tokens"` // scored
	Bytes       int64   `json:"bytes"`  // of text
	Documents   int64   `json:"documents"`
	TokensPerS  float64 `json:"tokens_per_s"`
}

// Text scores every token of a set but the first, in windows of the model's context, as
// training scores held-out text; batch windows are scored together. cfg is the
// configuration that the model was trained with.
func Text(cfg train.Config, m nn.LanguageModel, store *exec.Store, set *data.Set, tokens tokenizers.Encoder, batch int) (TextScore, error) {
	cfg.Train.Batch = batch
	evaluator, err := train.NewEvaluator(cfg, m, store)
	if err != nil {
		return TextScore{}, err
	}
	windows := data.Sequences{Rows: data.Rows{Batch: batch}, Context: m.Context(), VocabSize: m.Vocab(), DocumentMask: cfg.Train.DocumentMask}
	source, err := data.NewEval(set, windows, tokens)
	if err != nil {
		return TextScore{}, err
	}
	start := time.Now()
	e, err := evaluator.Evaluate(source, 0)
	if err != nil {
		return TextScore{}, err
	}
	if math.IsNaN(e.NLL) || math.IsInf(e.NLL, 0) {
		return TextScore{}, ErrNotFinite
	}
	return TextScore{NLL: e.NLL, PPL: math.Exp(e.NLL), BitsPerByte: e.BitsPerByte, Tokens: e.Targets, Bytes: set.TextBytes(),
		Documents: set.Documents(), TokensPerS: float64(e.Targets) / max(time.Since(start).Seconds(), 1e-9)}, nil
}
