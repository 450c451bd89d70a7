package main

import (
	"errors"
	"fmt"
	"os"

	"gotrain/train/config"

	"github.com/spf13/cobra"
)

func newResume() *cobra.Command {
	return &cobra.Command{
		Use:               "resume RUN_DIR",
		Short:             "Continue a run from its newest good checkpoint with its saved configuration",
		Example:           "  gotrain resume runs/opticks",
		Args:              oneArg("RUN_DIR"),
		ValidArgsFunction: directories,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Path(args[0]), nil, tables())
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
