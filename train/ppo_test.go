package train

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/nn/hub"
	"example.com/gotrain/train/events"
)

// ppoRecipe has several passes over two parts of a rollout, and an adaptive divergence.
const ppoRecipe = "kind: ppo, samples: 2, updates: 2, minibatches: 2, kl: 0.1, kl_target: 0.02, kl_horizon: 20, unended: 0.1"

// ppoBase trains the base of these tests.
func ppoBase(t *testing.T) string {
	t.Helper()
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.SaveEvery, pre.Train.EvalEvery = "", 0, 0
	mustTrain(t, pre, deps(t, 2))
	return pre.Run.Dir
}

// TestPPOKills: a run gives the same bits, the same table and the same coefficients when it is
// stopped after every step, in the middle of a pass too, and when it is killed at random file
// operations, with an adapter and without.
func TestPPOKills(t *testing.T) {
	base := ppoBase(t)
	for _, lora := range []string{"", "lora: {rank: 2, alpha: 4, targets: [c_attn]}"} {
		cfg := rolloutFrom(t, base, ppoRecipe+", top_k: 24, top_p: 0.95", lora)
		cfg.Train.Steps = 10
		d := deps(t, 1)
		var steps []events.Step
		d.Listener.Step = func(e events.Step) { steps = append(steps, e) }
		r := mustTrain(t, cfg, d)
		if v := r.Validation.Get("reward"); !(v >= -1 && v <= 1.5) {
			t.Errorf("the reward of held-out prompts is %g", v)
		}
		first, fifth := steps[0].Record, steps[4].Record
		for name, want := range map[string]float64{"kl_old": 0, "clipped": 0, "kl": 0, "kl_coefficient": 0.1, "value_clipped": 0} {
			if got := first.Get(name); math.Abs(got-want) > 1e-6 {
				t.Errorf("the first update has a %s of %g, want %g", name, got, want)
			}
		}
		if first.Get("entropy") <= 0 || first.Get("value_loss") <= 0 || math.IsNaN(first.Get("explained_variance")) {
			t.Errorf("the first update has %+v", first.Values)
		}
		if got := fifth.Get("kl_old"); got != 0 {
			t.Errorf("the first update of the second rollout has a divergence of %g from the model that wrote the texts", got)
		}
		// 16 texts without a divergence: the fault is the least, -0.2, of a horizon of 20 texts.
		if got, want := fifth.Get("kl_coefficient"), 0.1*(1-0.2*16.0/20); math.Abs(got-want) > 1e-6 {
			t.Errorf("the coefficient of the second rollout is %g, want %g", got, want)
		}
		want, table := bits(t, cfg.Run.Dir), samplesOf(t, cfg.Run.Dir)
		run := cfg.Run.Dir
		cfg.Run.Dir = run + "-stops"
		trainByStops(t, cfg, deps(t, 2), want)
		if !bytes.Equal(samplesOf(t, cfg.Run.Dir), table) {
			t.Error("stopping after every step leaves another table of texts")
		}
		killRandomly(t, cfg, want, func(dir string) {
			if !bytes.Equal(samplesOf(t, dir), table) {
				t.Error("kills leave another table of texts")
			}
		})
	}
}

// TestPPOOnRanks: two ranks learn what one does, up to the rounding of sums.
func TestPPOOnRanks(t *testing.T) {
	base := ppoBase(t)
	for _, lora := range []string{"", "lora: {rank: 2, alpha: 4, targets: [c_attn]}"} {
		cfg := rolloutFrom(t, base, ppoRecipe, lora)
		cfg.Train.Steps = 6
		names := []string{"loss", "reward", "kl", "kl_coefficient", "value_loss", "explained_variance"}
		var seen []float64
		told := func(e events.Step) {
			for _, name := range names {
				seen = append(seen, e.Record.Get(name))
			}
		}
		d := deps(t, 1)
		d.Listener.Step = told
		mustTrain(t, cfg, d)
		alone := seen
		seen = nil
		cfg.Run.Dir += "-two"
		errs, _ := trainRanks(t, context.Background(), cfg, 2, func(_ int, _ *Config, d *Deps) {
			d.Listener.Step = told
			d.FS = noSync{}
		})
		for rank, err := range errs {
			if err != nil {
				t.Fatalf("rank %d: %v", rank, err)
			}
		}
		for i, want := range alone {
			if math.Abs(seen[i]-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("%q: step %d: %s is %g on two ranks, %g on one", lora, i/len(names)+1, names[i%len(names)], seen[i], want)
			}
		}
	}
}

