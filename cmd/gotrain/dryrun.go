package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gotrain/data"
	"gotrain/data/tokenizers"
	"gotrain/data/vfs"
	"gotrain/nn/hub"
	"gotrain/nn/zoo"
	"gotrain/train"
	"gotrain/train/checkpoint"
	"gotrain/train/console"
	"gotrain/train/device"
	"gotrain/train/units"
)

// dryRun does everything up to the first step of cfg and leaves no trace: it
// fits the tokenizer in memory, tokenizes the text, verifies the checkpoint that
// the run would go on from, allocates and initialises the model, and prints the
// plan.
func dryRun(c *cobra.Command, cfg train.Config, resume string) error {
	if err := checkPaths(cfg); err != nil {
		return err
	}
	backend, device, err := device.Open(cfg.Device, cfg.Threads, device.Collectives{})
	if err != nil {
		return err
	}
	defer backend.Close()
	p := console.New(c.ErrOrStderr())
	from, err := dryResume(cfg, resume)
	if err != nil {
		return err
	}
	vocab, err := dryData(c, cfg, p)
	if err != nil {
		return err
	}
	if err := cfg.SetVocab(vocab); err != nil {
		return err
	}
	r, err := makePlan(c.Context(), cfg, device)
	if err != nil {
		return err
	}
	r.VocabFrom = "the tokenizer"
	if free := r.Limits.Usable(); free > 0 && r.Memory.Total > free {
		return errors.Join(printPlan(c.OutOrStdout(), r), fmt.Errorf("the run needs %s of memory, %s are free: lower train.batch to %d, or set train.recompute: true", units.Bytes(r.Memory.Total), units.Bytes(free), r.LargestBatch))
	}
	model, err := cfg.NewModel(zoo.Families())
	if err != nil {
		return usageError{err}
	}
	engine, err := train.NewEngine(cfg, model, backend)
	if err != nil {
		return err
	}
	if cfg.Base == "" {
		err = engine.Initialize()
	} else {
		err = engine.InitializeFrom(vfs.OS{})
	}
	if err != nil {
		return err
	}
	if err := printPlan(c.OutOrStdout(), r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%-12s would begin %s in %s; nothing was trained or written\n", "dry run", from, cfg.Run.Dir)
	return err
}

// dryResume says where the run would begin.
func dryResume(cfg train.Config, resume string) (string, error) {
	switch resume {
	case "none":
		if exists(cfg.Run.Dir) {
			return "at step 0, with the earlier run set aside,", nil
		}
		return "at step 0", nil
	case "auto":
		if !exists(checkpoint.LatestLink(cfg.Run.Dir)) {
			return "at step 0", nil
		}
		resume = cfg.Run.Dir
	}
	dir, err := hub.FindCheckpoint(resume)
	if err != nil {
		return "", usagef("--resume: %w", err)
	}
	m, err := checkpoint.Verify(vfs.OS{}, dir)
	if err != nil {
		return "", fmt.Errorf("--resume %s: %w", dir, err)
	}
	return fmt.Sprintf("at step %d, from %s,", m.Step, dir), nil
}

// dryData makes the tokenizer, tokenizes all of the text and returns the size of
// the vocabulary.
func dryData(c *cobra.Command, cfg train.Config, p *console.Progress) (int, error) {
	t, err := runTokenizer(c.Context(), cfg, p)
	if err != nil {
		return 0, err
	}
	enc, err := tokenizers.NewEncoder(t)
	if err != nil {
		return 0, err
	}
	var tokens [2]int64 // by split
	if cfg.Data.Format == data.FormatShards {
		shards, err := data.Prepare(c.Context(), cfg.Data.Config, enc, nil)
		if err != nil {
			return 0, err
		}
		defer shards.Close()
		tokens[data.Train] = shards.Train.Tokens()
	} else if cfg.Data.Format == train.FormatInstruct {
		in, err := train.OpenInstructions(c.Context(), cfg, t, cfg.Base)
		if err != nil {
			return 0, err
		}
		p.Line("%-10s %d to train on, %d truncated, %d dropped", "examples", in.Train.Examples(), in.Train.Stats().Truncated, in.Train.Stats().Dropped)
		p.Line("%-10s %d training tokens, %d of them trained", "data", in.Train.Stats().Tokens, in.Train.Stats().Counted)
		return modelVocab(cfg, enc)
	} else if tokens, err = countTokens(c, cfg, enc, p); err != nil {
		return 0, err
	}
	p.Line("%-10s %d training tokens, %d held out", "data", tokens[data.Train], tokens[data.Validation])
	if tokens[data.Train] <= int64(cfg.Length()) {
		return 0, fmt.Errorf("data: the training text has %d tokens; a sequence takes %d: add text or lower train.context", tokens[data.Train], cfg.Length()+1)
	}
	return modelVocab(cfg, enc)
}

// modelVocab returns the vocabulary of the model.
func modelVocab(cfg train.Config, enc tokenizers.Encoder) (int, error) {
	vocab := cfg.Text().Vocab
	if vocab == 0 {
		return enc.VocabSize(), nil
	}
	if vocab < enc.VocabSize() {
		return 0, usagef("model.vocab is %d but the tokenizer has %d tokens; leave model.vocab out to take the tokenizer's", vocab, enc.VocabSize())
	}
	return vocab, nil
}

// countTokens tokenizes the corpus.
func countTokens(c *cobra.Command, cfg train.Config, enc tokenizers.Encoder, p *console.Progress) (tokens [2]int64, err error) {
	corpus, err := data.OpenCorpus(cfg.Data.Config)
	if err != nil {
		return tokens, err
	}
	var seen data.Progress
	for doc, err := range corpus.Documents() {
		if err != nil {
			return tokens, err
		}
		if c.Context().Err() != nil {
			return tokens, errors.New("interrupted")
		}
		n := int64(len(enc.EncodeParallel(doc.Text, cfg.Threads)))
		if !doc.More {
			n++ // end of text
		}
		tokens[doc.Split] += n
		seen.TextBytes += int64(len(doc.Text))
		seen.Tokens += n
		p.Preparing(seen)
	}
	p.Clear()
	return tokens, nil
}
