package text

import (
	"context"

	"example.com/gotrain/data"
	"example.com/gotrain/nn/generate"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// Sampling of the text that evaluations show: varied, but not wild.
const (
	sampleTemperature = 0.8
	sampleTopK        = 50
)

// show makes the job show how its model goes on from the configured prompt. The
// text is a function of the parameters and the seed of the run.
func show(j *recipe.Job, env recipe.Env, tokens data.Tokenizer, id hub.Identity) error {
	if len(j.Tools) == 0 {
		return nil
	}
	generator, ok := j.Tools[0].(*generate.Generator)
	if !ok {
		return nil
	}
	t := env.Config.Train
	prompt, err := id.Prompts(tokens, BOS(env.Config)).Encode(t.Sample)
	if err != nil {
		return config.Faultf("train.sample: %w", err)
	}
	if context := generator.Context(); len(prompt) >= context {
		return config.Faultf("train.sample has %d tokens; use 1 to %d", len(prompt), context-1)
	}
	options := generate.Options{
		Sampling:  generate.Sampling{Temperature: sampleTemperature, TopK: sampleTopK, Seed: env.Config.Run.Seed},
		MaxTokens: t.SampleTokens, Stop: id.Ends(tokens),
	}
	j.Show = func(ctx context.Context) (recipe.Shown, error) {
		generator.Truncate(0)
		out, err := generator.Generate(ctx, prompt, options, nil)
		return recipe.Shown{Name: "sample", Text: string(tokens.AppendDecode([]byte(t.Sample), out.Tokens))}, err
	}
	return nil
}
