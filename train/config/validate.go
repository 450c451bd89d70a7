package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/gotrain/data/bpe"
)

// Validate returns all faults of the configuration at once.
func (c Config) Validate(t Tables) error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Run.Dir != "", "run.dir is empty; name the directory of the run")
	check(c.Run.ProgressS >= 0 && c.Run.ProgressS <= maxProgress, "run.progress_s is %g; use seconds from 0 to %g", c.Run.ProgressS, maxProgress)
	check(c.Device == "auto" || c.Device == "cpu" || c.Device == "cuda" || strings.HasPrefix(c.Device, "cuda:"),
		"device is %q; use auto, cpu, cuda or cuda:N", c.Device)
	check(c.CUDA.Attention == AttentionMMA || c.CUDA.Attention == "hopper", "cuda.attention is %q; use mma or hopper", c.CUDA.Attention)
	check(c.CUDA.Attention != "hopper" || c.Precision == "bfloat16", "cuda.attention: hopper wants precision: bfloat16, which is %s", c.Precision)
	_, known := precisions[c.Precision]
	check(known, "precision is %q; use float32, tf32 or bfloat16", c.Precision)
	check(c.Threads >= 0, "threads is %d; use 0 for all cores", c.Threads)
	l, text := c.Train, c.Text()
	check(l.Steps > 0, "train.steps is %d; use 1 or more", l.Steps)
	check(l.Epochs >= 0 && !math.IsInf(l.Epochs, 0), "train.epochs is %g; use a positive number of passes over the data, or 0 for train.steps", l.Epochs)
	check(l.Batch > 0, "train.batch is %d; use 1 or more", l.Batch)
	check(l.Accumulate > 0, "train.accumulate is %d; use 1 or more", l.Accumulate)
	check(l.LogEvery > 0, "train.log_every is %d; use 1 or more", l.LogEvery)
	check(l.EvalEvery >= 0 && l.SaveEvery >= 0 && l.Keep >= 0 && l.EvalBatches >= 0 && l.MaxSkips >= 0 && l.SampleTokens >= 0,
		"train: eval_every, eval_batches, save_every, keep, max_skips and sample_tokens are 0 or more")
	check(l.Save == "auto" || l.Save == "async" || l.Save == "sync", "train.save is %q; use auto, async or sync", l.Save)
	check(l.Context >= 0 && (l.Context <= text.Context || text.Context == 0), "train.context is %d; use 1 to model.context = %d, or 0 for that", l.Context, text.Context)
	check(l.Patience >= 0, "train.patience is %d evaluations; use 1 or more, or 0 for no early stopping", l.Patience)
	check(l.Patience == 0 || l.EvalEvery > 0, "train.patience needs train.eval_every: without evaluations on the way there is nothing to judge by")
	check(l.MinDelta >= 0 && !math.IsInf(l.MinDelta, 0), "train.min_delta is %g; use 0 or more nats per token", l.MinDelta)
	check(c.LoRA.Rank == 0 || c.Base != "", "lora needs a base: run gotrain finetune with --base DIR")
	check(c.LoRA.Rank == 0 || c.Tokenizer.PadToMultipleOf < 2, "tokenizer.pad_to_multiple_of changes the embeddings, which an adapter leaves as they are: train without lora first, and put the adapter on what comes out")
	check(c.Adapter == "" || c.Base != "", "adapter needs the base that it was trained on: run gotrain finetune with --base DIR")
	check(l.Smoothing >= 0 && l.Smoothing < 1, "train.label_smoothing is %g; use a number in [0, 1)", l.Smoothing)
	check(l.ZLoss >= 0, "train.z_loss is %g; use 0 or more", l.ZLoss)
	check(l.SpikeFactor == 0 || l.SpikeFactor > 1, "train.spike_factor is %g; use more than 1, or 0 for off", l.SpikeFactor)
	check(!c.Optimizer.InBackward || l.Accumulate == 1, "optimizer.in_backward needs train.accumulate: 1: gradients are applied as soon as they exist")
	check(!c.Optimizer.InBackward || l.SpikeFactor == 0, "optimizer.in_backward needs train.spike_factor: 0: the norm of all gradients is never known")
	check(slices.Contains([]string{"auto", "nccl", "gloo", "mpi"}, c.Cluster.Engine), "cluster.engine is %q; use auto, nccl, gloo or mpi", c.Cluster.Engine)
	check(c.Cluster.Zero == 0 || c.Cluster.Zero == 1, "cluster.zero is %d; use 1 to share the optimizer's state between ranks (ZeRO-1), or 0", c.Cluster.Zero)
	check(c.Cluster.TimeoutS >= 0, "cluster.timeout_s is %d seconds; use 1 or more, or 0 for no limit", c.Cluster.TimeoutS)
	check(c.Cluster.CheckEvery >= 0, "cluster.check_every is %d steps; use 1 or more, or 0 for never", c.Cluster.CheckEvery)
	errs = append(errs, c.Tokenizer.validate()...)
	for _, err := range []error{c.Model.Validate(), c.LoRA.Validate(), c.Data.Validate(), c.Optimizer.Validate(), c.checkRecipe(t)} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c TokenizerConfig) validate() []error {
	var errs []error
	for i, token := range c.AddSpecialTokens {
		if token == "" || !utf8.ValidString(token) {
			errs = append(errs, fmt.Errorf("tokenizer.add_special_tokens: number %d, %q, is empty or not UTF-8", i+1, token))
		} else if slices.Contains(c.AddSpecialTokens[:i], token) {
			errs = append(errs, fmt.Errorf("tokenizer.add_special_tokens: %q is there twice", token))
		}
	}
	if m := c.PadToMultipleOf; m < 0 || m > maxMultiple {
		errs = append(errs, fmt.Errorf("tokenizer.pad_to_multiple_of is %d; use 1 to %d, or 0 for the tokenizer's own size", m, maxMultiple))
	}
	if c.Path != "" {
		return errs
	}
	switch c.Kind {
	case "bytes", "characters":
	case "wordpiece":
		if c.Vocab < minWordPieces {
			errs = append(errs, fmt.Errorf("tokenizer.vocab is %d; WordPiece starts from five special tokens and the characters of the text: use %d or more", c.Vocab, minWordPieces))
		}
	case "bpe":
		if c.Vocab < minVocab {
			errs = append(errs, fmt.Errorf("tokenizer.vocab is %d; byte-level BPE starts from 256 bytes and one special token: use %d or more", c.Vocab, minVocab))
		}
		if _, err := bpe.ParsePattern(c.Pattern); err != nil {
			errs = append(errs, fmt.Errorf("tokenizer.pattern: %w", err))
		}
	default:
		errs = append(errs, fmt.Errorf("tokenizer.kind is %q; use bpe, wordpiece, bytes or characters, or give tokenizer.path, which takes gpt2, cl100k and o200k, too", c.Kind))
	}
	return errs
}

// maxProgress is a day, in seconds.
const maxProgress = 86400.0

// maxMultiple is far above what any machine likes.
const maxMultiple = 1 << 16

// minVocab is the smallest byte-level vocabulary: every byte and end-of-text.
const minVocab = 257

// minWordPieces is what five special tokens and a character take.
const minWordPieces = 6
