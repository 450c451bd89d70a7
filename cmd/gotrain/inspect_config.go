package main

import (
	"github.com/spf13/cobra"

	"example.com/gotrain/train/config"
)

func newInspectConfig() *cobra.Command {
	var file string
	var set []string
	c := &cobra.Command{
		Use:   "config FILE",
		Short: "Print a configuration with every default spelled out",
		Example: `  gotrain inspect config configs/opticks.yaml
  gotrain inspect config configs/opticks.yaml --set optimizer.kind=muon > muon.yaml`,
		Args: atMostOneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := fileOrConfig(c, args, file)
			if err != nil {
				return err
			}
			cfg, err := loadConfig(file, set)
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
	c.Flags().StringVar(&file, "config", "", "the same as FILE")
	c.Flags().StringArrayVar(&set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	complete(c, "config", filesWith("yaml", "yml"))
	return c
}

// fileOrConfig is the file that an argument names, or --config as with other commands.
func fileOrConfig(c *cobra.Command, args []string, config string) (string, error) {
	switch {
	case len(args) == 1 && config != "":
		return "", usagef("%s wants FILE or --config, not both: %s and %s", c.CommandPath(), args[0], config)
	case len(args) == 1:
		return args[0], nil
	case config != "":
		return config, nil
	}
	return "", usagef("%s wants one argument, FILE; see %s --help", c.CommandPath(), c.CommandPath())
}
