package main

import (
	"github.com/spf13/cobra"

	"gotrain/train/config"
)

func newInspectConfig() *cobra.Command {
	var set []string
	c := &cobra.Command{
		Use:   "config FILE",
		Short: "Print a configuration with every default spelled out",
		Example: `  gotrain inspect config configs/opticks.yaml
  gotrain inspect config configs/opticks.yaml --set optimizer.kind=muon > muon.yaml`,
		Args: oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0], set)
			if err != nil {
				return err
			}
			text, err := config.Encode(cfg)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
		ValidArgsFunction: filesWith("yaml", "yml"),
	}
	c.Flags().StringArrayVar(&set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	return c
}
