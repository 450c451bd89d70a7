package train

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe/grpo"
	"example.com/gotrain/train/recipe/rollout"
)

// rolloutConfig learns from texts of a tiny base, which are better the more they are of the
// light. Lines of YAML come on top.
func rolloutConfig(t *testing.T, recipe string, lines ...string) Config {
	t.Helper()
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.SaveEvery, pre.Train.EvalEvery = "", 0, 0
	mustTrain(t, pre, deps(t, 2))
	return rolloutFrom(t, pre.Run.Dir, recipe, lines...)
}

func rolloutFrom(t *testing.T, base, recipe string, lines ...string) Config {
	t.Helper()
	cfg, err := rolloutConfigOf(t, base, recipe, lines...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// rolloutConfigOf is rolloutFrom with the faults of the configuration. Lines of a section come in
// its place.
func rolloutConfigOf(t *testing.T, base, recipe string, lines ...string) (Config, error) {
	t.Helper()
	dir := t.TempDir()
	if !strings.Contains(recipe, "rewards:") {
		recipe += ", rewards: [{kind: pattern, pattern: '[lL]'}, {kind: length, most: 4, weight: 0.5}]"
	}
	var prompts strings.Builder
	for i := range 40 {
		fmt.Fprintf(&prompts, "{\"prompt\": \"the %c\", \"answer\": \"light\"}\n", 'a'+i%26)
	}
	file, path := filepath.Join(dir, "rollout.yaml"), filepath.Join(dir, "prompts.jsonl")
	all := []string{
		"run: {dir: " + dir + "/run, seed: 5}",
		"recipe: {" + recipe + ", max_tokens: 6, at_once: 8}",
		"data: {format: prompts, train: [" + path + "], validation: 0.2}",
		"train: {steps: 8, batch: 4, accumulate: 2, context: 16, save_every: 3, eval_every: 4, sample: \"the \", sample_tokens: 4}",
		"optimizer: {lr: 0.003, warmup: 2}",
	}
	for _, line := range lines {
		section, _, _ := strings.Cut(line, ":")
		all = append(slices.DeleteFunc(all, func(l string) bool { return strings.HasPrefix(l, section+":") }), line)
	}
	text := strings.Join(all, "\n")
	for name, content := range map[string]string{file: text, path: prompts.String()} {
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return config.LoadFinetune(file, nil, base, tables)
}

// recipes are configurations of what learns from rollouts: several updates of one, groups that
// are drawn anew, the divergence from the base.
func rolloutRecipes() map[string]string {
	return map[string]string{
		"grpo":                  "kind: grpo, samples: 4, updates: 3, beta: 0.1, loss: dapo, resample: 1, overlong: 2",
		"rloo":                  "kind: grpo, samples: 2, advantage: leave_one_out, ratio: text",
		"grpo of likely tokens": "kind: grpo, samples: 4, updates: 2, minibatches: 2, beta: 0.1, top_k: 24, top_p: 0.9, min_p: 0.001, temperature: 0.8",
	}
}

// table of a run, without what depends on how far it had come as it was written.
func samplesOf(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "samples.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRolloutKills: runs that learn from what they write give the same bits and the same table
// of texts when they are stopped after every step, in the middle of a rollout too, and when
// they are killed at random file operations.
func TestRolloutKills(t *testing.T) {
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.SaveEvery, pre.Train.EvalEvery = "", 0, 0
	mustTrain(t, pre, deps(t, 2))
	for name, recipe := range rolloutRecipes() {
		t.Run(name, func(t *testing.T) {
			cfg := rolloutFrom(t, pre.Run.Dir, recipe)
			d := deps(t, 1)
			var first, last events.Step
			d.Listener.Step = func(e events.Step) {
				if first.Steps == 0 {
					first = e
				}
				last = e
			}
			r := mustTrain(t, cfg, d)
			if v := r.Validation.Get("reward"); !(v >= -1 && v <= 1.5) {
				t.Errorf("the reward of held-out prompts is %g", v)
			}
			if first.Record.Get("kl_old") != 0 || first.Record.Get("clipped") != 0 || last.Record.Get("kl_old") < 0 {
				t.Errorf("the first update has a divergence of %g from the model that wrote the texts", first.Record.Get("kl_old"))
			}
			want, table := bits(t, cfg.Run.Dir), samplesOf(t, cfg.Run.Dir)
			base := cfg.Run.Dir
			cfg.Run.Dir = base + "-stops"
			trainByStops(t, cfg, deps(t, 2), want)
			if !bytes.Equal(samplesOf(t, cfg.Run.Dir), table) {
				t.Error("stopping after every step leaves another table of texts")
			}
			killRandomly(t, cfg, want, func(dir string) {
				if !bytes.Equal(samplesOf(t, dir), table) {
					t.Error("kills leave another table of texts")
				}
			})
		})
	}
}

// killRandomly kills runs of cfg at random file operations: they go on to the same bits.
func killRandomly(t *testing.T, cfg Config, want []byte, check func(dir string)) {
	t.Helper()
	fault := vfstest.NewFault(noSync{})
	d := deps(t, 1)
	d.FS = fault
	cfg.Run.Dir = filepath.Join(t.TempDir(), "counted")
	fault.CrashAt(1 << 30)
	mustTrain(t, cfg, d)
	operations := len(fault.Trace())
	rng := rand.New(rand.NewPCG(3, 3))
	for range 6 {
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
		check(cfg.Run.Dir)
	}
}

// TestRolloutOnRanks: two ranks write and learn what one does, with an adapter and without, up
// to the rounding of sums.
func TestRolloutOnRanks(t *testing.T) {
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.SaveEvery, pre.Train.EvalEvery = "", 0, 0
	mustTrain(t, pre, deps(t, 2))
	for _, lora := range []string{"", "lora: {rank: 2, alpha: 4, targets: [c_attn]}"} {
		cfg := rolloutFrom(t, pre.Run.Dir, rolloutRecipes()["grpo"], lora)
		cfg.Train.Steps = 4
		var alone []float64
		d := deps(t, 1)
		rewards := func(e events.Step) { alone = append(alone, e.Record.Get("reward"), e.Record.Get("loss")) }
		d.Listener.Step = rewards
		mustTrain(t, cfg, d)
		one := alone
		alone = nil
		cfg.Run.Dir += "-two"
		errs, _ := trainRanks(t, context.Background(), cfg, 2, func(rank int, _ *Config, d *Deps) {
			d.Listener.Step = rewards
			d.FS = noSync{}
		})
		for rank, err := range errs {
			if err != nil {
				t.Fatalf("rank %d: %v", rank, err)
			}
		}
		for i, want := range one {
			if math.Abs(alone[i]-want) > 1e-4 {
				t.Errorf("%q: value %d is %g on two ranks, %g on one", lora, i, alone[i], want)
			}
		}
		if _, err := os.Stat(filepath.Join(cfg.Run.Dir, "samples.1.jsonl")); err != nil {
			t.Error(err)
		}
	}
}

// TestRolloutMicroBatches: a step in one part learns what it does in two.
func TestRolloutMicroBatches(t *testing.T) {
	cfg := rolloutConfig(t, rolloutRecipes()["grpo"])
	cfg.Train.Steps = 3
	var losses [2][]float64
	for i := range losses {
		d := deps(t, 2)
		d.Listener.Step = func(e events.Step) { losses[i] = append(losses[i], e.Record.Get("loss"), e.Record.GradNorm) }
		cfg.Run.Dir += "-parts"
		mustTrain(t, cfg, d)
		cfg.Train.Batch, cfg.Train.Accumulate = 8, 1
	}
	for i, want := range losses[0] {
		if math.Abs(losses[1][i]-want) > 1e-4 {
			t.Errorf("value %d is %g in one part, %g in two", i, losses[1][i], want)
		}
	}
}

// TestRolloutTable reads the table of texts.
func TestRolloutTable(t *testing.T) {
	cfg := rolloutConfig(t, rolloutRecipes()["rloo"])
	cfg.Train.Steps = 2
	mustTrain(t, cfg, deps(t, 1))
	lines := strings.Split(strings.TrimSpace(string(samplesOf(t, cfg.Run.Dir))), "\n")
	if len(lines) != 16 {
		t.Fatalf("%d texts of 2 steps of 8", len(lines))
	}
	for i, text := range lines {
		var l struct {
			Rollout, Sample int
			Prompt, Answer  string
			Reward          float64
			Tokens          []int32
			PromptTokens    int `json:"prompt_tokens"`
			LogProbs        []float64
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Sample != i || l.Rollout != i/8 || !strings.HasPrefix(l.Prompt, "the ") || len(l.LogProbs) != len(l.Tokens)-l.PromptTokens || len(l.LogProbs) == 0 {
			t.Errorf("text %d is %s", i, text)
		}
	}
}

// TestRolloutFaults: what is wrong with a configuration, with prompts or with rewards is told.
func TestRolloutFaults(t *testing.T) {
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.SaveEvery, pre.Train.EvalEvery = "", 0, 0
	mustTrain(t, pre, deps(t, 2))
	for set, want := range map[string]string{
		"recipe.samples=3":                              "use a multiple of recipe.samples × ranks, 3",
		"recipe.samples=1":                              "use 2 or more",
		"recipe.loss=ppo":                               `recipe.loss is "ppo"; use grpo, bnpo, dr_grpo, dapo`,
		"recipe.ratio=word":                             `recipe.ratio is "word"`,
		"recipe.temperature=0":                          "recipe.temperature is 0; use more than 0",
		"recipe.rewards=[]":                             "recipe.rewards is empty",
		"recipe.epsilon=2":                              "recipe.epsilon is 2",
		"recipe.top_p=0.9":                              "recipe.top_k is 0, which bounds",
		"recipe.top_k=-1":                               "top-k -1 is negative",
		"recipe.minibatches=0":                          "recipe.minibatches is 0",
		"recipe.updates=0":                              "recipe.updates is 0",
		"recipe.max_tokens=16":                          "recipe.max_tokens is 16; use 1 or more, and fewer than the 16 of a row",
		"train.context=12":                              "use a multiple of 8",
		"data.text_key=question":                        `the record has no key "question" (set data.text_key)`,
		"recipe.max_tokens=15":                          "do not fit the context of 16",
		"recipe.rewards=[{kind: exact, answer: right}]": `reward 1, exact: the record has no key "right"`,
		"recipe.rewards=[{kind: command, command: [sh, -c, 'echo NaN']}]":               "the reward is NaN",
		"recipe.rewards=[{kind: command, command: [sleep, '60'], timeout_s: 0.02}]":     "it ran longer than 20ms",
		"recipe.rewards=[{kind: command, command: [sh, -c, 'echo no; echo yes']}]":      "which is no number",
		"recipe.rewards=[{kind: command, command: [no-such-program-of-this-test]}]":     "no-such-program-of-this-test",
		"recipe.rewards=[{kind: command, command: [sh, -c, 'echo sorry >&2; exit 3']}]": "exit status 3: sorry",
	} {
		cfg := rolloutFrom(t, pre.Run.Dir, rolloutRecipes()["rloo"])
		file := filepath.Join(t.TempDir(), "c.yaml")
		text, err := config.Encode(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
		cfg, err = config.LoadFinetune(file, []string{set}, pre.Run.Dir, tables)
		if err == nil {
			_, err = Train(context.Background(), cfg, deps(t, 1))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}

// TestTruncatedTexts: texts that are drawn from the likely tokens alone, and the log-probabilities
// among these, are the same to the bit whatever is written at once or learnt in a part of a step.
func TestTruncatedTexts(t *testing.T) {
	cfg := rolloutConfig(t, rolloutRecipes()["grpo of likely tokens"])
	cfg.Train.Steps = 1
	mustTrain(t, cfg, deps(t, 1))
	want := samplesOf(t, cfg.Run.Dir)
	for line := range strings.Lines(string(want)) {
		var l struct {
			Kept     [][]int32
			LogProbs []float64
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		for i, kept := range l.Kept {
			if len(kept) > 24 || len(kept) == 1 && l.LogProbs[i] != 0 || l.LogProbs[i] > 0 {
				t.Errorf("%d tokens were kept, of one the log-probability is %g", len(kept), l.LogProbs[i])
			}
		}
		if len(l.Kept) != len(l.LogProbs) {
			t.Errorf("%d sets of %d tokens", len(l.Kept), len(l.LogProbs))
		}
	}
	for i, set := range []func(c *Config){
		func(c *Config) { c.Train.Batch, c.Train.Accumulate = 8, 1 },
		func(c *Config) { own(c).AtOnce = 24 },
	} {
		other := rolloutFrom(t, cfg.Base, rolloutRecipes()["grpo of likely tokens"])
		other.Train.Steps = 1
		other.Data = cfg.Data
		set(&other)
		d := deps(t, 3)
		d.Listener.Step = func(e events.Step) {
			if kl := e.Record.Get("kl_old"); kl != 0 {
				t.Errorf("otherwise %d: the first update has a divergence of %g from the model that wrote the texts", i, kl)
			}
		}
		mustTrain(t, other, d)
		if !bytes.Equal(samplesOf(t, other.Run.Dir), want) {
			t.Errorf("otherwise %d: other texts or log-probabilities", i)
		}
	}
}

// own are the keys of rollouts of a configuration of grpo.
func own(c *Config) *rollout.Config { return &c.Recipe.Value().(*grpo.Config).Config }
