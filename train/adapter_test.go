package train

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/train/config"
)

// moveAdapter copies the adapter of a checkpoint to a place of its own, as another
// program would leave it.
func moveAdapter(t *testing.T, checkpoint string) string {
	t.Helper()
	from, err := hub.FindAdapter(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "adapter")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{peft.ConfigFile, peft.WeightsFile} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRunFromAnAdapter goes on with an adapter on other steps: it begins with the
// loss that the first run ended with, and survives the loss of its beginnings.
func TestRunFromAnAdapter(t *testing.T) {
	first := finetuneConfig(t, loraSection)
	r := mustTrain(t, first, deps(t, 2))
	adapter := moveAdapter(t, r.Checkpoint)
	if got := evaluateCheckpoint(t, first.Base, adapter, first); math.Abs(got-r.Validation.Get("nll")) > 1e-6 {
		t.Errorf("base and adapter score %g, the run %g", got, r.Validation.Get("nll"))
	}

	file := filepath.Join(t.TempDir(), "more.yaml")
	texts, _ := first.Texts()
	text := "run: {dir: " + first.Run.Dir + "-more}\nlora: {dropout: 0.2}\ndata: {train: [" + texts.Paths[0] + "], validation: 0.1, cache_dir: " + texts.CacheDir +
		"}\ntrain: {steps: 4, batch: 4, context: 12, save_every: 2, eval_every: 1, eval_batches: 3, sample: \"\"}\noptimizer: {lr: 1.0e-12, warmup: 0}\n"
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	more, err := config.LoadFinetune(file, []string{"adapter=" + adapter}, first.Base, tables)
	if err != nil {
		t.Fatal(err)
	}
	if l := more.LoRA; l.Rank != 2 || l.Alpha != 4 || l.Dropout != 0.2 || len(l.Targets) != 2 || more.Adapter != adapter {
		t.Errorf("lora section %+v of %s", l, more.Adapter)
	}
	now := mustTrain(t, more, deps(t, 2))
	if math.Abs(now.Validation.Get("nll")-r.Validation.Get("nll")) > 1e-5 {
		t.Errorf("the second run stays at %g, the first ended at %g", now.Validation.Get("nll"), r.Validation.Get("nll"))
	}
	if err := os.RemoveAll(adapter); err != nil {
		t.Fatal(err)
	}
	resumed, err := config.Load(config.Path(more.Run.Dir), nil, tables)
	if err != nil {
		t.Fatal(err)
	}
	resumed.Train.Steps = 6
	if r := mustTrain(t, resumed, deps(t, 1)); r.Steps != 2 {
		t.Errorf("resumed for %d steps, want 2", r.Steps)
	}
}

func TestConflictsWithTheAdapter(t *testing.T) {
	cfg := finetuneConfig(t, mergedSection)
	r := mustTrain(t, cfg, deps(t, 2))
	adapter := moveAdapter(t, r.Checkpoint)
	file := filepath.Join(t.TempDir(), "f.yaml")
	for _, tc := range []struct {
		lora, base, adapter string
		want                string
	}{
		{"{rank: 8, rslora: true}", cfg.Base, adapter, "lora.rank is 8, but the adapter has 2: leave it out, or use --set lora.rank=2"},
		{"{rslora: true}", cfg.Base, adapter, "lora.rslora is true, but the adapter has false"},
		{"{targets: [all-linear]}", cfg.Base, adapter, "lora.targets is [all-linear], but the adapter has [c_attn, mlp.c_proj]"},
		{"{rank: 0}", cfg.Base, adapter, "lora.rank is 0"},
		{"{}", r.Checkpoint, r.Checkpoint, "already"},
		{"{}", cfg.Base, t.TempDir(), "no adapter: "},
		{"{}", cfg.Base, cfg.Base, "was trained without one"},
		{"{}", adapter, "", "is an adapter: name the model that it was trained on, and the adapter with --adapter"},
	} {
		text := "lora: " + tc.lora + "\ndata: {train: [x]}\n"
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := config.LoadFinetune(file, []string{"adapter=" + tc.adapter}, tc.base, tables)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("lora %s, base %s, adapter %s: %v, want %q", tc.lora, tc.base, tc.adapter, err, tc.want)
		}
	}
	// What says the same in other words is no conflict.
	text := "lora: {rank: 2, alpha: 4, targets: [attn.c_attn, h.0.mlp.c_proj, h.1.mlp.c_proj]}\ndata: {train: [x]}\n"
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := config.LoadFinetune(file, []string{"adapter=" + adapter}, cfg.Base, tables); err != nil {
		t.Error(err)
	}
	if _, err := hub.Load(r.Checkpoint, adapter, backend(t, 1), vfs.OS{}, table.Families); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("an adapter on the model that it is merged into: %v", err)
	}
}

// TestDoRARun trains the lengths of rows too, from a base in few bits: the run begins as its base, a
// checkpoint is the adapter as peft has it, the merged model scores as both do together, and a
// resumed run goes on.
func TestDoRARun(t *testing.T) {
	const section = "lora: {rank: 2, alpha: 4, dropout: 0.1, targets: [c_attn, mlp.c_proj], dora: true, base: "
	cfg := finetuneConfig(t, section+"nf4, merge: true}")
	still := cfg
	still.Run.Dir += "-still"
	still.Optimizer.LR, still.Train.Steps, still.LoRA.Base, still.LoRA.Merge = 1e-30, 1, nn.Float32, false
	if got, base := mustTrain(t, still, deps(t, 2)).Validation.Get("nll"), evaluateCheckpoint(t, still.Base, "", still); math.Abs(got-base) > 1e-5 {
		t.Errorf("a run that learns nothing ends at %g, its base is at %g", got, base)
	}
	r := mustTrain(t, cfg, deps(t, 2))
	a, err := peft.Open(vfs.OS{}, filepath.Join(r.Checkpoint, peft.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if len(a.Layers()) != 4 || !a.DoRA || len(a.Tensors) != 12 {
		t.Errorf("adapter %+v of %v with %d tensors", a.Config, a.Layers(), len(a.Tensors))
	}
	if got := evaluateCheckpoint(t, r.Checkpoint, "", cfg); math.Abs(got-r.Validation.Get("nll")) > 1e-5 {
		t.Errorf("the merged model scores %g, the adapted one %g", got, r.Validation.Get("nll"))
	}
	cfg.Train.Steps += 2
	if more := mustTrain(t, cfg, deps(t, 1)); more.Steps != 2 {
		t.Errorf("resumed for %d steps, want 2", more.Steps)
	}
}
