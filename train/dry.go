package train

import (
	"context"
	"errors"
	"fmt"
	"os"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
)

// Dry is a run up to its first step that leaves nothing behind.
type Dry struct {
	Config Config // with what the data told
	Job    *recipe.Job
	From   string // the checkpoint that the run would go on from, "" for none
	Step   int64  // of it
	Aside  bool   // an earlier run would be set aside
	// Changes are what the run would go on with otherwise than until now.
	Changes []config.Change
}

// DryRun opens the job of cfg as Train would, in memory: it fits the tokenizer, goes
// through the data, and verifies the checkpoint that the run would go on from. Of
// deps it takes the table, the files, the listener and Resume.
func DryRun(ctx context.Context, cfg Config, deps Deps) (*Dry, error) {
	if err := cfg.Validate(deps.Table.Config()); err != nil {
		return nil, err
	}
	d := &Dry{}
	if err := d.find(cfg, deps); err != nil {
		return nil, err
	}
	var was *Config
	if !d.Aside {
		var err error
		if was, err = earlier(cfg, d.From, deps.Table.Config()); err != nil {
			return nil, err
		}
	}
	job, err := deps.Table.Open(ctx, recipe.Env{
		Config: cfg, FS: deps.FS, From: d.From, Dry: true, Now: deps.Now, Tell: deps.Listener.Phase, Progress: deps.Listener.Preparing,
	})
	if err != nil {
		return nil, err
	}
	d.Job, d.Config = job, job.Config
	if was != nil && d.From != "" {
		d.Changes, err = changesAt(*was, d.Config, int(d.Step))
	}
	return d, err
}

// find says where the run would begin.
func (d *Dry) find(cfg Config, deps Deps) error {
	from := deps.Resume
	switch from {
	case "none":
		_, err := os.Stat(cfg.Run.Dir)
		d.Aside = !errors.Is(err, os.ErrNotExist)
		return nil
	case "auto", "":
		if _, err := os.Stat(checkpoint.LatestLink(cfg.Run.Dir)); err != nil {
			return nil
		}
		from = cfg.Run.Dir
	}
	dir, err := hub.FindCheckpoint(from)
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	m, err := checkpoint.Verify(deps.FS, dir)
	if err != nil {
		return fmt.Errorf("--resume %s: %w", dir, err)
	}
	d.From, d.Step = dir, m.Step
	return nil
}
