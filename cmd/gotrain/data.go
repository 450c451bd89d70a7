package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/chat"
	"gotrain/data/vfs"
	"gotrain/train"
	"gotrain/train/console"
	"gotrain/train/units"
)

func newData() *cobra.Command {
	return group(&cobra.Command{
		Use:     "data",
		Short:   "Prepare token shards and look at what the model will read",
		Example: "  gotrain data prepare --config configs/opticks.yaml",
	}, newDataPrepare(), newDataInspect(), newDataGodoc())
}

// configFlags name a configuration.
type configFlags struct {
	config string
	set    []string
	json   bool
}

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "configuration `FILE` (YAML)")
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	complete(c, "config", filesWith("yaml", "yml"))
}

func (f *configFlags) load(c *cobra.Command) (train.Config, error) {
	if err := require(c, "config"); err != nil {
		return train.Config{}, usageError{err}
	}
	return loadConfig(f.config, f.set)
}

// prepared is the tokenizer and the shards of a configuration.
type prepared struct {
	*data.Prepared
	enc train.Encoder
}

// checkPaths finds the files of cfg, so that a path that leads nowhere is a fault
// of the configuration.
func checkPaths(cfg train.Config) error {
	for _, paths := range [][]string{cfg.Data.Paths, cfg.Data.ValidationPaths} {
		if _, err := data.ExpandPaths(paths); len(paths) > 0 && err != nil {
			return usageError{err}
		}
	}
	return nil
}

// prepareData fits the tokenizer, freezing it in the run as training would, and
// makes the shards; what is there already is used.
func prepareData(ctx context.Context, cfg train.Config, p *console.Progress) (*prepared, error) {
	if err := checkPaths(cfg); err != nil {
		return nil, err
	}
	t, err := runTokenizer(ctx, cfg, p)
	if err != nil {
		return nil, err
	}
	if dir := train.TokenizerDir(cfg.Run.Dir); !exists(filepath.Join(dir, "tokenizer.json")) {
		if err := train.SaveTokenizer(vfs.OS{}, dir, t, cfg.Text().Context); err != nil {
			return nil, err
		}
	}
	enc, err := train.NewEncoder(t)
	if err != nil {
		return nil, err
	}
	shards, err := data.Prepare(ctx, cfg.Data.Config, enc, p.Preparing)
	p.Clear()
	if errors.Is(err, context.Canceled) {
		return nil, errors.New("interrupted; nothing was left behind")
	}
	if err != nil {
		return nil, err
	}
	return &prepared{shards, enc}, nil
}

// runTokenizer returns the tokenizer frozen in the run, else the one that the
// configuration describes.
func runTokenizer(ctx context.Context, cfg train.Config, p *console.Progress) (data.Tokenizer, error) {
	if frozen := filepath.Join(train.TokenizerDir(cfg.Run.Dir), "tokenizer.json"); exists(frozen) {
		return train.LoadTokenizer(frozen)
	}
	return train.MakeTokenizer(ctx, cfg, p.Listener().Phase)
}

// setInfo is a set of shards as --json prints it.
type setInfo struct {
	Tokens    int64    `json:"tokens"`
	Documents int64    `json:"documents"`
	TextBytes int64    `json:"text_bytes"`
	Shards    []string `json:"shards"`
}

func describeSet(s *data.Set) *setInfo {
	if s == nil {
		return nil
	}
	sum := data.Summarize(s)
	return &setInfo{sum.Tokens, sum.Documents, sum.TextBytes, sum.Shards}
}

