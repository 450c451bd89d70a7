//go:build gpu

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/cuda"
)

// TestRolloutsOnGPU learns from texts that the GPU writes, by grpo with an adapter and without, and
// by ppo from likely tokens, with a value model: the first update finds the log-probabilities that it was given, and both devices begin with the same
// rewards.
func TestRolloutsOnGPU(t *testing.T) {
	if infos, err := cuda.Devices(); err != nil || len(infos) == 0 {
		t.Skip("no GPU")
	}
	dir := t.TempDir()
	sums, base := filepath.Join(dir, "sums.jsonl"), filepath.Join(dir, "base")
	must(t, "data", "sums", "--out", sums, "--count", "100")
	config := write(t, filepath.Join(dir, "base.yaml"), strings.ReplaceAll(`
run: {dir: DIR/base}
model: {family: llama, layers: 1, heads: 2, width: 32, context: 16}
tokenizer: {kind: bytes}
data: {train: [DIR/sums.jsonl], format: jsonl}
train: {steps: 30, batch: 8, save_every: 0, document_mask: true, sample: ""}
optimizer: {lr: 0.01, warmup: 2}
`, "DIR", dir))
	must(t, "pretrain", "--config", config, "--device", "cpu")
	config = write(t, filepath.Join(dir, "grpo.yaml"), strings.ReplaceAll(`
run: {dir: DIR/run}
recipe: {samples: 4, max_tokens: 3, at_once: 8, updates: 2, rewards: [{kind: pattern, pattern: '1'}, {kind: length, most: 2}]}
data: {train: [DIR/sums.jsonl], format: prompts}
train: {steps: 3, batch: 8, context: 16, save_every: 0, sample: ""}
optimizer: {lr: 0.001, warmup: 0}
`, "DIR", dir))
	for name, set := range map[string][]string{
		"grpo":            {"recipe.kind=grpo", "recipe.beta=0.1"},
		"grpo of adapter": {"recipe.kind=grpo", "recipe.beta=0.1", "lora.rank=2", "lora.alpha=4"},
		"ppo":             {"recipe.kind=ppo", "recipe.top_k=20", "recipe.top_p=0.95"},
	} {
		var rewards []float64
		for _, device := range []string{"cpu", "cuda"} {
			run := filepath.Join(dir, device+name)
			args := []string{"finetune", "--config", config, "--base", base, "--device", device, "--run", run}
			for _, assignment := range set {
				args = append(args, "--set", assignment)
			}
			must(t, args...)
			text, err := os.ReadFile(filepath.Join(run, "metrics.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			var first struct {
				Loss, Reward float64
				Old          float64 `json:"kl_old"`
			}
			if err := json.Unmarshal(text[:strings.IndexByte(string(text), '\n')], &first); err != nil {
				t.Fatal(err)
			}
			if math.Abs(first.Old) > 1e-6 || math.IsNaN(first.Loss) {
				t.Errorf("%s, %s: the loss is %g, and the divergence from the model that wrote %g", device, name, first.Loss, first.Old)
			}
			rewards = append(rewards, first.Reward)
		}
		if math.Abs(rewards[0]-rewards[1]) > 0.25 || rewards[0] == 0 {
			t.Errorf("%s: rewards of the first texts are %v", name, rewards)
		}
	}
}
