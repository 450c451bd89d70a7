package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/synth"
)

// opticks is a text that comes with Go.
const opticks = "$GOROOT/src/testdata/Isaac.Newton-Opticks.txt"

func newDataCipher() *cobra.Command {
	var out, from string
	var count int
	var seed uint64
	c := &cobra.Command{
		Use:   "cipher",
		Short: "Make pairs of a language to translate into",
		Long: `Cipher writes a table of phrases of an English text and their translations into a
made language, whose letters are other ones and whose groups of three words are
written backwards: something to learn to translate without a download. The columns are
source and target; configurations make the same pairs with data.pairs.cipher.`,
		Example: `  gotrain data cipher --out pairs.tsv --count 500 --seed 7`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			if count < 1 {
				return usagef("--count is %d; use 1 or more", count)
			}
			paths, err := data.ExpandPaths([]string{from})
			if err != nil {
				return usagef("--data: %w", err)
			}
			text, err := os.ReadFile(paths[0])
			if err != nil {
				return fmt.Errorf("--data: %w", err)
			}
			if err := writeCipher(out, string(text), count, seed); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d pairs in %s\n", count, out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "`FILE` to write, such as pairs.tsv")
	c.Flags().StringVar(&from, "data", opticks, "`FILE` of English text")
	c.Flags().IntVar(&count, "count", 20000, "`N` pairs")
	c.Flags().Uint64Var(&seed, "seed", 1704, "seed `N` of the phrases; that of data.pairs.cipher by default")
	complete(c, "out", filesWith("tsv"))
	complete(c, "data", filesWith("txt"))
	return c
}

// writeCipher writes a table that is there whole or not at all.
func writeCipher(out, text string, count int, seed uint64) error {
	temp := out + ".tmp"
	file, err := os.Create(temp)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	defer file.Close()
	w := bufio.NewWriter(file)
	fmt.Fprintln(w, "source\ttarget")
	for p, err := range synth.Cipher(text, count, seed) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", p[0], p[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(temp, out)
}
