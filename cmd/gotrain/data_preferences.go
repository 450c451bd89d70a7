package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/synth"
	"example.com/gotrain/data/vfs"
)

func newDataPreferences() *cobra.Command {
	var out string
	var count int
	var seed uint64
	c := &cobra.Command{
		Use:   "preferences",
		Short: "Make answers of which one is preferred",
		Long: `Preferences writes questions with a friendly and an unfriendly answer, which say the
same behind their first words, as JSON Lines of prompt, chosen and rejected: something to
learn preferences from without a download.`,
		Example: `  gotrain data preferences --out preferences.jsonl --count 500 --seed 7`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			if count < 1 {
				return usagef("--count is %d; use 1 or more", count)
			}
			if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
				return err
			}
			err := vfs.WriteFile(vfs.OS{}, out, func(w io.Writer) error {
				lines := json.NewEncoder(w)
				for p := range synth.Preferences(count, seed) {
					if err := lines.Encode(p); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d preferences in %s\n", count, out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "`FILE` to write, such as preferences.jsonl")
	c.Flags().IntVar(&count, "count", 2000, "`N` preferences")
	c.Flags().Uint64Var(&seed, "seed", 1704, "seed `N`")
	complete(c, "out", filesWith("jsonl"))
	return c
}
