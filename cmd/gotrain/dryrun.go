package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/units"
)

// dryRun does everything up to the first step of cfg and leaves no trace: it
// fits the tokenizer in memory, goes through the data, verifies the checkpoint that
// the run would go on from, allocates and initialises the models, and prints the
// plan.
func dryRun(c *cobra.Command, cfg config.Config, resume string) error {
	if err := checkPaths(cfg); err != nil {
		return err
	}
	backend, device, err := device.Open(cfg.Device, cfg.Threads, device.Collectives{})
	if err != nil {
		return err
	}
	defer backend.Close()
	p := console.New(c.ErrOrStderr())
	dry, err := train.DryRun(c.Context(), cfg, train.Deps{Table: table(), FS: vfs.OS{}, Listener: p.Listener(), Resume: resume})
	p.Clear()
	if errors.Is(err, hub.ErrNoModel) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if dry.Job.Close != nil {
		defer dry.Job.Close()
	}
	p.Changes(dry.Changes)
	r, err := forecast.Make(dry.Config, dry.Job, device)
	if err != nil {
		return err
	}
	if free := r.Limits.Usable(); free > 0 && r.Memory.Total > free {
		return errors.Join(printPlan(c.OutOrStdout(), r), fmt.Errorf("the run needs %s of memory, %s are free: lower train.batch to %d, or set train.recompute: true", units.Bytes(r.Memory.Total), units.Bytes(free), r.LargestBatch))
	}
	engine, err := engine.New(dry.Config, dry.Job, backend, ranks.Coordinate(nil))
	if err == nil {
		err = engine.Initialize(vfs.OS{})
	}
	if err != nil {
		return err
	}
	if err := printPlan(c.OutOrStdout(), r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%-12s would begin %s in %s; nothing was trained or written\n", "dry run", beginning(dry), cfg.Run.Dir)
	return err
}

// beginning says where a run would begin.
func beginning(d *train.Dry) string {
	switch {
	case d.From != "":
		return fmt.Sprintf("at step %d, from %s,", d.Step, d.From)
	case d.Aside:
		return "at step 0, with the earlier run set aside,"
	}
	return "at step 0"
}
