package main

import "github.com/spf13/cobra"

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
