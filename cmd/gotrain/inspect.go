package main

import "github.com/spf13/cobra"

func newInspect() *cobra.Command {
	return group(&cobra.Command{
		Use:     "inspect",
		Short:   "Look inside a configuration, a checkpoint, a plan or a shard",
		Example: "  gotrain inspect checkpoint runs/opticks",
	}, newInspectConfig(), newInspectCheckpoint(), newInspectPlan(), newInspectShard())
}
