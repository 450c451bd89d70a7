package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
)

func newTokenizerDecode() *cobra.Command {
	var path string
	var asJSON bool
	c := &cobra.Command{
		Use:   "decode [ID]...",
		Short: "Print the text of token ids",
		Long:  "Decode prints the bytes of the ids, or of those on standard input, exactly and without a newline behind them.",
		Example: `  gotrain tokenizer decode --tokenizer runs/opticks 464 7760
  gotrain tokenizer decode --tokenizer runs/opticks < book.ids > book.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			t, err := openTokenizer(c, path)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				text, err := argumentOrInput(c, nil)
				if err != nil {
					return err
				}
				args = strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \t\r\n,[]", r) })
			}
			ids, err := parseIDs(t, args)
			if err != nil {
				return err
			}
			text := t.AppendDecode(nil, ids)
			if asJSON {
				return writeJSON(c.OutOrStdout(), struct {
					Text  string `json:"text"` // invalid UTF-8 is replaced
					Bytes []byte `json:"bytes_base64"`
				}{string(text), text})
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	addTokenizerFlag(c, &path)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func parseIDs(t data.Tokenizer, fields []string) ([]int32, error) {
	ids := make([]int32, len(fields))
	for i, f := range fields {
		id, err := strconv.ParseInt(f, 10, 32)
		if err != nil {
			return nil, usagef("id %d of %d is %q; write whole numbers", i+1, len(fields), f)
		}
		if id < 0 || int(id) >= t.Vocab() || t.TokenBytes(int32(id)) == nil {
			return nil, usagef("id %d of %d is %d, which is no token; the vocabulary is 0 to %d", i+1, len(fields), id, t.Vocab()-1)
		}
		ids[i] = int32(id)
	}
	return ids, nil
}
