package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
)

// tokenizerTrainFlags say what to learn from what.
type tokenizerTrainFlags struct {
	config, out, kind, pattern, format, textKey, encoding string
	set, data                                             []string
	vocab                                                 int
	cased, json                                           bool
}

func newTokenizerTrain() *cobra.Command {
	var f tokenizerTrainFlags
	c := &cobra.Command{
		Use:   "train",
		Short: "Learn a byte-level BPE or a WordPiece from text",
		Long: `Train writes tokenizer.json and tokenizer_config.json, which Hugging Face
tokenizers and transformers read. With --config it fits what the configuration's
tokenizer section describes to the training part of its data; with --data it
learns a byte-level BPE from all of the files, or, with --kind wordpiece,
BERT's tokenizer, whose text loses case and accents without --cased.`,
		Example: `  gotrain tokenizer train --data book.txt --vocab 2048 --out book-tokenizer
  gotrain tokenizer train --data book.txt --kind wordpiece --vocab 2048 --out bert-tokenizer
  gotrain tokenizer train --config configs/opticks.yaml --out opticks-tokenizer`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := require(c, "out"); err != nil {
				return usageError{err}
			}
			f.data = append(f.data, args...)
			if err := f.check(c); err != nil {
				return err
			}
			return f.run(c)
		},
	}
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` (YAML)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key of --config, `path.to.key=VALUE`; may be repeated")
	c.Flags().StringArrayVar(&f.data, "data", nil, "`FILE` or pattern of text; more may follow")
	c.Flags().StringVar(&f.format, "format", "", "format `NAME` of --data: text, jsonl, parquet, csv or tsv (default: by the first file's name)")
	c.Flags().StringVar(&f.textKey, "text-key", "text", "JSONL `KEY` or column of the text")
	c.Flags().StringVar(&f.encoding, "encoding", "", "what the text is written in, a `NAME` of data.encoding (default: UTF-8, or what a byte-order mark says)")
	c.Flags().IntVar(&f.vocab, "vocab", 2048, "`N` tokens, special ones included")
	c.Flags().StringVar(&f.kind, "kind", "bpe", "`NAME` of what is learnt: bpe or wordpiece")
	c.Flags().StringVar(&f.pattern, "pattern", "gpt2", "`NAME` of the rule that cuts text of bpe into pre-tokens")
	c.Flags().BoolVar(&f.cased, "cased", false, "wordpiece keeps case and accents")
	c.Flags().StringVar(&f.out, "out", "", "new directory `DIR` for the tokenizer")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "config", filesWith("yaml", "yml"))
	complete(c, "pattern", patterns)
	complete(c, "kind", fixed("bpe", "wordpiece"))
	complete(c, "format", fixed("text", "jsonl", "parquet", "csv", "tsv"))
	complete(c, "out", directories)
	return c
}

// check refuses flags that would do nothing beside others.
func (f *tokenizerTrainFlags) check(c *cobra.Command) error {
	if (f.config != "") == (len(f.data) > 0) {
		return usagef("%s wants either --config or --data; see %s --help", c.CommandPath(), c.CommandPath())
	}
	other, of := []string{"set"}, "--config"
	if f.config != "" {
		other, of = []string{"vocab", "kind", "pattern", "cased", "format", "text-key", "encoding"}, "--data"
	}
	switch {
	case f.kind != "bpe" && f.kind != "wordpiece":
		return usagef("--kind is %q; use bpe or wordpiece", f.kind)
	case f.kind == "bpe" && f.cased:
		return usagef("--cased goes with --kind wordpiece only: a byte-level BPE keeps case and accents")
	case f.kind == "wordpiece" && c.Flags().Changed("pattern"):
		return usagef("--pattern goes with --kind bpe only")
	}
	for _, name := range other {
		if c.Flags().Changed(name) {
			return usagef("--%s goes with %s only", name, of)
		}
	}
	return nil
}

func (f *tokenizerTrainFlags) run(c *cobra.Command) error {
	if file := filepath.Join(f.out, "tokenizer.json"); exists(file) {
		return usagef("--out: %s exists already; remove it or choose another directory", file)
	}
	cfg, err := f.load()
	if err != nil {
		return err
	}
	p := console.New(c.ErrOrStderr())
	o, err := text.MakeTokenizer(c.Context(), recipe.Env{Config: cfg, Tell: p.Listener().Phase, Progress: p.Preparing})
	p.Clear()
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	t := o.Tokenizer
	if err := tokenizers.Save(vfs.OS{}, f.out, t, tokenizers.RolesOf(t, o.Roles, 0)); err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), data.Describe(t))
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s  %d tokens, fingerprint %s\n", filepath.Join(f.out, "tokenizer.json"), t.Vocab(), t.Fingerprint())
	return err
}

// load returns a configuration whose tokenizer and data sections count.
func (f *tokenizerTrainFlags) load() (config.Config, error) {
	if f.config != "" {
		cfg, err := config.Load(f.config, f.set, tables())
		if err != nil {
			return cfg, usageError{err}
		}
		return cfg, nil
	}
	cfg := config.Default(tables())
	cfg.Tokenizer = config.TokenizerConfig{Kind: f.kind, Vocab: f.vocab, Pattern: f.pattern, Lowercase: !f.cased}
	format := dataFormat(f.format, f.data)
	err := cfg.Data.Set(string(format), &data.Config{Paths: f.data, Format: format, TextKey: f.textKey, Encoding: f.encoding})
	if err == nil {
		err = cfg.Validate(tables())
	}
	if err != nil {
		return cfg, usageError{err}
	}
	if _, err := data.ExpandPaths(f.data); err != nil {
		return cfg, usagef("--data: %w", err)
	}
	return cfg, nil
}
