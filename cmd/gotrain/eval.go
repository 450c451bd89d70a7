package main

import (
	"github.com/spf13/cobra"
)

// evalFlags say what to score.
type evalFlags struct {
	modelFlags
	data     []string
	format   string
	textKey  string
	labelKey string
	pairKey  string
	encoding string
	batch    int
	stride   int

	task      string
	shots     int
	shotsData string
	limit     int
	prompts   bool
	filters   []string
	baseToo   bool

	byDistance bool

	judge string // of pictures

	chat bool
	templateFlags

	beamFlags
	source, target, metric string // of pairs
}

func newEval() *cobra.Command {
	var f evalFlags
	c := &cobra.Command{
		Use:   "eval",
		Short: "Score texts (NLL, perplexity, bits per byte), or answers to questions",
		Long: `Eval scores every token of the texts but the first, in windows of the model's
context, as training scores held-out text; with --stride these overlap, each token
is scored once, and but for the first window has all but the stride of a context
before it. What the tokenizer puts before a text,
such as BOS, begins each and is not scored itself (--no-bos leaves it out). Bits per
byte compare models with different tokenizers: NLL·tokens / (ln 2 · bytes). With --format
instruct it scores the answers of conversations, read through the model's chat
template or --template; without --data those that a run of finetune has held out.
--base-too puts the base beside the model that was tuned from it.

Of an encoder with a decoder --data are pairs: tables, JSON Lines or Parquet. It scores
the targets given their sources, and compares what it makes of the sources with the
targets in BLEU and chrF, as sacrebleu does.

Of a model that fills masks, each token is scored while it alone is masked: its
pseudo-perplexity (Salazar et al. 2020), which compares with others of its kind only.
Of a classifier, --data has examples with labels: accuracy, F1 and each class.

Of a model that draws, --judge names a run of recipe clip and --data pictures with
captions. It draws each of the captions, or without them as many pictures, and tells
how many find their own among all captions, how near they are, and FID, KID,
precision and recall by what the judge sees: compare with numbers of one judge only.

With --task it asks questions instead, those of a task file or of a file in the
layout of ARC, BIG-bench, GSM8K, HellaSwag, LAMBADA, MMLU or TruthfulQA, which its
keys tell: multiple choice scored by log-likelihood, a word that follows, or
generated answers compared with the expected ones, zero-shot or with examples.
Choices of a question share its prompt, and --batch questions are asked at once.
With --chat, for models that were fine-tuned on conversations, the prompt is what a
user says and the answer the turn after it. --prompts shows what the model would
see. Ctrl-C prints what was counted so far.`,
		Example: `  gotrain eval --model runs/opticks --data book.txt
  gotrain eval --model runs/opticks --data 'texts/*.jsonl' --json
  gotrain eval --model runs/chat --data chats.jsonl --format instruct
  gotrain eval --model runs/translate --data pairs.tsv --beam 4
  gotrain eval --model runs/chat --base-too
  gotrain eval --model runs/emoji --judge runs/emoji-clip --data 'emoji/*.png' --limit 128
  gotrain eval --model runs/opticks --task hellaswag_val.jsonl --limit 200
  gotrain eval --model runs/opticks --task tasks/mmlu.yaml --shots 5 --limit 100
  gotrain eval --model runs/chat --task tasks/gsm8k.yaml --chat`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if f.task != "" {
				if len(f.data)+len(args) > 0 {
					return usagef("--task names its own data; leave out --data and %v", args)
				}
				if f.batch < 1 {
					return usagef("--batch is %d; use 1 or more", f.batch)
				}
				if f.prompts {
					return f.runTask(c)
				}
				if err := require(c, "model"); err != nil {
					return usageError{err}
				}
				return f.runTask(c)
			}
			f.data = append(f.data, args...)
			if len(f.data) == 0 && f.format != "" && f.format != conversationFormat {
				return usageError{require(c, "data")}
			}
			if err := require(c, "model"); err != nil {
				return usageError{err}
			}
			if f.judge != "" {
				return f.runPictures(c)
			}
			k, err := f.kind(func(k kind) bool { return k.eval != nil })
			if err != nil {
				return err
			}
			return k.eval(&f, c)
		},
	}
	f.modelFlags.add(c)
	f.addBOS(c)
	f.addContext(c)
	c.Flags().StringArrayVar(&f.data, "data", nil, "`FILE` or pattern of text; more may follow")
	c.Flags().StringVar(&f.format, "format", "", "format `NAME`: text, jsonl, parquet, csv, tsv, shards, bin, or instruct for conversations (default: by the first file's name); with --task that of the questions (default: by their keys)")
	c.Flags().StringVar(&f.textKey, "text-key", "text", "JSONL `KEY` or column of the text")
	c.Flags().StringVar(&f.labelKey, "label-key", "label", "of a classifier, JSONL `KEY` or column of the label (default: as it was trained, else label)")
	c.Flags().StringVar(&f.pairKey, "pair-key", "", "of a classifier, JSONL `KEY` or column of a second text (default: as it was trained)")
	c.Flags().StringVar(&f.encoding, "encoding", "", "what the text is written in, a `NAME` of data.encoding (default: UTF-8, or what a byte-order mark says)")
	c.Flags().IntVar(&f.batch, "batch", 8, "`N` windows, or questions of a task, scored together")
	c.Flags().IntVar(&f.stride, "stride", 0, "windows of text that begin `N` tokens apart, so that each token has more before it (default: the context)")
	c.Flags().StringVar(&f.task, "task", "", "task `FILE` in YAML, or a file of questions, to ask instead of texts")
	c.Flags().IntVar(&f.shots, "shots", 0, "with --task, `N` examples before each question (default: the file's)")
	c.Flags().StringVar(&f.shotsData, "shots-data", "", "with --task, `FILE` of the examples (default: the task file's shots_data)")
	c.Flags().StringSliceVar(&f.filters, "filter", nil, "with --task, how a generated answer is found: `NAME` is strict-match (the first number behind ####) or flexible-extract (the last number)")
	c.Flags().StringVar(&f.judge, "judge", "", "of pictures, a run of recipe clip or a CLIPModel `DIR` whose pictures have elements in [-1, 1]")
	c.Flags().IntVar(&f.limit, "limit", 0, "with --task, at most `N` questions (default: the file's); with --judge as many pictures (default: all)")
	c.Flags().BoolVar(&f.prompts, "prompts", false, "with --task, print every prompt and ask nothing")
	c.Flags().BoolVar(&f.chat, "chat", false, "with --task, ask through the model's chat template (default: the file's chat)")
	f.addTemplate(c, "with --chat or --format instruct, ")
	complete(c, "format", fixed("text", "jsonl", "parquet", "csv", "tsv", "shards", "bin", "instruct"))
	c.Flags().BoolVar(&f.baseToo, "base-too", false, "score the base that the model was tuned from on the same tokens, too")
	f.beamFlags.add(c, "with an encoder and a decoder, ")
	c.Flags().StringVar(&f.source, "source", "", "of pairs, the JSONL `KEY` or column of the text that is read, or its number (default: as trained, else source)")
	c.Flags().StringVar(&f.target, "target", "", "of pairs, the `KEY`, column or number of the text that is to come (default: as trained, else target)")
	c.Flags().StringVar(&f.metric, "metric", "", "of pairs, `NAME` is nll, bleu or chrf (default: all)")
	complete(c, "metric", fixed(metricNLL, metricBLEU, metricChrF))
	c.Flags().BoolVar(&f.byDistance, "by-distance", false, "of a model with a memory: score with tokens that see 1, 2, 4, … tokens back in each layer, which shows what context it uses")
	complete(c, "filter", fixed("strict-match", "flexible-extract"))
	return c
}
