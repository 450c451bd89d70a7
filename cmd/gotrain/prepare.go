package main

import (
	"context"
	"errors"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// prepared is the tokenizer and the shards of a configuration.
type prepared struct {
	*data.Prepared
	enc tokenizers.Encoder
}

// checkPaths finds the files of cfg, so that a path that leads nowhere is a fault
// of the configuration.
func checkPaths(cfg config.Config) error {
	if texts, ok := cfg.Texts(); ok {
		if err := texts.Find(); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// prepareData fits the tokenizer, freezing it in the run as training would, and
// makes the shards; what is there already is used.
func prepareData(ctx context.Context, cfg config.Config, p *console.Progress) (*prepared, error) {
	if err := checkPaths(cfg); err != nil {
		return nil, err
	}
	t, id, err := text.OpenTokenizer(ctx, recipe.Env{Config: cfg, FS: vfs.OS{}, Tell: p.Listener().Phase, Progress: p.Preparing})
	if err != nil {
		return nil, err
	}
	enc, err := text.Encoder(cfg, t, id)
	if err != nil {
		return nil, err
	}
	texts, _ := cfg.Texts()
	shards, err := data.Prepare(ctx, texts, enc, p.Preparing)
	p.Clear()
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted; nothing was left behind")
	}
	if err != nil {
		return nil, err
	}
	return &prepared{shards, enc}, nil
}
