package main

import "github.com/spf13/cobra"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gotrain",
		Short: "Train language models in Go",
		Long: `gotrain fits a tokenizer, packs text into token shards, trains a transformer on
the CPU or on CUDA, and writes checkpoints that Hugging Face transformers loads.

Start with:  gotrain pretrain --config configs/opticks.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{err}
	})
	root.AddCommand(newPretrain(), newResume())
	return root
}
