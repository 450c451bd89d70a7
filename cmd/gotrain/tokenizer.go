package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/recipe/text"
)

func newTokenizer() *cobra.Command {
	return group(&cobra.Command{
		Use:     "tokenizer",
		Short:   "Train a tokenizer, encode, decode, look inside",
		Example: "  gotrain tokenizer train --data book.txt --vocab 2048 --out book-tokenizer",
	}, newTokenizerTrain(), newTokenizerEncode(), newTokenizerDecode(), newTokenizerInfo())
}

// openTokenizer loads the tokenizer that the flag of c names: a file, a directory with
// one, a checkpoint or a run.
func openTokenizer(c *cobra.Command, path string) (data.Tokenizer, error) {
	if err := require(c, "tokenizer"); err != nil {
		return nil, usageError{err}
	}
	if info, err := os.Stat(path); err != nil {
		if !tokenizers.IsName(path) {
			return nil, usagef("--tokenizer: %w; beside files and directories it takes %s", err, strings.Join(tokenizers.Names(), ", "))
		}
	} else if info.IsDir() {
		found := ""
		for _, dir := range []string{path, text.TokenizerDir(path), checkpoint.LatestLink(path)} {
			if exists(filepath.Join(dir, "tokenizer.json")) {
				found = dir
				break
			}
		}
		if found == "" {
			return nil, usagef("--tokenizer: %s holds no tokenizer.json; name a tokenizer's directory, a checkpoint or a run", path)
		}
		path = found
	}
	t, err := tokenizers.Load(path)
	if err != nil {
		return nil, fmt.Errorf("--tokenizer: %w", err)
	}
	return t, nil
}

func addTokenizerFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "tokenizer", "", "`PATH` of a tokenizer.json, a .tiktoken file, a directory, checkpoint or run that holds one, or gpt2, cl100k, o200k")
}
