package eval

import (
	"context"
	"errors"

	"gotrain/data"
	"gotrain/data/instruct"
	"gotrain/train/recipe"
	recipes "gotrain/train/recipe/instruct"
	"gotrain/train/recipe/text"
)

// ErrNothingHeldOut says that a run holds out no conversations: name some.
var ErrNothingHeldOut = errors.New("the run holds out no conversations")

// Conversations are the answers of conversations for Batches: with held those that the run
// of env has held out, else all that env's configuration names, none of which is trained on.
func Conversations(ctx context.Context, env recipe.Env, held bool) (data.Source, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	known, err := text.Ledger(env)
	if err != nil {
		return nil, err
	}
	in, err := recipes.Read(ctx, env, tokens, id, known)
	if err != nil {
		return nil, err
	}
	set := in.Train
	if held {
		if set = in.Validation; set == nil {
			return nil, ErrNothingHeldOut
		}
	}
	c := env.Config
	return instruct.NewEval(set, c.Sequences(c.EvalRows()), in.Config.Packing, in.Pad, tokens)
}
