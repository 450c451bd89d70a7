package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/synth"
	"example.com/gotrain/nn"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe"
)

// preferConfig trains a small model on friendly and unfriendly answers, with assignments.
func preferConfig(t testing.TB, set ...string) Config {
	t.Helper()
	dir := t.TempDir()
	var lines bytes.Buffer
	for p := range synth.Preferences(60, 5) {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(text, '\n'))
	}
	lines.WriteString(`{"prompt": "Q", "chosen": "same", "rejected": "same"}` + "\n" + `{"prompt": "Q", "chosen": "", "rejected": "something"}` + "\n")
	for name, content := range map[string]string{"pairs.jsonl": lines.String(), "c.yaml": strings.ReplaceAll(`
run:       {dir: DIR/run, seed: 7}
recipe:    {kind: dpo}
model:     {family: llama, layers: 1, heads: 2, width: 16, context: 256}
tokenizer: {kind: bytes}
data:      {format: prefer, train: [DIR/pairs.jsonl], validation: 0.2, instruct: {template: plain}}
train:     {steps: 12, batch: 2, accumulate: 2, save_every: 4, eval_every: 6, document_mask: true, sample: ""}
optimizer: {lr: 3e-3, warmup: 3}
`, "DIR", dir)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "c.yaml"), set, tables)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// columns collects a metric of each step.
func columns(d *Deps, name string) *[]float64 {
	all := &[]float64{}
	d.Listener.Step = func(e events.Step) { *all = append(*all, e.Record.Get(name)) }
	return all
}

// TestPreferences: DPO begins at ln 2, tells answers apart, and gives the same bits at any
// number of threads and stopped after every step, and the same losses in other micro-batches
// and on two ranks. The other losses tell answers apart too.
func TestPreferences(t *testing.T) {
	cfg := preferConfig(t)
	d := deps(t, 1)
	losses := columns(&d, "loss")
	told := ""
	d.Listener.Phase = func(p recipe.Prepared) { told += p.Name + ": " + p.Detail + "\n" }
	r := mustTrain(t, cfg, d)
	if math.Abs((*losses)[0]-math.Ln2) > 1e-6 {
		t.Errorf("the loss begins at %.8f, want ln 2", (*losses)[0])
	}
	if a, m := r.Validation.Get("accuracy"), r.Validation.Get("margin"); a < 0.9 || m <= 0 {
		t.Errorf("held-out accuracy %g, margin %g", a, m)
	}
	if !strings.Contains(told, "left out: 1 records whose answers are equal; 1 with an empty answer") {
		t.Errorf("what is left out is not told: %s", told)
	}
	want := bits(t, cfg.Run.Dir)

	stops := cfg
	stops.Run.Dir += "-stops"
	trainByStops(t, stops, deps(t, 3), want)

	micro := cfg
	micro.Run.Dir += "-micro"
	micro.Train.Batch, micro.Train.Accumulate = 4, 1
	d = deps(t, 2)
	others := columns(&d, "loss")
	mustTrain(t, micro, d)
	if err := near(*others, *losses); err != nil {
		t.Errorf("in one micro-batch: %v", err)
	}
	ranked := cfg
	ranked.Run.Dir += "-ranks"
	var two *[]float64
	errs, _ := trainRanks(t, t.Context(), ranked, 2, func(rank int, _ *Config, d *Deps) {
		if rank == 0 {
			two = columns(d, "loss")
		}
	})
	if err := errors.Join(append(errs, near(*two, *losses))...); err != nil {
		t.Errorf("on two ranks: %v", err)
	}
}

