package main

import (
	"github.com/spf13/cobra"

	"example.com/gotrain/train/config"
)

// configFlags name a configuration.
type configFlags struct {
	config string
	set    []string
	json   bool
}

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` (YAML)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	complete(c, "set", settings)
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "config", filesWith("yaml", "yml"))
}

func (f *configFlags) load(c *cobra.Command) (config.Config, error) {
	if err := require(c, "config"); err != nil {
		return config.Config{}, usageError{err}
	}
	return loadConfig(f.config, f.set)
}