func newDataPrepare() *cobra.Command {
	var f configFlags
	c := &cobra.Command{
		Use:   "prepare",
		Short: "Fit the tokenizer of a configuration and tokenize its text into shards",
		Long: `Prepare does what pretrain does before its first step, so that training begins at
once. The tokenizer goes into the run directory, the shards into the cache
(data.cache_dir), named by the content of the text: what is there is not made again.`,
		Example: "  gotrain data prepare --config configs/opticks.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load(c)
			if err != nil {
				return err
			}
			if cfg.Data.Format == train.FormatInstruct {
				return usagef("data.format instruct needs no shards; look at the conversations with gotrain data inspect")
			}
			shards, err := prepareData(c.Context(), cfg, console.New(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer shards.Close()
			if f.json {
				return writeJSON(c.OutOrStdout(), struct {
					Dir        string   `json:"dir"`
					Reused     bool     `json:"reused"`
					Vocab      int      `json:"vocab"`
					Tokenizer  string   `json:"tokenizer"`
					Train      *setInfo `json:"train"`
					Validation *setInfo `json:"validation"`
				}{shards.Dir, shards.Reused, shards.enc.Vocab(), shards.enc.Fingerprint(), describeSet(shards.Train), describeSet(shards.Validation)})
			}
			return shards.print(c.OutOrStdout())
		},
	}
	f.add(c)
	return c
}

func (p *prepared) print(w io.Writer) error {
	var b strings.Builder
	for _, s := range []struct {
		name string
		set  *data.Set
	}{{"train", p.Train}, {"validation", p.Validation}} {
		if s.set == nil {
			continue
		}
		fmt.Fprintf(&b, "%-12s %d tokens in %d documents, %s of text\n", s.name, s.set.Tokens(), s.set.Documents(), units.Bytes(s.set.TextBytes()))
	}
	fmt.Fprintf(&b, "%-12s %d tokens, fingerprint %s\n", "tokenizer", p.enc.Vocab(), p.enc.Fingerprint())
	if p.Dir != "" {
		made := "made"
		if p.Reused {
			made = "there already"
		}
		fmt.Fprintf(&b, "%-12s %s (%s)\n", "shards", p.Dir, made)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// dataInspectFlags say which tokens to show.
type dataInspectFlags struct {
	configFlags
	split  string
	sample uint64

	model    string // of a file of conversations in place of a configuration
	template string
}

func newDataInspect() *cobra.Command {
	var f dataInspectFlags
	c := &cobra.Command{
		Use:   "inspect [FILE]...",
		Short: "Show a training sequence token by token, with its loss mask",
		Long: `Inspect shows a sequence as the model gets it: tokens with their boundaries, where
documents begin, and which targets count towards the loss. On a terminal the text
is coloured, elsewhere there is a line for each token. Of instruction data it shows
one conversation, and how many there are, are cut and are left out.

In place of a configuration it takes files of conversations, and shows what a model
would learn from them: --model has tokenizer, context and chat template; with
--template alone the tokens are single bytes.`,
		Example: `  gotrain data inspect --config configs/opticks.yaml --sample 7
  gotrain data inspect chats.jsonl --model models/smollm2
  gotrain data inspect chats.jsonl --template plain`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := f.source(c, args)
			if err != nil {
				return err
			}
			if f.split != "train" && f.split != "validation" {
				return usagef("--split is %q; use train or validation", f.split)
			}
			if cfg.Data.Format == train.FormatInstruct {
				return inspectInstructions(c, cfg, &f)
			}
			shards, err := prepareData(c.Context(), cfg, console.New(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer shards.Close()
			row, err := f.row(cfg, shards)
			if err != nil {
				return err
			}
			switch {
			case f.json:
				return writeJSON(c.OutOrStdout(), row)
			case console.Terminal(c.OutOrStdout()):
				return row.printColoured(c.OutOrStdout(), shards.enc)
			}
			return row.printLines(c.OutOrStdout(), shards.enc)
		},
	}
	f.configFlags.add(c)
	c.Flags().StringVar(&f.split, "split", "train", "side `NAME`: train or validation")
	c.Flags().Uint64Var(&f.sample, "sample", 0, "number `N` of the sequence in the order of training")
	c.Flags().StringVar(&f.model, "model", "", "with FILE, checkpoint or run `DIR` that reads it")
	c.Flags().StringVar(&f.template, "template", "", "with FILE, chat template `NAME`: "+strings.Join(chat.Names(), ", ")+" (default: the model's own)")
	complete(c, "split", fixed("train", "validation"))
	complete(c, "model", models)
	complete(c, "template", fixed(chat.Names()...))
	return c
}

// source is the configuration that the flags name, or that of the conversations in
// files.
func (f *dataInspectFlags) source(c *cobra.Command, files []string) (train.Config, error) {
	switch {
	case len(files) == 0 && (f.model != "" || f.template != ""):
		return train.Config{}, usagef("--model and --template go with a FILE of conversations")
	case len(files) == 0:
		return f.load(c)
	case f.config != "" || len(f.set) > 0:
		return train.Config{}, usagef("name either --config or files, not both: %v", files)
	}
	return f.conversations(files)
}

// row is one sequence of a batch.
type row struct {
	Split     string  `json:"split"`
	Sample    uint64  `json:"sample"`
	Windows   uint64  `json:"windows"` // sequences in a pass over the text
	Inputs    []int32 `json:"inputs"`
	Targets   []int32 `json:"targets"` // -1 does not count towards the loss
	Segments  []int32 `json:"segments,omitempty"`
	Positions []int32 `json:"positions,omitempty"`
	Counted   int     `json:"counted"`
	EndOfText int32   `json:"end_of_text"`
}

// row reads the sequence that the flags name.
func (f *dataInspectFlags) row(cfg train.Config, p *prepared) (*row, error) {
	size := data.Sequences{Rows: data.Rows{Batch: 1}, Context: cfg.Text().Context, DocumentMask: cfg.Train.DocumentMask}
	r := &row{Split: f.split, Sample: f.sample, EndOfText: p.enc.EndOfText()}
	var source data.Source
	if f.split == "train" {
		l, err := data.NewLoader(p.Train, data.LoaderConfig{Sequences: size, Seed: cfg.Run.Seed})
		if err != nil {
			return nil, err
		}
		source, r.Windows = l, l.Windows()
	} else {
		if p.Validation == nil {
			return nil, usagef("--split validation: the configuration holds no text out; set data.validation or data.validation_paths")
		}
		e, err := data.NewEval(p.Validation, size, p.enc)
		if err != nil {
			return nil, err
		}
		if f.sample >= e.Windows() {
			return nil, usagef("--sample is %d; the held-out text has sequences 0 to %d", f.sample, e.Windows()-1)
		}
		source, r.Windows = e, e.Windows()
	}
	batch := source.NewBatch()
	if err := source.Fill(batch, f.sample); err != nil {
		return nil, err
	}
	columns, err := size.Columns(batch)
	if err != nil {
		return nil, err
	}
	r.Inputs, r.Targets, r.Counted = columns.IDs, columns.Targets, int(batch.Weight)
	if size.DocumentMask {
		r.Segments, r.Positions = columns.Segments, columns.Positions
	}
	return r, nil
}

func (r *row) title() string {
	return fmt.Sprintf("%s sequence %d of %d in a pass: %d tokens, %d targets count\n", r.Split, r.Sample, r.Windows, len(r.Inputs), r.Counted)
}

// printLines prints a line for each token: its place, id, text, the target that
// it predicts, and where a document ends.
func (r *row) printLines(w io.Writer, enc train.Encoder) error {
	var b strings.Builder
	b.WriteString(r.title())
	fmt.Fprintf(&b, "%5s %7s %-24s %7s\n", "place", "id", "token", "target")
	for i, id := range r.Inputs {
		target := strconv.Itoa(int(r.Targets[i]))
		if r.Targets[i] < 0 {
			target = "ignored"
		}
		note := ""
		if id == r.EndOfText {
			note = "  end of a document"
		}
		fmt.Fprintf(&b, "%5d %7d %-24q %7s%s\n", i, id, enc.TokenBytes(id), target, note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Colours of tokens in turn, of tokens that are no target, and of the end of a
// document.
const (
	evenToken = "\x1b[48;5;24m\x1b[97m"
	oddToken  = "\x1b[48;5;239m\x1b[97m"
	unscored  = "\x1b[2m"
	endToken  = "\x1b[7m"
	plain     = "\x1b[0m"
)

// printColoured prints the text with its tokens in two colours in turn. A token
// whose prediction does not count is dim.
func (r *row) printColoured(w io.Writer, enc train.Encoder) error {
	var b strings.Builder
	b.WriteString(r.title())
	fmt.Fprintf(&b, "%stokens%s in%s turn%s, %send of a document%s, %snot a target%s\n\n",
		evenToken, oddToken, evenToken, plain, endToken, plain, unscored, plain)
	for i, id := range r.Inputs {
		colour := evenToken
		if i%2 == 1 {
			colour = oddToken
		}
		// Token i is the target of the one before it.
		if i > 0 && r.Targets[i-1] < 0 {
			colour = unscored
		}
		text := string(enc.TokenBytes(id))
		if id == r.EndOfText {
			colour = endToken
		}
		text = strings.ReplaceAll(text, "\n", "↵"+plain+"\n"+colour)
		b.WriteString(colour + text + plain)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
