package train

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"gotrain/data"
	"gotrain/data/bpe"
	"gotrain/data/tokenizers"
	"gotrain/nn/hub"
)

// TokenizerDir is the directory of a run's frozen tokenizer.
func TokenizerDir(runDir string) string { return filepath.Join(runDir, "tokenizer") }

// openTokenizer loads the tokenizer of the checkpoint, else the one frozen in
// the run, else what the configuration names, and freezes it in the run.
func (r *run) openTokenizer(ctx context.Context, from string) (data.Tokenizer, error) {
	frozen := TokenizerDir(r.cfg.Run.Dir)
	for _, dir := range []string{from, frozen} {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err == nil {
			return tokenizers.Load(dir)
		}
	}
	t, err := MakeTokenizer(ctx, r.cfg, r.deps.Listener.Phase)
	if err != nil {
		return nil, err
	}
	if !r.cfg.Rank.First() {
		return t, nil // it cannot see what rank 0 froze, and is compared with it
	}
	return t, tokenizers.Save(r.deps.FS, frozen, t, r.cfg.Text().Context)
}

// MakeTokenizer loads or fits the tokenizer that cfg describes.
func MakeTokenizer(ctx context.Context, cfg Config, phase func(Phase)) (data.Tokenizer, error) {
	c := cfg.Tokenizer
	switch {
	case c.Path != "":
		return tokenizers.Load(c.Path)
	case c.Kind == "bytes":
		return bpe.Bytes()
	}
	corpus, err := data.OpenCorpus(cfg.Data.Config)
	if err != nil {
		return nil, err
	}
	var t data.Tokenizer
	if c.Kind == "characters" {
		var text []byte
		for doc, err := range trainingText(corpus) {
			if err != nil {
				return nil, err
			}
			text = append(text, doc...)
		}
		t, err = bpe.Characters(text)
	} else {
		var pattern bpe.Pattern
		if pattern, err = bpe.ParsePattern(c.Pattern); err != nil {
			return nil, err
		}
		t, err = bpe.Train(ctx, trainingText(corpus), bpe.TrainConfig{
			Pattern: pattern, Vocab: c.Vocab, Special: []string{bpe.EndOfText}, Workers: cfg.Threads,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	notify(phase, Phase{"tokenizer", fmt.Sprintf("%s, %d tokens, fitted to the training text", c.Kind, t.Vocab())})
	return t, nil
}

// trainingText streams the documents that are not held out.
func trainingText(c *data.Corpus) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for doc, err := range c.Documents() {
			if err == nil && doc.Split == data.Validation {
				continue
			}
			if !yield(doc.Text, err) {
				return
			}
		}
	}
}

// findIdentity takes the identity of the checkpoint that the run goes on from,
// else of its base.
func (r *run) findIdentity(from string) (hub.Identity, error) {
	if from == "" {
		from = r.cfg.Base
	}
	if from == "" {
		return hub.FreshIdentity(r.tokenizer, r.cfg.Text().Context), nil
	}
	return hub.ReadIdentity(from, r.tokenizer, r.cfg.Text().Context)
}
