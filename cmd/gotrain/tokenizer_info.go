package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/units"
)

func newTokenizerInfo() *cobra.Command {
	var path string
	var texts []string
	var asJSON bool
	c := &cobra.Command{
		Use:     "info",
		Short:   "Show a tokenizer's vocabulary and how it compresses a text",
		Example: "  gotrain tokenizer info --tokenizer runs/opticks --data book.txt",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			t, err := openTokenizer(c, path)
			if err != nil {
				return err
			}
			info := data.Describe(t)
			if texts = append(texts, args...); len(texts) > 0 {
				files, err := data.ExpandPaths(texts)
				if err != nil {
					return usagef("--data: %w", err)
				}
				if info.Text, err = data.Compress(t, files); err != nil {
					return fmt.Errorf("--data: %w", err)
				}
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), info)
			}
			return printVocabulary(c.OutOrStdout(), info)
		},
	}
	addTokenizerFlag(c, &path)
	c.Flags().StringArrayVar(&texts, "data", nil, "`FILE` or pattern of text to compress; more may follow")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func printVocabulary(w io.Writer, i data.Vocabulary) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("vocabulary", "%d tokens", i.Vocab)
	line("model", "%s", i.Model)
	line("fingerprint", "%s", i.Fingerprint)
	for _, s := range i.Special {
		line("special", "%-7d %s", s.ID, s.Content)
	}
	for _, t := range i.Longest {
		line("longest", "%-7d %s", t.ID, t.Text)
	}
	if t := i.Text; t != nil {
		line("text", "%s are %d tokens, %.3f bytes a token, %d of the vocabulary used", units.Bytes(t.Bytes), t.Tokens, t.BytesPerToken, t.Used)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
