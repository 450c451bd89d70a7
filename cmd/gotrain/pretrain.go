package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gotrain/data/vfs"
	"gotrain/nn/zoo"
	"gotrain/train"
	"gotrain/train/ranks"
)

// runFlags are the flags of every command that trains.
type runFlags struct {
	config, device, resume, dir string
	set                         []string
	dryRun                      bool
}

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` (YAML)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	c.Flags().StringVar(&f.device, "device", "", "device `NAME`: auto, cpu, cuda or cuda:N (default: the configuration's)")
	c.Flags().StringVar(&f.resume, "resume", "auto", "begin `FROM` auto, the run's newest checkpoint; none, step 0 with an earlier run set aside; or a checkpoint's directory")
	c.Flags().StringVar(&f.dir, "run", "", "run directory `DIR` (default: the configuration's run.dir)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "do everything up to the first step, print the plan, leave nothing behind")
	complete(c, "config", filesWith("yaml", "yml"))
	complete(c, "device", devices)
	complete(c, "resume", func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		found, _ := models(c, args, word)
		return append(found, "auto", "none"), cobra.ShellCompDirectiveNoFileComp
	})
	complete(c, "run", directories)
}

// load reads the configuration with the flags applied.
func (f *runFlags) load(c *cobra.Command) (train.Config, error) {
	if err := require(c, "config"); err != nil {
		return train.Config{}, usageError{err}
	}
	cfg, err := train.LoadConfig(f.config, f.assignments())
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
	dir, err := train.FindCheckpoint(f.resume)
	if err != nil {
		return "", usagef("--resume: %w; or use auto or none", err)
	}
	return dir, nil
}

// run trains, or with --dry-run does everything up to the first step.
func (f *runFlags) run(c *cobra.Command, cfg train.Config) error {
	resume, err := f.findResume()
	if err != nil {
		return err
	}
	if f.dryRun {
		return dryRun(c, cfg, resume)
	}
	return trainRun(c, cfg, resume)
}

func newPretrain() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "pretrain",
		Short: "Train a model from scratch, or go on with a run",
		Long: `Pretrain fits the tokenizer, packs the text into shards, and trains to the last
step, with evaluations and checkpoints on the way. Everything is in the run's
directory: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/latest.

An interrupt, SIGTERM or SIGUSR1 saves and ends with exit code 75; the same
command goes on from there. Other exit codes: 0 done, 1 failed, 2 wrong use.`,
		Example: `  gotrain pretrain --config configs/opticks.yaml
  gotrain pretrain --config configs/opticks.yaml --set train.steps=100 --run /tmp/short`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			return f.run(c, cfg)
		},
	}
	f.add(c)
	return c
}

func newResume() *cobra.Command {
	return &cobra.Command{
		Use:               "resume RUN_DIR",
		Short:             "Continue a run from its newest good checkpoint with its saved configuration",
		Example:           "  gotrain resume runs/opticks",
		Args:              oneArg("RUN_DIR"),
		ValidArgsFunction: directories,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := train.LoadConfig(train.ConfigPath(args[0]), nil)
			if errors.Is(err, os.ErrNotExist) {
				return usageError{fmt.Errorf("%s is not the directory of a run: it has no config.yaml", args[0])}
			}
			if err != nil {
				return usageError{err}
			}
			cfg.Run.Dir = args[0]
			return trainRun(c, cfg, "auto")
		},
	}
}

// trainRun trains and reports.
func trainRun(c *cobra.Command, cfg train.Config, resume string) error {
	if err := checkPaths(cfg); err != nil {
		return err
	}
	// A crash ends the process by SIGABRT. Without this the runtime exits with 2, which
	// tells launchers of wrong use: they would not start the run again.
	debug.SetTraceback("crash")
	members, err := openCluster(c.Context(), cfg.Cluster.Engine, cfg.Device)
	if err != nil {
		return train.Stopped(c.Context(), err)
	}
	err = members.beWatched(c.Context(), time.Duration(cfg.Cluster.TimeoutS)*time.Second, func(r ranks.Report) {
		// The collective may never return, so nothing can be unwound.
		fmt.Fprintf(c.ErrOrStderr(), "gotrain: %v", r)
		os.Exit(exitFailed)
	})
	if err == nil {
		err = members.train(c, cfg, resume)
	}
	failure := err
	if errors.Is(err, train.ErrStopped) {
		failure = nil // all ranks agreed on it
	}
	return errors.Join(err, members.close(failure))
}

// train is this rank's part of the run.
func (r *cluster) train(c *cobra.Command, cfg train.Config, resume string) error {
	backend, device, err := r.openBackend(cfg.Threads)
	if err != nil {
		return err
	}
	defer backend.Close()
	deps := train.Deps{Backend: backend, NewModel: zoo.New, FS: vfs.OS{}, Now: time.Now, Resume: resume,
		Group: r.group, LocalRank: r.launch.LocalRank, Version: readBuild().String()}
	if !r.first() {
		_, err := train.Train(c.Context(), cfg, deps)
		return err
	}
	p := newProgress(c.ErrOrStderr())
	p.measure(cfg, device)
	deps.Listener, deps.Machine = p.listener(), p.machine.forecast(cfg.Precision)
	result, err := train.Train(c.Context(), cfg, deps)
	p.finish(cfg, result, err)
	return err
}
