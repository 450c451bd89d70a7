package train

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gemma3"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
	"example.com/gotrain/nn/perceiver"
	"example.com/gotrain/nn/seq2seq"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe/mlm"
)

// model gives c a model of a family.
func model(t *testing.T, c Config, family string, value any) Config {
	t.Helper()
	if err := c.Model.Set(family, value); err != nil {
		t.Fatal(err)
	}
	return c
}

// adapted is c with an adapter of every layer that drops, on a base that c's run trains for a step.
func adapted(t *testing.T, c Config) Config {
	t.Helper()
	base := c
	base.Train.Steps, base.Train.EvalEvery, base.Train.Sample, base.Train.SampleTokens = 1, 0, "", 0
	mustTrain(t, base, deps(t, 1))
	c.Base = filepath.Join(base.Run.Dir, "checkpoints", "latest")
	c.Tokenizer = config.TokenizerConfig{Path: c.Base}
	c.Run.Dir += "-adapted"
	c.LoRA = nn.Adapter{Rank: 2, Alpha: 4, Dropout: 0.3, Targets: []string{"all-linear"}}
	return c
}

// TestMicroBatches: what is dropped of a sample goes by its place among the samples of the run, so
// that losses and norms of gradients are the same however a step is cut.
func TestMicroBatches(t *testing.T) {
	masked := maskedConfig(t)
	if err := masked.Recipe.Set(mlm.Name, &mlm.Config{Rate: 0.25}); err != nil {
		t.Fatal(err)
	}
	pairs, prefer := pairsConfig(t), preferConfig(t)
	remembering, documents := rememberingConfig(t), tinyConfig(t)
	setGPT2(t, &documents, func(c *gpt2.Config) { c.AttentionDropout = 0.2 })
	documents.Train.DocumentMask = true // micro-batches then differ in their number of targets
	for name, c := range map[string]Config{
		"gpt2":                documents,
		"llama":               model(t, tinyConfig(t), llama.Name, &llama.Config{Layers: 1, Heads: 2, Width: 16, Context: 16, Dropout: 0.3, AttentionDropout: 0.3}),
		"gemma3":              model(t, tinyConfig(t), gemma3.Name, &gemma3.Config{Layers: 1, Heads: 2, Width: 16, Context: 16, Dropout: 0.3}),
		"lstm":                model(t, tinyConfig(t), lstm.Name, &lstm.Config{Kind: "lstm", Layers: 2, Width: 16, Context: 16, Dropout: 0.3}),
		"transformer-xl":      remembering,
		"transformer-xl lora": adapted(t, remembering),
		"bert":                maskedConfig(t),
		"bert lora":           adapted(t, masked),
		"perceiver":           model(t, masked, perceiver.Name, &perceiver.Config{Layers: 1, Heads: 2, Width: 16, Context: 24, Latents: 5, Dropout: 0.3}),
		"classify":            classifyConfig(t),
		"translation":         pairs,
		"translation lora":    adapted(t, pairs),
		"translation lstm":    model(t, pairs, seq2seq.Name, &seq2seq.Config{Variant: seq2seq.LSTM, Layers: 1, Heads: 2, Width: 16, Context: 32, Dropout: 0.3}),
		"denoise":             denoiseConfig(t),
		"preferences":         model(t, prefer, llama.Name, &llama.Config{Layers: 1, Heads: 2, Width: 16, Context: 256, Dropout: 0.3}),
	} {
		t.Run(name, func(t *testing.T) {
			c.Train.Steps, c.Train.EvalEvery, c.Train.SaveEvery, c.Train.LogEvery, c.Train.Sample, c.Train.SampleTokens = 2, 0, 0, 1, "", 0
			c.Optimizer.Warmup = 1
			run := filepath.Join(t.TempDir(), "run")
			var want []float64
			for _, rows := range []int{8, 4, 2} {
				c.Train.Batch, c.Train.Accumulate, c.Run.Dir = rows, 8/rows, fmt.Sprintf("%s-%d", run, rows)
				var got []float64
				d := deps(t, 2)
				d.Listener.Step = func(e events.Step) {
					got = append(got, e.Record.Values[0].Value, e.Record.GradNorm)
				}
				mustTrain(t, c, d)
				if want == nil {
					want = got
				}
				for i := range want {
					if len(got) != len(want) || !(math.Abs(got[i]-want[i]) < 1e-5*math.Max(1, want[i])) {
						t.Errorf("micro-batches of %d: losses and norms are %v, of 8 %v", rows, got, want)
						break
					}
				}
			}
		})
	}
}
