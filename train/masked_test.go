package train

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn/bert"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe/mlm"
)

// maskedConfig trains a small BERT on tinyConfig's text: whole words, and which texts go on.
func maskedConfig(t testing.TB) Config {
	t.Helper()
	c := tinyConfig(t)
	c.Tokenizer.Kind, c.Tokenizer.Vocab, c.Tokenizer.Lowercase = "wordpiece", 60, true
	if err := c.Model.Set(bert.Name, &bert.Config{Layers: 1, Heads: 2, Width: 16, Context: 24, Dropout: 0.1}); err != nil {
		t.Fatal(err)
	}
	if err := c.Recipe.Set(mlm.Name, &mlm.Config{Rate: 0.2, WholeWords: true, NextSentence: true}); err != nil {
		t.Fatal(err)
	}
	c.Train.Steps, c.Train.Batch, c.Train.Accumulate, c.Train.SaveEvery, c.Train.EvalEvery, c.Train.Sample = 8, 2, 2, 2, 4, "The rays of [MASK]"
	return c
}

// TestMaskedKills kills runs of masked language modelling at random file operations and stops
// them after every step: they go on to the same bits.
func TestMaskedKills(t *testing.T) {
	cfg := maskedConfig(t)
	mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)

	base := cfg.Run.Dir
	cfg.Run.Dir = base + "-stops"
	trainByStops(t, cfg, deps(t, 2), want)

	fault := vfstest.NewFault(noSync{})
	d := deps(t, 1)
	d.FS = fault
	cfg.Run.Dir = base + "-counted"
	fault.CrashAt(1 << 30)
	mustTrain(t, cfg, d)
	operations := len(fault.Trace())
	rng := rand.New(rand.NewPCG(3, 3))
	for range 12 {
		cfg.Run.Dir = filepath.Join(t.TempDir(), "run")
		for attempt := range 3 {
			fault.CrashAt(rng.IntN(operations * (attempt + 1)))
			if _, err := Train(context.Background(), cfg, d); err == nil && !crashed(fault) {
				break
			}
		}
		fault.CrashAt(1 << 30)
		mustTrain(t, cfg, d)
		if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
			t.Fatal("other bits after kills")
		}
	}
}

// TestMaskedMicroBatches trains on the same rows in one and in two parts, and tells the line of
// the unigram entropy and what fills the masks.
func TestMaskedMicroBatches(t *testing.T) {
	var losses [2][]float64
	var told []string
	for i, parts := range []int{1, 2} {
		cfg := maskedConfig(t)
		cfg.Train.Batch, cfg.Train.Accumulate = 8/parts, parts
		d := deps(t, 2)
		d.Listener.Step = func(e events.Step) {
			losses[i] = append(losses[i], e.Record.Get("nll"), e.Record.Get("next_nll"), e.Record.GradNorm)
		}
		d.Listener.Sample = func(_ int, text string) { told = append(told, text) }
		r := mustTrain(t, cfg, d)
		if h := r.Validation.Get("unigram_nll"); !(h > 2 && h < 4) {
			t.Errorf("the entropy of single tokens is %g", h)
		}
	}
	for j, want := range losses[0] {
		if diff := losses[1][j] - want; diff > 2e-4 || diff < -2e-4 {
			t.Errorf("value %d is %g in two parts, %g in one", j, losses[1][j], want)
		}
	}
	if all := strings.Join(told, "\n"); !strings.Contains(all, "The rays of ") || strings.Contains(all, "[MASK]") {
		t.Errorf("told %q", told)
	}
}
