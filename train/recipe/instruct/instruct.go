// Package instruct is the recipe of instruction tuning: what the assistant says in
// conversations, which are packed into rows that do not see each other.
package instruct

import (
	"context"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:    "instruct",
		Formats: []config.Choice{text.InstructFormat()},
		Check:   text.CheckConversations, Design: design, Open: open, Inspect: inspect,
	}
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, err := text.Design(ctx, env)
	if err != nil {
		return nil, err
	}
	j.Reading = text.ReadingConversations(env.Config)
	return j, nil
}

// open encodes the conversations and packs them into batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	known, err := text.Ledger(env)
	if err != nil {
		return nil, err
	}
	in, err := text.ReadConversations(ctx, env, tokens, id, known)
	if err != nil {
		return nil, err
	}
	split, err := text.KeepLedger(env, known, in.Ledger)
	if err != nil {
		return nil, err
	}
	in.Tell(env)
	j, err := text.New(ctx, env, tokens, in.Identity)
	if err != nil {
		return nil, err
	}
	j.Reading = text.ReadingConversations(env.Config)
	j.Split = split
	j.Next = func(model string) string { return shell.Command("gotrain", "chat", "--model", model) }
	j.Facts = append(j.Facts, in.Facts()...)
	return j, batches(in, env, j, tokens)
}

// batches gives the job its sources.
func batches(in *text.Conversations, env recipe.Env, j *recipe.Job, tokens data.Tokenizer) error {
	c, packing := env.Config, in.Config.Packing
	if s := in.Train.Stats(); env.Held {
		env.Telling("conversations", "%d, %d tokens, %d of them answers; %d truncated, %d dropped", s.Examples, s.Tokens, s.Counted, s.Truncated, s.Dropped)
	} else {
		loader, err := instruct.NewLoader(in.Train, data.LoaderConfig{Sequences: c.Sequences(c.TrainRows()), Seed: c.Run.Seed}, packing, in.Pad)
		if err != nil {
			return err
		}
		j.Train, j.TrainUnits, j.Epoch = loader, loader.Tokens(), uint64(loader.Epoch())
		env.Telling("conversations", "%d, %d tokens, %d of them trained; %d truncated, %d dropped; rows full to %.1f%%",
			s.Examples, s.Tokens, s.Counted, s.Truncated, s.Dropped, 100*loader.Density())
	}
	if in.Validation != nil {
		eval, err := instruct.NewEval(in.Validation, c.Sequences(c.EvalRows()), packing, in.Pad, tokens)
		if err != nil {
			return err
		}
		j.Eval, j.EvalUnits = eval, eval.Tokens()
	}
	return text.CheckEval(c, j.Eval)
}
