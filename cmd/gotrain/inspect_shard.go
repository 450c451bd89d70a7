package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/train/units"
)

func newInspectShard() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "shard FILE",
		Short:   "Verify a token shard and print its header",
		Example: "  gotrain inspect shard ~/.cache/gotrain/data/*/train-00000.gtsh",
		Args:    oneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := data.OpenShard(args[0])
			if errors.Is(err, os.ErrNotExist) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			defer s.Close()
			if asJSON {
				return writeJSON(c.OutOrStdout(), s.Header)
			}
			h := s.Header
			_, err = fmt.Fprintf(c.OutOrStdout(), `shard        %s, checksums agree
split        %s, shard %d of its set
tokens       %d of %d bytes, in %d documents
text         %s, %.3f bytes a token
vocabulary   %d tokens, %d ends a document
tokenizer    %s
source       %s
`, s.Path(), h.Split, h.Index, h.Tokens, h.TokenBytes, h.Documents, units.Bytes(h.TextBytes), float64(h.TextBytes)/float64(max(h.Tokens, 1)), h.VocabSize, h.EndOfText, h.Tokenizer, h.Source)
			return err
		},
		ValidArgsFunction: filesWith("gtsh"),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
