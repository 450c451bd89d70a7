package convert

import (
	"context"
	"errors"
	"fmt"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/generate"
)

// Measured is the NLL of a text before and after, in nats per token.
type Measured struct {
	Tokens int     `json:"tokens"`
	Source float64 `json:"source_nll"`
	Result float64 `json:"result_nll"`
}

// A text is measured in windows of so many tokens, and no further than so many windows.
const (
	windowTokens = 256
	maxWindows   = 16
)

// windows are the tokens of a text that are predicted, each window by itself and behind
// what the tokenizer puts before a text; nil for no text.
func (s *source) windows(text []byte) ([][]int32, error) {
	if text == nil {
		return nil, nil
	}
	if s.encoder == nil {
		return nil, errors.New("the text is not measured: this program does not know the model's tokenizer")
	}
	if _, err := nn.AsLanguageModel(s.model); err != nil {
		return nil, fmt.Errorf("the text is not measured: %w", err)
	}
	before := s.encoder.Frame().Before
	size := min(windowTokens, s.context()) - len(before)
	ids := s.encoder.AppendEncode(nil, text)
	if size < 2 || len(ids) < 2 {
		return nil, fmt.Errorf("the text has %d tokens: there is nothing to measure", len(ids))
	}
	var windows [][]int32
	for len(ids) > 1 && len(windows) < maxWindows {
		n := min(size, len(ids))
		windows = append(windows, append(append([]int32{}, before...), ids[:n]...))
		ids = ids[n:]
	}
	return windows, nil
}

// score returns the mean NLL of the tokens behind the first of each window.
func (s *source) score(ctx context.Context, store *exec.Store, windows [][]int32) (nll float64, scored int, err error) {
	model, err := nn.AsLanguageModel(s.model)
	if err != nil {
		return 0, 0, err
	}
	scorer, err := generate.NewScorer(model, store, generate.Config{Context: len(windows[0])})
	if err != nil {
		return 0, 0, err
	}
	for _, window := range windows {
		if err := ctx.Err(); err != nil {
			return 0, 0, fmt.Errorf("interrupted: %w", err)
		}
		likelihood, err := scorer.Score(window[:1], window[1:])
		if err != nil {
			return 0, 0, err
		}
		for _, l := range likelihood {
			nll -= float64(l)
		}
		scored += len(likelihood)
	}
	return nll / float64(scored), scored, nil
}
