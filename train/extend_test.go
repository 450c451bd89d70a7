package train

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gotrain/data/vfs"
	"gotrain/nn/hub"
	"gotrain/nn/llama"
	"gotrain/train/config"
	"gotrain/train/recipe"
)

// llamaBase pretrains a tiny Llama with a context of 16 and returns its configuration.
func llamaBase(t *testing.T, more func(*llama.Config)) Config {
	t.Helper()
	pre := tinyConfig(t)
	pre.Train.Sample, pre.Train.Steps, pre.Optimizer.EMA = "", 4, 0
	c := &llama.Config{Layers: 2, Heads: 2, Width: 16, Context: 16}
	if more != nil {
		more(c)
	}
	if err := pre.Model.Set(llama.Name, c); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, pre, deps(t, 2))
	return pre
}

// extended is a configuration that begins from the run of pre, with assignments.
func extended(t *testing.T, pre Config, assignments ...string) (Config, error) {
	t.Helper()
	texts, _ := pre.Texts()
	text := strings.Join([]string{
		"run: {dir: " + pre.Run.Dir + "-tuned}",
		"data: {train: [" + texts.Paths[0] + "], validation: 0.1, cache_dir: " + texts.CacheDir + "}",
		"train: {steps: 4, batch: 4, save_every: 2, eval_every: 4, eval_batches: 2, sample: \"\"}",
		"optimizer: {lr: 0.01, warmup: 2}",
	}, "\n")
	file := filepath.Join(t.TempDir(), "finetune.yaml")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return config.LoadFinetune(file, assignments, pre.Run.Dir, tables)
}

// TestLongerContext trains a base on sequences longer than its context: the checkpoint says
// so to transformers, and a run that goes on has it from its own configuration.
func TestLongerContext(t *testing.T) {
	pre := llamaBase(t, nil)
	cfg, err := extended(t, pre, "model.context=32", "model.rope_scaling={type: yarn, truncate: false}")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Length() != 32 {
		t.Fatalf("sequences of %d tokens", cfg.Length())
	}
	var told []string
	d := deps(t, 2)
	d.Listener.Phase = func(p recipe.Prepared) { told = append(told, fmt.Sprint(p)) }
	r := mustTrain(t, cfg, d)
	if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "32 tokens, where the base has 16") }) {
		t.Errorf("told %q", told)
	}
	text, err := os.ReadFile(filepath.Join(r.Checkpoint, hub.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var keys struct {
		Context int            `json:"max_position_embeddings"`
		Rope    map[string]any `json:"rope_parameters"`
		Old     map[string]any `json:"rope_scaling"`
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"rope_type": "yarn", "rope_theta": 10000., "factor": 2., "original_max_position_embeddings": 16., "beta_fast": 32., "beta_slow": 1.,
		"truncate": false, "attention_factor": 1.0693147180559945}
	if keys.Context != 32 || !reflect.DeepEqual(keys.Rope, want) || !reflect.DeepEqual(keys.Old, want) {
		t.Errorf("config.json says\n%s", text)
	}
	l, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, tables.Families)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := l.Model.Config(), cfg.Model.Filled(); got.(*llama.Config).Context != 32 || !reflect.DeepEqual(got.(*llama.Config).RopeScaling, want.(*llama.Config).RopeScaling) {
		t.Errorf("loaded as %+v", got)
	}
	saved, err := os.ReadFile(config.Path(cfg.Run.Dir))
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse("config.yaml", saved, tables)
	if err != nil {
		t.Fatal(err)
	}
	again.Train.Steps = 6
	if r := mustTrain(t, again, deps(t, 2)); r.Steps != 2 {
		t.Errorf("the run went on for %d steps", r.Steps)
	}
	if _, err := extended(t, pre, "model.context=8"); err == nil || !strings.Contains(err.Error(), "set train.context for shorter sequences") {
		t.Errorf("a shorter context: %v", err)
	}
}
