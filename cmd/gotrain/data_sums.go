package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/synth"
)

func newDataSums() *cobra.Command {
	var out string
	var count, digits int
	var right float64
	var seed uint64
	c := &cobra.Command{
		Use:   "sums",
		Short: "Make additions to learn",
		Long: `Sums writes JSON Lines of additions: text, such as 12+34=46, for language modelling;
prompt and answer, 12+34= and 46, for recipe grpo. Of the texts the share --right has the
right answer, the others that of another addition.`,
		Example: `  gotrain data sums --out sums.jsonl --count 50000 --right 0.08`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			if err := writeSums(out, count, digits, right, seed); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%d sums in %s\n", count, out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "`FILE` to write, such as sums.jsonl")
	c.Flags().IntVar(&count, "count", 20000, "`N` sums")
	c.Flags().IntVar(&digits, "digits", 2, "`N` digits of a number")
	c.Flags().Float64Var(&right, "right", 1, "share `X` of texts with the right answer")
	c.Flags().Uint64Var(&seed, "seed", 1704, "seed `N` of the numbers")
	complete(c, "out", filesWith("jsonl"))
	return c
}

// writeSums writes sums to a file.
func writeSums(path string, count, digits int, right float64, seed uint64) error {
	sums, err := synth.Sums(count, digits, right, seed)
	if err != nil {
		return usagef("%w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	buffered := bufio.NewWriter(file)
	lines := json.NewEncoder(buffered)
	for s := range sums {
		if err := lines.Encode(s); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(buffered.Flush(), file.Close())
}