// TestPreferencesByEachLoss trains each of the other losses; KTO has the same losses in
// other micro-batches, where its mean over a row is the same.
func TestPreferencesByEachLoss(t *testing.T) {
	for _, set := range [][]string{{"recipe.kind=kto"}, {"recipe.kind=orpo"}, {"recipe.kind=simpo"}, {"recipe.loss=ipo"}, {"recipe.loss=hinge"}, {"recipe.reference_free=true"}} {
		t.Run(fmt.Sprint(set), func(t *testing.T) {
			cfg := preferConfig(t, append(set, "train.steps=20")...)
			d := deps(t, 2)
			losses := columns(&d, "loss")
			r := mustTrain(t, cfg, d)
			if a := r.Validation.Get("accuracy"); a < 0.6 {
				t.Errorf("held-out accuracy %g", a)
			}
			_, err := os.Stat(filepath.Join(cfg.Run.Dir, "reference.bin"))
			if free := cfg.Recipe.Name() == "orpo" || cfg.Recipe.Name() == "simpo" || set[0] == "recipe.reference_free=true"; (err != nil) != free {
				t.Errorf("the file of the reference: %v", err)
			}
			if cfg.Recipe.Name() != "kto" {
				return
			}
			cfg.Run.Dir += "-micro"
			cfg.Train.Batch, cfg.Train.Accumulate = 1, 4
			d = deps(t, 1)
			others := columns(&d, "loss")
			mustTrain(t, cfg, d)
			if err := near((*others)[:8], (*losses)[:8]); err != nil {
				t.Errorf("in other micro-batches: %v", err)
			}
		})
	}
}