// TestPPOLearns: texts of a known token are rewarded. The policy learns to write it, and stays
// near its base.
func TestPPOLearns(t *testing.T) {
	cfg := rolloutFrom(t, ppoBase(t), "kind: ppo, updates: 2, rewards: [{kind: pattern, pattern: 'g'}]",
		"train: {steps: 200, batch: 32, context: 16, save_every: 0, eval_every: 0, sample: \"\"}", "optimizer: {lr: 0.004, schedule: constant, warmup: 2}")
	d := deps(t, 2)
	var rewards, divergences []float64
	d.Listener.Step = func(e events.Step) {
		rewards, divergences = append(rewards, e.Record.Get("reward")), append(divergences, e.Record.Get("kl"))
	}
	mustTrain(t, cfg, d)
	last := 0.0
	for _, r := range rewards[len(rewards)-10:] {
		last += r / 10
	}
	t.Logf("the reward goes from %g to %g, at a divergence of %g nats", rewards[0], last, divergences[len(divergences)-1])
	if rewards[0] > 0.5 || last < 0.9 || divergences[len(divergences)-1] > 10 {
		t.Errorf("the reward goes from %g to %g, at a divergence of %g nats", rewards[0], last, divergences[len(divergences)-1])
	}
}

// TestPPOFromARewardModel: the value model begins with a reward model that has the policy's
// tokens, and checkpoints have two models; what is wrong is told.
func TestPPOFromARewardModel(t *testing.T) {
	reward := rewardModel(t)
	base := preferConfig(t, "recipe.kind=orpo", "train.steps=2")
	mustTrain(t, base, deps(t, 2))
	cfg := rolloutFrom(t, base.Run.Dir, "kind: ppo, value: "+reward+", rewards: [{kind: model, model: "+reward+"}]")
	cfg.Train.Steps = 2
	r := mustTrain(t, cfg, deps(t, 2))
	for _, file := range []string{"policy/model.safetensors", "policy/tokenizer.json", "value/model.safetensors", "value/config.json"} {
		if _, err := os.Stat(filepath.Join(r.Checkpoint, file)); err != nil {
			t.Error(err)
		}
	}
	if kept := tensors(t, filepath.Join(r.Checkpoint, "value", "model.safetensors")); len(kept["score.weight"]) == 0 {
		t.Error("the value model has no score")
	}
	if place, err := hub.Locate(cfg.Run.Dir); err != nil || filepath.Base(place.Dir) != "policy" {
		t.Errorf("the run as a model is %s, %v", place.Dir, err)
	}
	other := ppoBase(t)
	for recipe, want := range map[string]string{
		"kind: ppo, value: " + reward:     "name one with the same tokenizer",
		"kind: ppo, kl_target: 6, kl: 0":  "recipe.kl_target is 6 and kl 0",
		"kind: ppo, epsilon: 0":           "recipe.epsilon is 0",
		"kind: ppo, lambda: 2":            "recipe.lambda is 2",
		"kind: ppo, resample: 1":          "with samples 1 leave it out",
		"kind: ppo, value: no-such-place": "recipe.value",
	} {
		cfg, err := rolloutConfigOf(t, other, recipe)
		if err == nil {
			_, err = Train(context.Background(), cfg, deps(t, 1))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", recipe, err, want)
		}
	}
}
