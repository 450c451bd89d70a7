package train

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/recipe"
)

// Conversations that share rows have the losses that they have alone.
func TestPackedLossesAreThoseOfUnpacked(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Named("plain")
	if err != nil {
		t.Fatal(err)
	}
	conversations := func(yield func(chat.Conversation, error) bool) {
		for i := range 24 {
			c := chat.Conversation{Messages: []chat.Message{{Role: chat.User, Content: fmt.Sprint("q", i)}, {Role: chat.Assistant, Content: strings.Repeat(fmt.Sprint(i), 1+i%7)}}}
			if !yield(c, nil) {
				return
			}
		}
	}
	const length = 128
	set, err := instruct.Build(context.Background(), instruct.Default(), instruct.NewEncoder(tokens, template, chat.Vars{EOS: bpe.EndOfText}), length, conversations)
	if err != nil {
		t.Fatal(err)
	}
	for family, model := range map[string]any{
		gpt2.Name:  &gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: length, Vocab: tokens.Vocab()},
		llama.Name: &llama.Config{Layers: 2, Heads: 2, Width: 16, Context: length, Vocab: tokens.Vocab()},
	} {
		cfg := config.Default(tables)
		if err := cfg.Model.Set(family, model); err != nil {
			t.Fatal(err)
		}
		cfg.Train.Batch, cfg.Train.DocumentMask = 2, true
		e := newTestEngine(t, cfg, 1)
		var results []engine.EvalResult
		for _, together := range []bool{true, false} {
			eval, err := instruct.NewEval(set, data.Sequences{Rows: data.Rows{Batch: 2}, Context: length, DocumentMask: true}, together, 0, tokens)
			if err != nil {
				t.Fatal(err)
			}
			result, err := e.Evaluate(eval, 0)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, result)
		}
		if a, b := results[0], results[1]; a.Counts[recipe.PerWeight] != b.Counts[recipe.PerWeight] || math.Abs(a.Get("nll")-b.Get("nll")) > 1e-5 {
			t.Errorf("%s: packed %+v, one a row %+v", family, a, b)
		}
	}
}
