package text

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"example.com/gotrain/data"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// Formats are the ways in which text is stored.
func Formats() []config.Choice {
	var choices []config.Choice
	for _, format := range data.Formats() {
		choices = append(choices, config.Choice{Name: string(format), New: func() any { return &data.Config{Format: format, TextKey: "text", BOS: true} }})
	}
	return choices
}

// Reading is what the text takes of memory.
func Reading(env recipe.Env) data.Memory {
	texts, _ := env.Config.Texts()
	return texts.Memory()
}

// Shards packs the text of a job into shards of tokens, tells what was prepared, and gives the
// job its sizes, the record of its split and what all ranks must agree on. The job closes them.
func Shards(ctx context.Context, env recipe.Env, j *recipe.Job, texts data.Config, enc tokenizers.Encoder) (*data.Prepared, error) {
	prepared, err := data.Prepare(ctx, texts, enc, env.Progress)
	if err != nil {
		return nil, err
	}
	j.Close = prepared.Close
	j.TrainUnits = prepared.Train.Tokens()
	facts := fmt.Sprintf("%s: %d tokens", prepared.Ledger.Key, j.TrainUnits)
	if prepared.Validation != nil {
		j.EvalUnits = prepared.Validation.Tokens()
		facts += fmt.Sprintf(", %d held out", j.EvalUnits)
	}
	tellShards(env, prepared)
	if j.Split, err = KeepLedger(env, texts.Known, prepared.Ledger); err != nil {
		return nil, err
	}
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: facts, Cure: "data.paths have to name the same content on all nodes"})
	return prepared, nil
}

// tellShards tells what was prepared.
func tellShards(env recipe.Env, prepared *data.Prepared) {
	parts := prepared.Parts
	if len(parts) == 0 {
		parts = []data.Part{{Prepared: prepared}}
	}
	for _, p := range parts {
		from, reused := p.Dir, ""
		if from == "" {
			from = filepath.Dir(p.Train.Shards()[0].Path())
		} else if p.Reused {
			reused = " (reused)"
		}
		env.Telling("shards", "%d training tokens in %s%s", p.Train.Tokens(), from, reused)
	}
	if both := prepared.Ledger.Both; both > 0 {
		env.Telling("warning", "%d of the texts that are held out are in the training text too: their loss is not that of unseen text", both)
	}
}

// GiveEpoch gives j the size of an epoch of batches, and of a mixture tells which share of the run
// each source has.
func GiveEpoch(env recipe.Env, j *recipe.Job, batches data.Windowed, parts []data.Part) {
	j.Epoch = batches.Windows()
	mixture, ok := batches.(*data.Mixture)
	if !ok {
		return
	}
	j.Drawn = mixture.Drawn
	t := env.Config.Train
	samples := uint64(t.Steps) * uint64(env.Config.StepSamples())
	if t.Epochs > 0 {
		samples = uint64(math.Ceil(t.Epochs * float64(j.Epoch)))
	}
	for i, d := range j.Drawn(samples) {
		env.Telling("source", "%s: %d tokens, %.1f%% of the sequences, %.2f times through it in this run",
			d.Name, parts[i].Train.Tokens(), 100*float64(d.Samples)/float64(max(samples, 1)), float64(d.Samples)/float64(d.Windows))
	}
}

// Count tokenizes the corpus of a dry run without keeping it, and gives the job its sizes.
func Count(ctx context.Context, env recipe.Env, j *recipe.Job, texts data.Config, enc tokenizers.Encoder) error {
	corpus, err := data.OpenCorpus(texts)
	if err != nil {
		return err
	}
	var seen data.Progress
	ledger := corpus.Note()
	trained := make([]int64, max(1, len(texts.Sources)))
	add := func(source int, side data.Split, tokens int64) {
		if side == data.Validation {
			j.EvalUnits += tokens
			return
		}
		j.TrainUnits += tokens
		trained[source] += tokens
	}
	if err := corpus.Tokens(enc, add); err != nil {
		return err
	}
	err = corpus.Count(ctx, enc, func(d data.Document, tokens int) {
		add(d.Source, d.Split, int64(tokens))
		seen.TextBytes += int64(len(d.Text))
		seen.Tokens += int64(tokens)
		if env.Progress != nil {
			env.Progress(seen)
		}
	})
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	env.Telling("data", "%d training tokens, %d held out", j.TrainUnits, j.EvalUnits)
	ledger.Seal()
	if j.Split, err = KeepLedger(env, texts.Known, ledger); err != nil {
		return err
	}
	for i, tokens := range trained {
		if shares := texts.Shares(); shares != nil {
			env.Telling("source", "%s: %d training tokens", shares[i].Name, tokens)
		}
		windows, err := data.WindowsOf(tokens, env.Config.Length())
		if err != nil {
			return err
		}
		j.Epoch += windows
	}
	return nil
}
