package train

import (
	"context"
	"fmt"

	"gotrain/data/tokenizers"
	"gotrain/nn/generate"
)

// sample shows how the model goes on from the configured prompt. The text is a
// function of the parameters and the seed of the run.
func (r *run) sample() error {
	t := r.cfg.Train
	if t.Sample == "" || t.SampleTokens == 0 {
		return nil
	}
	prompt := r.tokenizer.AppendEncode(nil, []byte(t.Sample))
	if len(prompt) == 0 || len(prompt) >= r.cfg.Text().Context {
		return fmt.Errorf("train.sample has %d tokens; use 1 to %d", len(prompt), r.cfg.Text().Context-1)
	}
	if r.generator == nil {
		var err error
		if r.generator, err = generate.New(r.model, r.engine.Store(), generate.Config{Compute: r.cfg.Compute()}); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
	}
	r.generator.Truncate(0)
	enc, err := tokenizers.NewEncoder(r.tokenizer)
	if err != nil {
		return err
	}
	out, err := r.generator.Generate(context.Background(), prompt, generate.Options{
		Sampling:  generate.Sampling{Temperature: sampleTemperature, TopK: sampleTopK, Seed: r.cfg.Run.Seed},
		MaxTokens: t.SampleTokens, Stop: []int32{enc.EndOfText()},
	}, nil)
	if err != nil {
		return fmt.Errorf("sample after step %d: %w", r.state.Step, err)
	}
	if r.deps.Listener.Sample != nil {
		text := r.tokenizer.AppendDecode([]byte(t.Sample), out.Tokens)
		if err := r.recorder.events.Text(r.deps.Now(), int64(r.state.Step), "sample", string(text)); err != nil {
			return err
		}
		r.deps.Listener.Sample(r.state.Step, string(text))
	}
	return nil
}

// Sampling of the text that evaluations show: varied, but not wild.
const (
	sampleTemperature = 0.8
	sampleTopK        = 50
)
