package train

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn/xl"
	"example.com/gotrain/train/events"
)

// rememberingConfig trains a small Transformer-XL on tinyConfig's text.
func rememberingConfig(t testing.TB) Config {
	t.Helper()
	c := tinyConfig(t)
	if err := c.Model.Set(xl.Name, &xl.Config{Layers: 2, Heads: 2, Width: 16, Context: 8, Memory: 12, Dropout: 0.1}); err != nil {
		t.Fatal(err)
	}
	c.Train.Steps, c.Train.Batch, c.Train.Accumulate, c.Train.SaveEvery, c.Train.EvalEvery, c.Train.SampleTokens = 8, 2, 2, 2, 4, 4
	return c
}

// TestRememberingKills kills runs of a model with a memory at random file operations and stops
// them after every step: they go on to the same bits, what is remembered included.
func TestRememberingKills(t *testing.T) {
	cfg := rememberingConfig(t)
	mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)
	if files, err := filepath.Glob(filepath.Join(cfg.Run.Dir, "checkpoints", "latest", "carried.safetensors")); err != nil || len(files) != 1 {
		t.Fatalf("the checkpoint holds no memories: %v, %v", files, err)
	}

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
	for range 8 {
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

// TestRememberingMicroBatches trains on the same rows in one and in four parts, each with the
// memory of its own rows.
func TestRememberingMicroBatches(t *testing.T) {
	var losses [2][]float64
	for i, parts := range []int{1, 4} {
		cfg := rememberingConfig(t)
		if err := cfg.Model.Set(xl.Name, &xl.Config{Layers: 2, Heads: 2, Width: 16, Context: 8, Memory: 12}); err != nil {
			t.Fatal(err)
		}
		cfg.Train.Batch, cfg.Train.Accumulate = 4/parts, parts
		d := deps(t, 2)
		d.Listener.Step = func(e events.Step) { losses[i] = append(losses[i], e.Record.Get("nll"), e.Record.GradNorm) }
		mustTrain(t, cfg, d)
	}
	for j, want := range losses[0] {
		if diff := losses[1][j] - want; diff > 2e-4 || diff < -2e-4 {
			t.Errorf("value %d is %g in four parts, %g in one", j, losses[1][j], want)
		}
	}
}
