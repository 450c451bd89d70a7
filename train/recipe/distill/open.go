package distill

import (
	"context"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// conversing tells whether what is learnt is what the assistant says in conversations.
func conversing(c config.Config) bool { return c.Data.Name() == text.FormatInstruct }

// openText packs text into shards and cuts them into batches.
func openText(ctx context.Context, env recipe.Env, tokens data.Tokenizer, id hub.Identity) (*recipe.Job, error) {
	enc, err := text.Encoder(env.Config, tokens, id)
	if err != nil {
		return nil, err
	}
	j, t, err := finish(ctx, env, tokens, id)
	if err != nil {
		return nil, err
	}
	c := env.Config
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", c.Train.Sample)
	}
	texts, _ := c.Texts()
	if texts.Known, err = text.Ledger(env); err != nil {
		return nil, err
	}
	if env.Dry && !texts.Prepared() {
		return j, text.Count(ctx, env, j, texts, enc)
	}
	prepared, err := text.Shards(ctx, env, j, texts, enc)
	if err != nil {
		return j, err
	}
	batches := func(rows data.Rows) (data.Windowed, error) {
		return prepared.Batches(data.LoaderConfig{Sequences: c.Sequences(rows), Seed: c.Run.Seed, Fixed: true})
	}
	first, err := batches(c.TrainRows())
	if err != nil {
		return j, err
	}
	text.GiveEpoch(env, j, first, prepared.Parts)
	var eval func(data.Rows) (data.Source, error)
	if prepared.Validation != nil {
		eval = func(rows data.Rows) (data.Source, error) {
			return data.NewEval(prepared.Validation, c.Sequences(rows), enc)
		}
	}
	return j, t.lessons(env, j, first.Windows(), func(rows data.Rows) (data.Source, error) { return batches(rows) }, eval)
}

// openConversations encodes conversations and packs them into batches.
func openConversations(ctx context.Context, env recipe.Env, tokens data.Tokenizer, id hub.Identity) (*recipe.Job, error) {
	known, err := text.Ledger(env)
	if err != nil {
		return nil, err
	}
	in, err := text.ReadConversations(ctx, env, tokens, id, known)
	if err != nil {
		return nil, err
	}
	in.Tell(env)
	j, t, err := finish(ctx, env, tokens, in.Identity)
	if err != nil {
		return nil, err
	}
	if j.Split, err = text.KeepLedger(env, known, in.Ledger); err != nil {
		return nil, err
	}
	c := env.Config
	j.Next = func(model string) string { return shell.Command("gotrain", "chat", "--model", model) }
	j.Facts = append(j.Facts, in.Facts()...)
	load := func(rows data.Rows) (*instruct.Loader, error) {
		return instruct.NewLoader(in.Train, data.LoaderConfig{Sequences: c.Sequences(rows), Seed: c.Run.Seed}, in.Config.Packing, in.Pad)
	}
	first, err := load(c.TrainRows())
	if err != nil {
		return nil, err
	}
	j.TrainUnits = first.Tokens()
	env.Telling("conversations", "%d, %d tokens; rows full to %.1f%%", in.Train.Stats().Examples, j.TrainUnits, 100*first.Density())
	var eval func(data.Rows) (data.Source, error)
	if in.Validation != nil {
		eval = func(rows data.Rows) (data.Source, error) {
			e, err := instruct.NewEval(in.Validation, c.Sequences(rows), in.Config.Packing, in.Pad, tokens)
			if err == nil {
				j.EvalUnits = e.Tokens()
			}
			return e, err
		}
	}
	return j, t.lessons(env, j, uint64(first.Epoch()), func(rows data.Rows) (data.Source, error) { return load(rows) }, eval)
}
