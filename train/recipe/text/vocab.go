package text

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/recipe"
)

// guessVocab returns the size of the vocabulary and where it comes from, without fitting
// pieces.
func guessVocab(ctx context.Context, env recipe.Env) (int, string, error) {
	n, from, err := tokensOf(ctx, env)
	return env.Config.Tokenizer.ModelVocab(env.Config.Text().Vocab, n), from, err
}

// tokensOf is the number of tokens that the tokenizer will have, and where it comes from;
// that of the model, where it has one that does not grow.
func tokensOf(ctx context.Context, env recipe.Env) (int, string, error) {
	cfg := env.Config
	if v := cfg.Text().Vocab; v > 0 && !cfg.Tokenizer.Grows() {
		return v, "model.vocab", nil
	}
	frozen := filepath.Join(TokenizerDir(cfg.Run.Dir), tokenizers.File)
	if _, err := os.Stat(frozen); err == nil {
		t, err := tokenizers.Load(frozen)
		if err != nil {
			return 0, "", err
		}
		return t.Vocab(), frozen, nil
	}
	if cfg.Tokenizer.Path == "" && (cfg.Tokenizer.Kind == "bpe" || cfg.Tokenizer.Kind == "wordpiece") {
		return cfg.Tokenizer.Vocab + len(cfg.Tokenizer.AddSpecialTokens), "tokenizer.vocab", nil
	}
	o, err := MakeTokenizer(ctx, recipe.Env{Config: cfg})
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", fmt.Errorf("the size of the vocabulary: %w; or set model.vocab", err)
	}
	if err != nil {
		return 0, "", fmt.Errorf("the size of the vocabulary: %w", err)
	}
	switch {
	case cfg.Tokenizer.Path != "":
		return o.Tokenizer.Vocab(), cfg.Tokenizer.Path, nil
	case cfg.Tokenizer.Kind == "bytes":
		return o.Tokenizer.Vocab(), "bytes and end-of-text", nil
	}
	return o.Tokenizer.Vocab(), "the characters of the training text", nil
}
