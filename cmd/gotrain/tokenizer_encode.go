package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
)

func newTokenizerEncode() *cobra.Command {
	var path string
	var special, asJSON bool
	c := &cobra.Command{
		Use:   "encode [TEXT]",
		Short: "Print the token ids of a text",
		Long:  "Encode prints the token ids of TEXT, or of standard input without TEXT, byte for byte.",
		Example: `  gotrain tokenizer encode --tokenizer runs/opticks "The Rays of Light"
  gotrain tokenizer encode --tokenizer runs/opticks < book.txt > book.ids`,
		Args: atMostOneArg("TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := openTokenizer(c, path)
			if err != nil {
				return err
			}
			text, err := argumentOrInput(c, args)
			if err != nil {
				return err
			}
			var ids []int32
			if special {
				ids = t.AppendEncodeSpecial(nil, text)
			} else {
				ids = t.EncodeParallel(text, 0)
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), encoded(t, ids, len(text)))
			}
			return printIDs(c.OutOrStdout(), ids)
		},
	}
	addTokenizerFlag(c, &path)
	c.Flags().BoolVar(&special, "special", false, "recognise special tokens such as <|endoftext|> in the text")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with ids and tokens")
	return c
}

// argumentOrInput returns the one argument, or standard input.
func argumentOrInput(c *cobra.Command, args []string) ([]byte, error) {
	if len(args) > 0 && args[0] != "-" {
		return []byte(args[0]), nil
	}
	text, err := io.ReadAll(c.InOrStdin())
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return text, nil
}

// encodedText is what encode --json prints.
type encodedText struct {
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"` // in Go quotes, since a token may be any bytes
	Bytes  int      `json:"bytes"`
}

func encoded(t data.Tokenizer, ids []int32, bytes int) encodedText {
	e := encodedText{IDs: ids, Tokens: make([]string, len(ids)), Bytes: bytes}
	if ids == nil {
		e.IDs = []int32{}
	}
	for i, id := range ids {
		e.Tokens[i] = strconv.Quote(string(t.TokenBytes(id)))
	}
	return e
}

func printIDs(w io.Writer, ids []int32) error {
	var line []byte
	for i, id := range ids {
		if i > 0 {
			line = append(line, ' ')
		}
		line = strconv.AppendInt(line, int64(id), 10)
	}
	_, err := w.Write(append(line, '\n'))
	return err
}
