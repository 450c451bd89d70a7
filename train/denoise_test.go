package train

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/denoise"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn/seq2seq"
	"example.com/gotrain/train/events"
)

// denoiseConfig trains a small T5 on tinyConfig's text.
func denoiseConfig(t testing.TB) Config {
	t.Helper()
	c := tinyConfig(t)
	if err := c.Model.Set(seq2seq.Name, &seq2seq.Config{Variant: seq2seq.T5, Layers: 1, Heads: 2, Width: 16, Context: 32, Dropout: 0.1}); err != nil {
		t.Fatal(err)
	}
	if err := c.Recipe.Set("denoise", &denoise.Config{Rate: 0.2, Span: 2}); err != nil {
		t.Fatal(err)
	}
	c.Train.Steps, c.Train.Batch, c.Train.Accumulate, c.Train.SaveEvery, c.Train.EvalEvery, c.Train.Sample = 8, 2, 2, 2, 4, "The rays of <extra_id_0> are"
	return c
}

// TestDenoise kills runs of span corruption at random file operations, stops them after every
// step and cuts steps into other parts: they go on to the same bits, or come to the same loss.
func TestDenoise(t *testing.T) {
	cfg := denoiseConfig(t)
	var told []string
	d := deps(t, 1)
	d.Listener.Sample = func(_ int, text string) { told = append(told, text) }
	loss := 0.0 // of the last step
	d.Listener.Step = func(e events.Step) { loss = e.Record.Get("nll") }
	mustTrain(t, cfg, d)
	want := bits(t, cfg.Run.Dir)
	if all := strings.Join(told, "\n"); !strings.Contains(all, "The rays of <extra_id_0> are\n  → The rays of") {
		t.Errorf("told %q", told)
	}

	base := cfg.Run.Dir
	cfg.Run.Dir = base + "-stops"
	trainByStops(t, cfg, deps(t, 2), want)

	fault := vfstest.NewFault(noSync{})
	d = deps(t, 1)
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

	cfg.Run.Dir, cfg.Train.Batch, cfg.Train.Accumulate = base+"-micro", 4, 1
	d = deps(t, 2)
	other := 0.0
	d.Listener.Step = func(e events.Step) { other = e.Record.Get("nll") }
	if mustTrain(t, cfg, d); !(math.Abs(loss-other) < 1e-5) || loss == 0 {
		t.Errorf("steps in one part have a loss of %g after 8 steps, in two of %g", other, loss)
	}
}