// TestPreferencesOnRanks: the other losses and reward models have the same values on two ranks.
func TestPreferencesOnRanks(t *testing.T) {
	for _, kind := range []string{"kto", "orpo", "simpo", "reward"} {
		t.Run(kind, func(t *testing.T) {
			cfg := preferConfig(t, "recipe.kind="+kind, "train.steps=5", "train.save_every=0", "train.eval_every=0")
			d := deps(t, 1)
			alone := columns(&d, "loss")
			mustTrain(t, cfg, d)
			cfg.Run.Dir += "-ranks"
			var two *[]float64
			errs, _ := trainRanks(t, t.Context(), cfg, 2, func(rank int, _ *Config, d *Deps) {
				if rank == 0 {
					two = columns(d, "loss")
				}
			})
			if err := errors.Join(append(errs, near(*two, *alone))...); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPreferencesOfAnAdapter: the reference of an adapter is its base, and a run that is
// killed goes on to the same bits.
func TestPreferencesOfAnAdapter(t *testing.T) {
	base := preferConfig(t, "recipe.kind=orpo", "train.steps=2")
	mustTrain(t, base, deps(t, 2))
	cfg := preferConfig(t)
	cfg.LoRA = nn.Adapter{Rank: 4, Dropout: 0.1}
	cfg.Base = filepath.Join(base.Run.Dir, "checkpoints", "latest")
	cfg.Tokenizer = config.TokenizerConfig{Path: cfg.Base}
	d := deps(t, 1)
	losses := columns(&d, "loss")
	mustTrain(t, cfg, d)
	if math.Abs((*losses)[0]-math.Ln2) > 1e-6 {
		t.Errorf("the loss begins at %.8f, want ln 2", (*losses)[0])
	}
	want := bits(t, cfg.Run.Dir)
	cfg.Run.Dir += "-stops"
	trainByStops(t, cfg, deps(t, 2), want)
}

// TestLostReference: a run cannot go on without the log-probabilities of the model that it
// began with; before the first step, a damaged file is made again.
func TestLostReference(t *testing.T) {
	cfg := preferConfig(t, "train.steps=4")
	mustTrain(t, cfg, deps(t, 1))
	file := filepath.Join(cfg.Run.Dir, "reference.bin")
	made, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	more := cfg
	more.Train.Steps = 6
	damaged := bytes.Clone(made)
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(file, damaged, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(t.Context(), more, deps(t, 1)); err == nil || !strings.Contains(err.Error(), "reference.bin lacks the log-probabilities") {
		t.Errorf("with a damaged file: %v", err)
	}
	fresh := cfg
	fresh.Run.Dir += "-fresh"
	if err := os.MkdirAll(fresh.Run.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(fresh.Run.Dir, "reference.bin")
	if err := os.WriteFile(again, damaged, 0o666); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, fresh, deps(t, 1))
	if now, err := os.ReadFile(again); err != nil || !bytes.Equal(now, made) {
		t.Errorf("the file is not made again: %v", err)
	}
	if !bytes.Equal(bits(t, fresh.Run.Dir), bits(t, cfg.Run.Dir)) {
		t.Error("the run is another one")
	}
}

// TestRewardModel: a reward model, on a base with a head of its own or with the table of
// tokens, is kept as transformers reads it; it tells held-out answers apart, and goes on to the
// same bits after each stop.
func TestRewardModel(t *testing.T) {
	for family, model := range map[string]string{"llama": "LlamaForSequenceClassification", "gpt2": "GPT2ForSequenceClassification"} {
		t.Run(family, func(t *testing.T) {
			chosen := "model.family=" + family
			base := preferConfig(t, chosen, "recipe.kind=orpo", "train.steps=2")
			mustTrain(t, base, deps(t, 2))
			cfg := preferConfig(t, chosen, "recipe.kind=reward", "recipe.center=0.01", "train.steps=50", "train.save_every=25", "train.eval_every=0", "optimizer.lr=1e-2")
			cfg.Base = filepath.Join(base.Run.Dir, "checkpoints", "latest")
			cfg.Tokenizer = config.TokenizerConfig{Path: cfg.Base}
			r := mustTrain(t, cfg, deps(t, 2))
			if a := r.Validation.Get("accuracy"); a < 0.9 && family == "llama" {
				t.Errorf("held-out accuracy %g", a)
			}
			text, err := os.ReadFile(filepath.Join(r.Checkpoint, "config.json"))
			if err != nil || !bytes.Contains(text, []byte(`"`+model+`"`)) || !bytes.Contains(text, []byte(`"LABEL_0": 0`)) {
				t.Errorf("%s, %v", text, err)
			}
			kept := tensors(t, filepath.Join(r.Checkpoint, "model.safetensors"))
			if len(kept["score.weight"]) == 0 || kept["lm_head.weight"] != nil {
				t.Error("the score is not kept in place of the head")
			}
			if family != "llama" {
				return
			}
			cfg.Run.Dir += "-short"
			cfg.Train.Steps = 10
			mustTrain(t, cfg, deps(t, 2))
			want := bits(t, cfg.Run.Dir)
			cfg.Run.Dir += "-stops"
			trainByStops(t, cfg, deps(t, 1), want)
		})
	}
	cfg := preferConfig(t, "recipe.kind=reward")
	cfg.Base, cfg.LoRA = "base", nn.Adapter{Rank: 4}
	if err := cfg.Validate(tables); err == nil || !strings.Contains(err.Error(), "lora.merge: recipe reward trains a head") {
		t.Errorf("with an adapter alone: %v", err)
	}
}

// TestRewardModelByAdapter trains the head whole beside a LoRA: a checkpoint has both merged, as
// the run scores them, and a run that stops goes on to the same bits.
func TestRewardModelByAdapter(t *testing.T) {
	base := preferConfig(t, "recipe.kind=orpo", "train.steps=2")
	mustTrain(t, base, deps(t, 2))
	cfg := preferConfig(t, "recipe.kind=reward", "train.steps=8", "train.save_every=4", "train.eval_every=0", "optimizer.lr=1e-2")
	cfg.Base = filepath.Join(base.Run.Dir, "checkpoints", "latest")
	cfg.Tokenizer, cfg.LoRA = config.TokenizerConfig{Path: cfg.Base}, nn.Adapter{Rank: 2, Merge: true}
	r := mustTrain(t, cfg, deps(t, 2))
	was, now := tensors(t, filepath.Join(cfg.Base, "model.safetensors")), tensors(t, filepath.Join(r.Checkpoint, "model.safetensors"))
	const adapted, kept = "model.layers.0.mlp.down_proj.weight", "model.norm.weight"
	if len(now["score.weight"]) == 0 || bytes.Equal(was[adapted], now[adapted]) || !bytes.Equal(was[kept], now[kept]) {
		t.Error("the checkpoint is not the base with a score and a merged adapter")
	}
	if optimizer := tensors(t, filepath.Join(r.Checkpoint, "optimizer.safetensors")); len(optimizer["exp_avg.score.weight"]) == 0 || optimizer["exp_avg."+kept] != nil {
		t.Error("the score is not trained, or the base is")
	}
	want := bits(t, cfg.Run.Dir)
	cfg.Run.Dir += "-stops"
	trainByStops(t, cfg, deps(t, 1), want)
	whole := preferConfig(t, "recipe.kind=reward", "train.steps=1", "train.eval_every=0", "optimizer.lr=1e-30")
	whole.Base, whole.Tokenizer, whole.Data = r.Checkpoint, config.TokenizerConfig{Path: r.Checkpoint}, cfg.Data
	if got, want := mustTrain(t, whole, deps(t, 2)).Validation.Get("loss"), r.Validation.Get("loss"); math.Abs(got-want) > 1e-5 {
		t.Errorf("merged it loses %g, in the run %g", got, want)
	}
}
