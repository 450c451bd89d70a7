package main

import (
	"context"
	"errors"
	"path/filepath"

	"gotrain/data"
	"gotrain/data/tokenizers"
	"gotrain/data/vfs"
	"gotrain/train"
	"gotrain/train/console"
)

// prepared is the tokenizer and the shards of a configuration.
type prepared struct {
	*data.Prepared
	enc tokenizers.Encoder
}

// checkPaths finds the files of cfg, so that a path that leads nowhere is a fault
// of the configuration.
func checkPaths(cfg train.Config) error {
	for _, paths := range [][]string{cfg.Data.Paths, cfg.Data.ValidationPaths} {
		if _, err := data.ExpandPaths(paths); len(paths) > 0 && err != nil {
			return usageError{err}
		}
	}
	return nil
}

// prepareData fits the tokenizer, freezing it in the run as training would, and
// makes the shards; what is there already is used.
func prepareData(ctx context.Context, cfg train.Config, p *console.Progress) (*prepared, error) {
	if err := checkPaths(cfg); err != nil {
		return nil, err
	}
	t, err := runTokenizer(ctx, cfg, p)
	if err != nil {
		return nil, err
	}
	if dir := train.TokenizerDir(cfg.Run.Dir); !exists(filepath.Join(dir, "tokenizer.json")) {
		if err := tokenizers.Save(vfs.OS{}, dir, t, cfg.Text().Context); err != nil {
			return nil, err
		}
	}
	enc, err := tokenizers.NewEncoder(t)
	if err != nil {
		return nil, err
	}
	shards, err := data.Prepare(ctx, cfg.Data.Config, enc, p.Preparing)
	p.Clear()
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted; nothing was left behind")
	}
	if err != nil {
		return nil, err
	}
	return &prepared{shards, enc}, nil
}

// runTokenizer returns the tokenizer frozen in the run, else the one that the
// configuration describes.
func runTokenizer(ctx context.Context, cfg train.Config, p *console.Progress) (data.Tokenizer, error) {
	if frozen := filepath.Join(train.TokenizerDir(cfg.Run.Dir), "tokenizer.json"); exists(frozen) {
		return tokenizers.Load(frozen)
	}
	return train.MakeTokenizer(ctx, cfg, p.Listener().Phase)
}
