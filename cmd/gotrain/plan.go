package main

import (
	"context"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/autograd/mesh"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/recipe"
)

func newPlan() *cobra.Command {
	var f configFlags
	var on, card string
	var price float64
	ranks := 1
	c := &cobra.Command{
		Use:   "plan",
		Short: "What a run will take: parameters, FLOPs, memory, time; runs nothing",
		Long: `Plan compiles the programs of a configuration and measures this machine's peak for
a fraction of a second. The memory of the model is exact: all of it is allocated
before the first step, so that a run that starts does not run out of it. The time
is a roofline estimate on an idle machine, without evaluations and checkpoints;
with the price of an hour it gives the cost. With train.epochs it goes through
the data for the number of steps.`,
		Example: `  gotrain plan --config configs/gpt2-124m.yaml
  gotrain plan --config configs/gpt2-124m.yaml --card h100-sxm --price 2.5
  gotrain plan --config configs/opticks.yaml --set train.batch=64 --json
  gotrain plan --config configs/gpt2-124m.yaml --ranks 8 --set cluster.zero=1`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			if on != "" {
				cfg.Device = on
			}
			if ranks < 1 {
				return usagef("--ranks is %d; use 1 or more", ranks)
			}
			cfg.Rank = mesh.Of(0, ranks)
			d, err := planDevice(cfg.Device, card, cfg.Threads)
			if err != nil {
				return err
			}
			if !(price >= 0) || math.IsInf(price, 1) {
				return usagef("--price is %g; give what an hour of the machine costs, in any currency", price)
			}
			r, err := makePlan(c.Context(), cfg, d)
			if err != nil {
				return err
			}
			r.Past = forecast.PastOf(cfg, r.Machine.Kind())
			if c.Flags().Changed("price") {
				r.SetPrice(price)
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), r)
			}
			return printPlan(c.OutOrStdout(), r)
		},
	}
	f.add(c)
	c.Flags().StringVar(&on, "device", "", "device `NAME`: auto, cpu, cuda or cuda:N (default: the configuration's)")
	complete(c, "device", devices)
	c.Flags().StringVar(&card, "card", "", "plan for this GPU, here or not: "+strings.Join(device.Cards(), ", ")+" (default: the GPU of --device, else "+device.DefaultCard+")")
	c.Flags().Float64Var(&price, "price", 0, "what an hour of the machine costs, `AMOUNT` in any currency: the plan gives the cost of the run")
	complete(c, "card", fixed(device.Cards()...))
	c.Flags().IntVar(&ranks, "ranks", ranks, "plan for `N` ranks on as many such machines or GPUs: the memory of rank 0, which keeps the most, the speed of all without their messages")
	return c
}

// planDevice is the device to plan for: that of a name, or a card that need not be here.
func planDevice(name, card string, threads int) (device.Device, error) {
	if card == "" {
		return device.Plan(name, threads)
	}
	d, err := device.OfCard(card)
	if err != nil {
		return d, usagef("--%w", err)
	}
	return d, nil
}

// design returns the job of cfg without its data.
func design(ctx context.Context, cfg config.Config) (*recipe.Job, error) {
	job, err := table().Design(ctx, recipe.Env{Config: cfg, FS: vfs.OS{}})
	if err != nil {
		return nil, usageError{err}
	}
	return job, nil
}

// countEpochs goes through the data of cfg, without keeping any of it, where its steps
// follow from epochs.
func countEpochs(ctx context.Context, cfg config.Config) (config.Config, error) {
	if cfg.Train.Epochs == 0 {
		return cfg, nil
	}
	if err := checkPaths(cfg); err != nil {
		return cfg, err
	}
	job, err := table().Open(ctx, recipe.Env{Config: cfg, FS: vfs.OS{}, Dry: true})
	if err != nil {
		return cfg, err
	}
	if job.Close != nil {
		err = job.Close()
	}
	cfg.Train = job.Config.Train
	return cfg, err
}

// makePlan forecasts the run of cfg on d.
func makePlan(ctx context.Context, cfg config.Config, d device.Device) (*forecast.Report, error) {
	epochs := cfg.Train.Epochs
	cfg, err := countEpochs(ctx, cfg)
	if err != nil {
		return nil, err
	}
	job, err := design(ctx, cfg)
	if err != nil {
		return nil, err
	}
	r, err := forecast.Make(job.Config, job, d)
	if err != nil {
		return nil, err
	}
	r.Epochs = epochs
	return r, nil
}
