package main

import (
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/synth"
)

func newDataGodoc() *cobra.Command {
	var out, packages string
	c := &cobra.Command{
		Use:   "godoc",
		Short: "Write an instruction set made of the Go documentation on this machine",
		Long: `Godoc reads the standard library in GOROOT/src and writes JSON Lines of messages: a
question about a package or a symbol, in several phrasings, and its documentation as
the answer. Phrasings of a question share their answer, and so fall on one side of
data.validation.`,
		Example: `  gotrain data godoc --out godoc.jsonl
  gotrain data godoc --out net.jsonl --packages 'net/*'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			if _, err := path.Match(packages, ""); err != nil {
				return usagef("--packages %q: %v", packages, err)
			}
			root, err := synth.GoRoot()
			if err != nil {
				return err
			}
			count, err := synth.WriteGodoc(out, root, packages)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d conversations in %s\n", count, out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "`FILE` to write (JSON Lines)")
	c.Flags().StringVar(&packages, "packages", "", "`PATTERN` of import paths, such as net/* (default: all)")
	complete(c, "out", filesWith("jsonl"))
	return c
}
