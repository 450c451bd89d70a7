package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/gotrain/train/config"
	"example.com/gotrain/train/shell"

	"github.com/spf13/cobra"
)

func newResume() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "resume RUN_DIR",
		Short: "Continue a run from its newest good checkpoint with its saved configuration",
		Long: `Resume goes on with a run as it was configured, to the same bits as if it had not
been stopped. With --set it goes on otherwise: before it starts it lists what is
changed beside the value until now, and the run keeps the new values. What decides
the shape of the model, its tokens or the states of the optimizer cannot change.

Texts keep their side: what was trained on stays in training, what was held out
stays held out, and new ones are split by data.validation.`,
		Example: `  gotrain resume runs/opticks
  gotrain resume runs/opticks --set train.steps=1200 --set optimizer.lr=3e-4
  gotrain resume runs/opticks --set train.steps=1200 --dry-run`,
		Args:              oneArg("RUN_DIR"),
		ValidArgsFunction: directories,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := f.reload(args[0])
			if err != nil {
				return err
			}
			return f.run(c, cfg)
		},
	}
	f.resume = "auto"
	f.addSettings(c)
	return c
}

// reload reads the configuration of a run with the flags applied.
func (f *runFlags) reload(dir string) (config.Config, error) {
	cfg, err := config.Load(config.Path(dir), f.assignments(), tables())
	if errors.Is(err, os.ErrNotExist) && !exists(config.Path(dir)) {
		return cfg, usagef("%s is not the directory of a run: it has no config.yaml", dir)
	}
	if err != nil {
		return cfg, usageError{f.fixed(err)}
	}
	saved, err := config.Load(config.Path(dir), nil, tables())
	if err != nil {
		return cfg, usageError{err}
	}
	if cfg.Run.Dir != saved.Run.Dir && filepath.Clean(cfg.Run.Dir) != filepath.Clean(dir) {
		return cfg, usageError{fmt.Errorf("run.dir is %s, but resume goes on in %s: leave it out", cfg.Run.Dir, dir)}
	}
	cfg.Run.Dir = dir
	if cfg.Base != saved.Base {
		if cfg.Base, err = config.FindBase(cfg.Base, cfg.Recipe.Name(), tables()); err != nil {
			return cfg, usageError{err}
		}
		if cfg.Tokenizer.Path == saved.Base {
			cfg.Tokenizer.Path = cfg.Base
		}
	}
	return cfg, nil
}

// fixed words a fault that comes of an assignment to what cannot change: the keys that
// follow from it are written out in the configuration of a run.
func (f *runFlags) fixed(err error) error {
	for _, a := range f.set {
		path, _, _ := strings.Cut(a, "=")
		section, name, _ := strings.Cut(path, ".")
		if section == "tokenizer" || section == "model" && name != "dropout" {
			return fmt.Errorf("%s cannot change in a run that goes on: its weights are of that shape; leave --set %s out, or train another run\n%w", path, shell.Quote(a), err)
		}
	}
	return err
}
