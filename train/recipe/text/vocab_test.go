package text

import (
	"errors"
	"os"
	"testing"

	"gotrain/nn/zoo"
	"gotrain/train/config"
	"gotrain/train/recipe"
)

func TestVocab(t *testing.T) {
	cfg := config.Default(config.Tables{Families: zoo.Families()})
	cfg.Run.Dir = t.TempDir()
	var err error
	for _, c := range []struct {
		set  func(*config.Config)
		want int
		from string
	}{
		{func(c *config.Config) { err = c.SetVocab(77) }, 77, "model.vocab"},
		{func(c *config.Config) { c.Tokenizer = config.TokenizerConfig{Kind: "bpe", Vocab: 2048} }, 2048, "tokenizer.vocab"},
		{func(c *config.Config) { c.Tokenizer = config.TokenizerConfig{Kind: "bytes"} }, 257, "bytes and end-of-text"},
	} {
		cfg := cfg
		c.set(&cfg)
		if err != nil {
			t.Fatal(err)
		}
		if n, from, err := guessVocab(t.Context(), recipe.Env{Config: cfg}); n != c.want || from != c.from || err != nil {
			t.Errorf("got %d of %s, %v; want %d of %s", n, from, err, c.want, c.from)
		}
	}
	cfg.Tokenizer = config.TokenizerConfig{Path: cfg.Run.Dir + "/none.json"}
	if _, _, err := guessVocab(t.Context(), recipe.Env{Config: cfg}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a tokenizer that is not there: %v", err)
	}
}
