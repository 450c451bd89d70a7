package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/chat"
	"gotrain/train"
	"gotrain/train/units"
)

// evalFlags say what to score.
type evalFlags struct {
	modelFlags
	data    []string
	format  string
	textKey string
	batch   int

	task    string
	shots   int
	limit   int
	prompts bool

	chat     bool
	template string
}

func newEval() *cobra.Command {
	var f evalFlags
	c := &cobra.Command{
		Use:   "eval",
		Short: "Score texts (NLL, perplexity, bits per byte), or answers to questions",
		Long: `Eval scores every token of the texts but the first, in windows of the model's
context, as training scores held-out text. Bits per byte compare models with
different tokenizers: NLL·tokens / (ln 2 · bytes).

With --task it asks the questions of a task file instead: multiple choice scored
by log-likelihood (format: mmlu) or generated answers compared with the expected
one (format: gsm8k), zero-shot or with examples. With --chat, for models that were
fine-tuned on conversations, the prompt is what a user says and the answer the
turn after it. --prompts shows what the model would see.`,
		Example: `  gotrain eval --model runs/opticks --data book.txt
  gotrain eval --model runs/opticks --data 'texts/*.jsonl' --json
  gotrain eval --model runs/opticks --task tasks/mmlu.yaml --shots 5 --limit 100
  gotrain eval --model runs/chat --task tasks/gsm8k.yaml --chat`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if f.task != "" {
				if len(f.data)+len(args) > 0 {
					return usagef("--task names its own data; leave out --data and %v", args)
				}
				if f.prompts {
					return f.runTask(c)
				}
				if err := require(c, "model"); err != nil {
					return usageError{err}
				}
				return f.runTask(c)
			}
			if err := require(c, "model", "data"); err != nil {
				return usageError{err}
			}
			f.data = append(f.data, args...)
			return f.run(c)
		},
	}
	f.modelFlags.add(c)
	c.Flags().StringArrayVar(&f.data, "data", nil, "`FILE` or pattern of text; more may follow")
	c.Flags().StringVar(&f.format, "format", "", "format `NAME`: text, jsonl, parquet or shards (default: by the first file's name)")
	c.Flags().StringVar(&f.textKey, "text-key", "text", "JSONL `KEY` or Parquet column of the text")
	c.Flags().IntVar(&f.batch, "batch", 8, "`N` windows scored together")
	c.Flags().StringVar(&f.task, "task", "", "task `FILE` in YAML: questions to ask instead of texts")
	c.Flags().IntVar(&f.shots, "shots", 0, "with --task, `N` examples before each question (default: the file's)")
	c.Flags().IntVar(&f.limit, "limit", 0, "with --task, at most `N` questions (default: the file's)")
	c.Flags().BoolVar(&f.prompts, "prompts", false, "with --task, print every prompt and ask nothing")
	c.Flags().BoolVar(&f.chat, "chat", false, "with --task, ask through the model's chat template (default: the file's chat)")
	c.Flags().StringVar(&f.template, "template", "", "with --chat, chat template `NAME`: "+strings.Join(chat.Names(), ", ")+" (default: the model's own)")
	complete(c, "format", fixed("text", "jsonl", "parquet", "shards"))
	complete(c, "template", fixed(chat.Names()...))
	return c
}

// evalResult is what eval prints.
type evalResult struct {
	Model       string  `json:"model"`
	Step        int     `json:"step"`
	NLL         float64 `json:"nll"` // nats per token
	PPL         float64 `json:"ppl"`
	BitsPerByte float64 `json:"bits_per_byte"`
	Tokens      int     `json:"tokens"` // scored
	Bytes       int64   `json:"bytes"`  // of text
	Documents   int64   `json:"documents"`
	TokensPerS  float64 `json:"tokens_per_s"`
}

func (f *evalFlags) run(c *cobra.Command) error {
	if f.batch < 1 {
		return usagef("--batch is %d; use 1 or more", f.batch)
	}
	cfg := data.Config{Paths: f.data, Format: f.dataFormat(), TextKey: f.textKey}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	if _, err := data.ExpandPaths(f.data); err != nil {
		return usagef("--data: %w", err)
	}
	m, err := f.open()
	if err != nil {
		return err
	}
	defer m.Close()
	enc, err := train.NewEncoder(m.Tokenizer)
	if err != nil {
		return err
	}
	texts, err := data.Prepare(c.Context(), cfg, enc, nil)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer texts.Close()
	r, err := f.score(m, texts.Train, enc)
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(c.OutOrStdout(), r)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "nll            %.4f nats per token\nppl            %.2f\nbits per byte  %.4f\ntokens         %d scored, of %s of text in %d documents, %s tokens/s\n",
		r.NLL, r.PPL, r.BitsPerByte, r.Tokens, units.Bytes(r.Bytes), r.Documents, units.Count(int64(r.TokensPerS)))
	return err
}

// score evaluates the set.
func (f *evalFlags) score(m *opened, set *data.Set, enc train.Encoder) (evalResult, error) {
	cfg := m.Config
	cfg.Train.Batch = f.batch
	evaluator, err := train.NewEvaluator(cfg, m.Model, m.Store)
	if err != nil {
		return evalResult{}, err
	}
	batches, err := data.NewEval(set, data.Sequences{Rows: data.Rows{Batch: f.batch}, Context: cfg.Model.Context, VocabSize: cfg.Model.Vocab, DocumentMask: cfg.Train.DocumentMask}, enc)
	if err != nil {
		return evalResult{}, fmt.Errorf("--data: %w", err)
	}
	start := time.Now()
	e, err := evaluator.Evaluate(batches, 0)
	if err != nil {
		return evalResult{}, err
	}
	if math.IsNaN(e.NLL) || math.IsInf(e.NLL, 0) {
		return evalResult{}, errors.New("the NLL is not finite: the model's weights have diverged; use an earlier checkpoint")
	}
	return evalResult{
		Model: m.Dir, Step: m.State.Step, NLL: e.NLL, PPL: math.Exp(e.NLL), BitsPerByte: e.BitsPerByte, Tokens: e.Targets,
		Bytes: set.TextBytes(), Documents: set.Documents(), TokensPerS: float64(e.Targets) / max(time.Since(start).Seconds(), 1e-9),
	}, nil
}

// dataFormat is --format, or what the first file's name says.
func (f *evalFlags) dataFormat() data.Format {
	if f.format != "" {
		return data.Format(f.format)
	}
	name := strings.TrimSuffix(strings.TrimSuffix(f.data[0], ".gz"), ".zst")
	switch filepath.Ext(name) {
	case ".jsonl", ".ndjson":
		return data.FormatJSONL
	case ".parquet":
		return data.FormatParquet
	case ".gtsh":
		return data.FormatShards
	}
	return data.FormatText
}
