package main

import (
	"fmt"
	"slices"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/config"

	"github.com/spf13/cobra"
)

// runFlags are the flags of every command that trains.
type runFlags struct {
	config, device, resume, dir string
	set                         []string
	dryRun                      bool
}

// addSettings adds the flags of a run whose configuration is known.
func (f *runFlags) addSettings(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	complete(c, "set", settings)
	c.Flags().StringVar(&f.device, "device", "", "device `NAME`: auto, cpu, cuda or cuda:N (default: the configuration's)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "do everything up to the first step, print the plan, leave nothing behind")
	complete(c, "device", devices)
}

func (f *runFlags) add(c *cobra.Command) {
	f.addSettings(c)
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` (YAML)")
	c.Flags().StringVar(&f.resume, "resume", "auto", "begin `FROM` auto, the run's newest checkpoint; none, step 0 with an earlier run set aside; or a checkpoint's directory")
	c.Flags().StringVar(&f.dir, "run", "", "run directory `DIR` (default: the configuration's run.dir)")
	complete(c, "config", filesWith("yaml", "yml"))
	complete(c, "resume", func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		found, _ := models(c, args, word)
		return append(found, "auto", "none"), cobra.ShellCompDirectiveNoFileComp
	})
	complete(c, "run", directories)
}

// load reads the configuration with the flags applied.
func (f *runFlags) load(c *cobra.Command) (config.Config, error) {
	if err := require(c, "config"); err != nil {
		return config.Config{}, usageError{err}
	}
	cfg, err := config.Load(f.config, f.assignments(), tables())
	if err == nil && cfg.Base != "" {
		err = fmt.Errorf("%s begins from the base %s: use gotrain finetune", f.config, cfg.Base)
	}
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// assignments are those of --set and of the flags that stand for one.
func (f *runFlags) assignments() []string {
	set := slices.Clone(f.set)
	if f.dir != "" {
		set = append(set, fmt.Sprintf("run.dir=%q", f.dir))
	}
	if f.device != "" {
		set = append(set, "device="+f.device)
	}
	return set
}

// findResume resolves a --resume that names a checkpoint or a run.
func (f *runFlags) findResume() (string, error) {
	if f.resume == "auto" || f.resume == "none" {
		return f.resume, nil
	}
	dir, err := hub.FindCheckpoint(f.resume)
	if err != nil {
		return "", usagef("--resume: %w; or use auto or none", err)
	}
	return dir, nil
}

// run trains, or with --dry-run does everything up to the first step.
func (f *runFlags) run(c *cobra.Command, cfg config.Config) error {
	resume, err := f.findResume()
	if err != nil {
		return err
	}
	if f.dryRun {
		return dryRun(c, cfg, resume)
	}
	return trainRun(c, cfg, resume)
}
