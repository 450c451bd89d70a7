// Package lm is the recipe of language modelling: the next token of packed text.
package lm

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
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/shell"
)

// Recipe is the row of the table.
func Recipe() recipe.Recipe {
	return recipe.Recipe{Name: "lm", Formats: formats(), Design: design, Open: open, Inspect: inspect}
}

// design is the job without its data.
func design(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	j, err := text.Design(ctx, env)
	if err != nil {
		return nil, err
	}
	j.Reading = reading(env)
	return j, nil
}

// reading is what the text takes of memory.
func reading(env recipe.Env) data.Memory {
	texts, _ := env.Config.Texts()
	return texts.Memory()
}

// formats are the ways in which text is stored.
func formats() []config.Choice {
	var choices []config.Choice
	for _, format := range data.Formats() {
		choices = append(choices, config.Choice{Name: string(format), New: func() any { return &data.Config{Format: format, TextKey: "text", BOS: true} }})
	}
	return choices
}

// open packs the text into shards and cuts them into batches.
func open(ctx context.Context, env recipe.Env) (*recipe.Job, error) {
	tokens, id, err := text.Open(ctx, &env)
	if err != nil {
		return nil, err
	}
	enc, err := text.Encoder(env.Config, tokens, id)
	if err != nil {
		return nil, err
	}
	j, err := text.New(ctx, env, tokens, id)
	if err != nil {
		return nil, err
	}
	j.Reading = reading(env)
	j.Next = func(model string) string {
		return shell.Command("gotrain", "sample", "--model", model, "--prompt", env.Config.Train.Sample)
	}
	texts, _ := env.Config.Texts()
	if texts.Known, err = text.Ledger(env); err != nil {
		return nil, err
	}
	if env.Dry && !texts.Prepared() {
		return j, count(ctx, env, j, texts, enc)
	}
	return j, openShards(ctx, env, j, texts, enc)
}

// openShards gives the job its batches.
func openShards(ctx context.Context, env recipe.Env, j *recipe.Job, texts data.Config, enc tokenizers.Encoder) error {
	c := env.Config
	prepared, err := data.Prepare(ctx, texts, enc, env.Progress)
	if err != nil {
		return err
	}
	j.Close = prepared.Close
	j.TrainUnits = prepared.Train.Tokens()
	facts := fmt.Sprintf("%s: %d tokens", prepared.Ledger.Key, j.TrainUnits)
	tellShards(env, prepared)
	if j.Split, err = text.KeepLedger(env, texts.Known, prepared.Ledger); err != nil {
		return err
	}
	batches, err := prepared.Batches(data.LoaderConfig{Sequences: c.Sequences(c.TrainRows()), Seed: c.Run.Seed})
	if err != nil {
		return err
	}
	j.Train, j.Epoch = batches, batches.Windows()
	if mixture, ok := batches.(*data.Mixture); ok {
		j.Drawn = mixture.Drawn
		tellSources(env, j, prepared.Parts)
	}
	if prepared.Validation != nil {
		j.EvalUnits = prepared.Validation.Tokens()
		facts += fmt.Sprintf(", %d held out", j.EvalUnits)
		if err := hold(j, prepared, c, enc); err != nil {
			return err
		}
	}
	j.Facts = append(j.Facts, ranks.Fact{Name: "data", Value: facts, Cure: "data.paths have to name the same content on all nodes"})
	return text.CheckEval(c, j.Eval)
}

// hold gives the job what is held out, as a whole and by sources.
func hold(j *recipe.Job, prepared *data.Prepared, c config.Config, enc tokenizers.Encoder) (err error) {
	size := c.Sequences(c.EvalRows())
	if j.Eval, err = data.NewEval(prepared.Validation, size, enc); err != nil {
		return err
	}
	for _, part := range prepared.Parts {
		if part.Validation == nil {
			continue
		}
		e, err := data.NewEval(part.Validation, size, enc)
		if err != nil {
			return fmt.Errorf("source %s: %w", part.Name, err)
		}
		j.EvalParts = append(j.EvalParts, recipe.EvalPart{Name: part.Name, Source: e})
	}
	if len(j.EvalParts) < 2 {
		j.EvalParts = nil
	}
	return nil
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

// tellSources tells which share of the run each source has.
func tellSources(env recipe.Env, j *recipe.Job, parts []data.Part) {
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

// count tokenizes the corpus without keeping it.
func count(ctx context.Context, env recipe.Env, j *recipe.Job, texts data.Config, enc tokenizers.Encoder) error {
	corpus, err := data.OpenCorpus(texts)
	if err != nil {
		return err
	}
	var seen data.Progress
	ledger := corpus.Note()
	continues := false
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
	for doc, err := range corpus.Documents() {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		n := int64(len(enc.EncodeParallel(doc.Text, env.Config.Threads)))
		if !continues {
			n += int64(len(enc.BeginOfText()))
		}
		if continues = doc.More; !continues {
			n++ // end of text
		}
		add(doc.Source, doc.Split, n)
		seen.TextBytes += int64(len(doc.Text))
		seen.Tokens += n
		if env.Progress != nil {
			env.Progress(seen)
		}
	}
	env.Telling("data", "%d training tokens, %d held out", j.TrainUnits, j.EvalUnits)
	ledger.Seal()
	if j.Split, err = text.KeepLedger(env, texts.Known, ledger); err != nil {
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
