package text

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
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
	for path, want := range map[string]string{
		cfg.Run.Dir + "/none.json": "there is no file or directory of that name; names of models are not looked up",
		"openai/gpt2":              "apart from gpt2, cl100k, o200k: download the tokenizer.json and name it",
		cfg.Run.Dir:                "holds no tokenizer.json",
	} {
		cfg.Tokenizer.Path = path
		var fault *config.Fault
		if _, _, err := guessVocab(t.Context(), recipe.Env{Config: cfg}); !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("tokenizer.path %s: %v, want %q", path, err, want)
		}
	}
}

// TestFittingTells: whoever fits a tokenizer is told how much text is read and which merge is made.
func TestFittingTells(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("the rays of light are of several colours. ", 50)), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default(config.Tables{Families: zoo.Families(), Recipes: []config.Recipe{{Formats: []config.Choice{
		{Name: "text", New: func() any { return &data.Config{Format: data.FormatText} }}}}}})
	if err := cfg.Data.Set("text", &data.Config{Format: data.FormatText, Paths: []string{file}}); err != nil {
		t.Fatal(err)
	}
	for kind, merged := range map[string]bool{"bpe": true, "characters": false} {
		cfg.Tokenizer = config.TokenizerConfig{Kind: kind, Vocab: 280, Pattern: "gpt2"}
		var last data.Progress
		if _, err := MakeTokenizer(t.Context(), recipe.Env{Config: cfg, Progress: func(p data.Progress) { last = p }}); err != nil {
			t.Fatal(err)
		}
		if last.Doing != data.Fitting || last.TextBytes != 42*50 || (last.Merges > 0) != merged {
			t.Errorf("%s: %+v", kind, last)
		}
	}
}
