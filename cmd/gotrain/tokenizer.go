package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/vfs"
	"gotrain/nn/zoo"
	"gotrain/train"
	"gotrain/train/checkpoint"
	"gotrain/train/console"
	"gotrain/train/units"
)

func newTokenizer() *cobra.Command {
	return group(&cobra.Command{
		Use:     "tokenizer",
		Short:   "Train a tokenizer, encode, decode, look inside",
		Example: "  gotrain tokenizer train --data book.txt --vocab 2048 --out book-tokenizer",
	}, newTokenizerTrain(), newTokenizerEncode(), newTokenizerDecode(), newTokenizerInfo())
}

// openTokenizer loads the tokenizer that path names: a file, a directory with
// one, a checkpoint or a run.
func openTokenizer(path string) (data.Tokenizer, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, usagef("--tokenizer: %w", err)
	} else if info.IsDir() {
		found := ""
		for _, dir := range []string{path, train.TokenizerDir(path), checkpoint.LatestLink(path)} {
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
	t, err := train.LoadTokenizer(path)
	if err != nil {
		return nil, fmt.Errorf("--tokenizer: %w", err)
	}
	return t, nil
}

func addTokenizerFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "tokenizer", "", "`PATH` of a tokenizer.json, a .tiktoken file, or a directory, checkpoint or run that holds one")
}

// tokenizerTrainFlags say what to learn from what.
type tokenizerTrainFlags struct {
	config, out, pattern, format, textKey string
	set, data                             []string
	vocab                                 int
	json                                  bool
}

func newTokenizerTrain() *cobra.Command {
	var f tokenizerTrainFlags
	c := &cobra.Command{
		Use:   "train",
		Short: "Learn a byte-level BPE from text",
		Long: `Train writes tokenizer.json and tokenizer_config.json, which Hugging Face
tokenizers and transformers read. With --config it fits what the configuration's
tokenizer section describes to the training part of its data; with --data it
learns a byte-level BPE from all of the files.`,
		Example: `  gotrain tokenizer train --data book.txt --vocab 2048 --out book-tokenizer
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
	c.Flags().StringVar(&f.format, "format", "", "format `NAME` of --data: text, jsonl or parquet (default: by the first file's name)")
	c.Flags().StringVar(&f.textKey, "text-key", "text", "JSONL `KEY` or Parquet column of the text")
	c.Flags().IntVar(&f.vocab, "vocab", 2048, "`N` tokens, special ones included")
	c.Flags().StringVar(&f.pattern, "pattern", "gpt2", "`NAME` of the rule that cuts text into pre-tokens")
	c.Flags().StringVar(&f.out, "out", "", "new directory `DIR` for the tokenizer")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "config", filesWith("yaml", "yml"))
	complete(c, "pattern", patterns)
	complete(c, "format", fixed("text", "jsonl", "parquet"))
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
		other, of = []string{"vocab", "pattern", "format", "text-key"}, "--data"
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
	t, err := train.MakeTokenizer(c.Context(), cfg, p.Listener().Phase)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	if err := train.SaveTokenizer(vfs.OS{}, f.out, t, 0); err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), describe(t))
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s  %d tokens, fingerprint %s\n", filepath.Join(f.out, "tokenizer.json"), t.Vocab(), t.Fingerprint())
	return err
}

// load returns a configuration whose tokenizer and data sections count.
func (f *tokenizerTrainFlags) load() (train.Config, error) {
	if f.config != "" {
		cfg, err := train.LoadConfig(f.config, f.set, zoo.Families())
		if err != nil {
			return cfg, usageError{err}
		}
		return cfg, nil
	}
	cfg := train.DefaultConfig(zoo.Families())
	cfg.Tokenizer = train.TokenizerConfig{Kind: "bpe", Vocab: f.vocab, Pattern: f.pattern}
	cfg.Data.Config = data.Config{Paths: f.data, Format: dataFormat(f.format, f.data), TextKey: f.textKey}
	if err := cfg.Validate(); err != nil {
		return cfg, usageError{err}
	}
	if _, err := data.ExpandPaths(f.data); err != nil {
		return cfg, usagef("--data: %w", err)
	}
	return cfg, nil
}

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
			if err := require(c, "tokenizer"); err != nil {
				return usageError{err}
			}
			t, err := openTokenizer(path)
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
			if err := require(c, "tokenizer"); err != nil {
				return usageError{err}
			}
			t, err := openTokenizer(path)
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

// tokenizerInfo is what info prints.
type tokenizerInfo struct {
	Vocab       int           `json:"vocab"`
	Model       string        `json:"model"`
	Fingerprint string        `json:"fingerprint"`
	Special     []specialInfo `json:"special"`
	Longest     []tokenInfo   `json:"longest"`
	Text        *textInfo     `json:"text,omitempty"`
}

type specialInfo struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
}

type tokenInfo struct {
	ID    int32  `json:"id"`
	Bytes int    `json:"bytes"`
	Text  string `json:"text"` // in Go quotes
}

// textInfo is how a text is compressed.
type textInfo struct {
	Bytes         int64   `json:"bytes"`
	Tokens        int64   `json:"tokens"`
	BytesPerToken float64 `json:"bytes_per_token"`
	Used          int     `json:"vocab_used"` // different tokens
}

const longestShown = 8

func describe(t data.Tokenizer) tokenizerInfo {
	info := tokenizerInfo{Vocab: t.Vocab(), Model: t.Model(), Fingerprint: t.Fingerprint(), Special: []specialInfo{}}
	special := map[int32]bool{}
	for _, s := range t.Specials() {
		special[s.ID] = true
		info.Special = append(info.Special, specialInfo{s.ID, s.Content})
	}
	var all []tokenInfo
	for id := range int32(t.Vocab()) {
		if b := t.TokenBytes(id); !special[id] && len(b) > 0 {
			all = append(all, tokenInfo{id, len(b), strconv.Quote(string(b))})
		}
	}
	slices.SortStableFunc(all, func(a, b tokenInfo) int { return cmp.Compare(b.Bytes, a.Bytes) })
	info.Longest = all[:min(longestShown, len(all))]
	return info
}

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
			if err := require(c, "tokenizer"); err != nil {
				return usageError{err}
			}
			t, err := openTokenizer(path)
			if err != nil {
				return err
			}
			info := describe(t)
			if texts = append(texts, args...); len(texts) > 0 {
				if info.Text, err = compression(t, texts); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), info)
			}
			return info.print(c.OutOrStdout())
		},
	}
	addTokenizerFlag(c, &path)
	c.Flags().StringArrayVar(&texts, "data", nil, "`FILE` or pattern of text to compress; more may follow")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func compression(t data.Tokenizer, paths []string) (*textInfo, error) {
	files, err := data.ExpandPaths(paths)
	if err != nil {
		return nil, usagef("--data: %w", err)
	}
	info := &textInfo{}
	used := map[int32]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
		ids := t.EncodeParallel(text, 0)
		info.Bytes += int64(len(text))
		info.Tokens += int64(len(ids))
		for _, id := range ids {
			used[id] = true
		}
	}
	info.Used = len(used)
	if info.Tokens > 0 {
		info.BytesPerToken = float64(info.Bytes) / float64(info.Tokens)
	}
	return info, nil
}

func (i tokenizerInfo) print(w io.Writer) error {
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
