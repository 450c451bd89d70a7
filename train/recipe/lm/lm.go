// Package lm is the recipe of language modelling: the next token of packed text.
package lm

import (
	"context"
	"fmt"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{Name: "lm", Formats: text.Formats(), Design: design, Open: open, Inspect: inspect}
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, err := text.Design(ctx, env)
	if err != nil {
		return nil, err
	}
	j.Reading = text.Reading(env)
	return j, nil
}

// open packs the text into shards and cuts them into batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	enc, err := text.Encoder(env.Config, tokens, id)
	if err != nil {
		return nil, err
	}
	j, err := text.New(ctx, env, tokens, id)
	if err != nil {
		return nil, err
	}
	j.Reading = text.Reading(env)
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", env.Config.Train.Sample)
	}
	texts, _ := env.Config.Texts()
	if texts.Known, err = text.Ledger(env); err != nil {
		return nil, err
	}
	if env.Dry && !texts.Prepared() {
		return j, text.Count(ctx, env, j, texts, enc)
	}
	return j, openShards(ctx, env, j, texts, enc)
}

// openShards gives the job its batches.
func openShards(ctx context.Context, env recipe.Env, j *recipe.Job, texts data.Config, enc tokenizers.Encoder) error {
	c := env.Config
	prepared, err := text.Shards(ctx, env, j, texts, enc)
	if err != nil {
		return err
	}
	batches, err := batchesOf(j, prepared, data.LoaderConfig{Sequences: c.Sequences(c.TrainRows()), Seed: c.Run.Seed})
	if err != nil {
		return err
	}
	j.Train = batches
	text.GiveEpoch(env, j, batches, prepared.Parts)
	if prepared.Validation != nil {
		if err := hold(j, prepared, c, enc); err != nil {
			return err
		}
	}
	return text.CheckEval(c, j.Eval)
}

// batchesOf are the batches of what is trained on: of a model with a memory rows that go on.
func batchesOf(j *recipe.Job, prepared *data.Prepared, cfg data.LoaderConfig) (data.Windowed, error) {
	if memory := memoryOf(j); memory > 0 {
		return prepared.Stream(cfg, memory)
	}
	return prepared.Batches(cfg)
}

// memoryOf is the number of tokens that the model of a job remembers of earlier segments.
func memoryOf(j *recipe.Job) int {
	if m, ok := j.Parts[0].Model.(nn.Remembering); ok {
		return m.Memory()
	}
	return 0
}

// hold gives the job what is held out, as a whole and by sources.
func hold(j *recipe.Job, prepared *data.Prepared, c config.Config, enc tokenizers.Encoder) (err error) {
	size := c.Sequences(c.EvalRows())
	all, err := data.NewEval(prepared.Validation, size, enc)
	if err != nil {
		return err
	}
	j.Eval = all
	if memory := memoryOf(j); memory > 0 {
		j.Eval = all.Streams(memory, 0)
	}
	for _, part := range prepared.Parts {
		if part.Validation == nil {
			continue
		}
		e, err := data.NewEval(part.Validation, size, enc)
		if err != nil {
			return fmt.Errorf("source %s: %w", part.Name, err)
		}
		j.EvalParts = append(j.EvalParts, recipe.EvalPart{Name: part.Name, Source: e})
	}
	if len(j.EvalParts) < 2 {
		j.EvalParts = nil
	}
	return nil
}
