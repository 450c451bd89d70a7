package forecast

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gotrain/data/tokenizers"
	"gotrain/train"
)

// Vocab returns the size of the vocabulary and where it comes from, without fitting a
// BPE. The error is os.ErrNotExist's where a file of the tokenizer or of the text is
// missing.
func Vocab(ctx context.Context, cfg train.Config) (int, string, error) {
	if v := cfg.Text().Vocab; v > 0 {
		return v, "model.vocab", nil
	}
	frozen := filepath.Join(train.TokenizerDir(cfg.Run.Dir), "tokenizer.json")
	if _, err := os.Stat(frozen); err == nil {
		t, err := tokenizers.Load(frozen)
		if err != nil {
			return 0, "", err
		}
		return t.Vocab(), frozen, nil
	}
	if cfg.Tokenizer.Path == "" && cfg.Tokenizer.Kind == "bpe" {
		return cfg.Tokenizer.Vocab, "tokenizer.vocab", nil
	}
	t, err := train.MakeTokenizer(ctx, cfg, nil)
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", fmt.Errorf("the size of the vocabulary: %w; or set model.vocab", err)
	}
	if err != nil {
		return 0, "", fmt.Errorf("the size of the vocabulary: %w", err)
	}
	switch {
	case cfg.Tokenizer.Path != "":
		return t.Vocab(), cfg.Tokenizer.Path, nil
	case cfg.Tokenizer.Kind == "bytes":
		return t.Vocab(), "bytes and end-of-text", nil
	}
	return t.Vocab(), "the characters of the training text", nil
}
