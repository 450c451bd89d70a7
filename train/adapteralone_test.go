package train

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// checkBytes compares the tensors of a checkpoint with what was forecast.
func checkBytes(t *testing.T, r events.Result) {
	t.Helper()
	var n int64
	err := filepath.WalkDir(r.Checkpoint, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".safetensors") {
			return err
		}
		for _, data := range tensors(t, path) {
			n += int64(len(data))
		}
		return nil
	})
	if err != nil || n != r.Forecast.CheckpointBytes {
		t.Errorf("%s has tensors of %d bytes, %v; forecast were %d", r.Checkpoint, n, err, r.Forecast.CheckpointBytes)
	}
}

// TestCheckpointsOfAdaptersAreSmall: they hold the adapter as peft has it, and no weight
// of the base, on which they score as the run did.
func TestCheckpointsOfAdaptersAreSmall(t *testing.T) {
	cfg := finetuneConfig(t, loraSection)
	r := mustTrain(t, cfg, deps(t, 2))
	entries, err := os.ReadDir(r.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		files = append(files, e.Name())
	}
	want := []string{peft.ConfigFile, peft.WeightsFile, hub.GenerationFile, "manifest.json", save.OptimizerFile, "tokenizer.json", "tokenizer_config.json", save.StateFile}
	if !slices.Equal(files, want) {
		t.Errorf("%q, want %q: transformers looks for the base only where no config.json is", files, want)
	}
	checkBytes(t, r)

	a, err := peft.Open(vfs.OS{}, r.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	sum, err := hub.Fingerprint(cfg.Base)
	if err != nil || a.Base != cfg.Base || a.Trained != sum.String() || !filepath.IsAbs(a.Base) {
		t.Errorf("the adapter is to %s of %s, want %s of %s, %v", a.Base, a.Trained, cfg.Base, sum, err)
	}
	for _, path := range []string{cfg.Run.Dir, r.Checkpoint} {
		if got := evaluateCheckpoint(t, path, "", cfg); math.Abs(got-r.Validation.Get("nll")) > 1e-6 {
			t.Errorf("%s scores %g, the run %g", path, got, r.Validation.Get("nll"))
		}
	}
}

// TestBaseIsKept: the run that an adapter began from goes on and retires its checkpoints,
// but not the base.
func TestBaseIsKept(t *testing.T) {
	cfg := finetuneConfig(t, loraSection)
	mustTrain(t, cfg, deps(t, 1))
	before := filepath.Dir(filepath.Dir(cfg.Base))
	pre, err := config.Load(config.Path(before), nil, tables)
	if err != nil {
		t.Fatal(err)
	}
	pre.Train.Steps, pre.Train.Keep = 20, 1
	mustTrain(t, pre, deps(t, 1))
	if steps := savedSteps(t, before); !slices.Equal(steps, []int64{12, 20}) {
		t.Errorf("there are the steps %v", steps)
	}
	if _, err := hub.Load(cfg.Run.Dir, "", backend(t, 1), vfs.OS{}, table.Families); err != nil {
		t.Error(err)
	}
}

// TestMergeChangesNoBits: lora.merge decides what a checkpoint holds, and may change on
// the way.
func TestMergeChangesNoBits(t *testing.T) {
	alone := finetuneConfig(t, loraSection)
	alone.Train.Steps = 6
	run := func(name string, merge ...bool) map[string][]byte {
		cfg := alone
		cfg.Run.Dir += name
		for i, m := range merge {
			cfg.LoRA.Merge = m
			ctx, cancel := context.WithCancel(t.Context())
			d := deps(t, 1)
			d.Listener.Step = func(e events.Step) {
				if e.Record.Step == int64(2*(i+1)) && i < len(merge)-1 {
					cancel()
				}
			}
			_, err := Train(ctx, cfg, d)
			cancel()
			if err != nil && !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
		}
		dir, err := hub.FindAdapter(cfg.Run.Dir)
		if err != nil {
			t.Fatal(err)
		}
		all := tensors(t, filepath.Join(dir, peft.WeightsFile))
		maps.Copy(all, tensors(t, filepath.Join(checkpoint.LatestLink(cfg.Run.Dir), save.OptimizerFile)))
		return all
	}
	want := run("-alone", false)
	for name, merge := range map[string][]bool{"-merged": {true}, "-then-merged": {false, true}, "-then-alone": {true, false, true, false}} {
		if !maps.EqualFunc(run(name, merge...), want, bytes.Equal) {
			t.Errorf("%s: other bits", name)
		}
	}
}

// TestMovedBase: an adapter finds its base by its name; a run goes on from where the
// base lies now, if that is named, and has the same weights.
func TestMovedBase(t *testing.T) {
	cfg := finetuneConfig(t, loraSection)
	r := mustTrain(t, cfg, deps(t, 1))
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(cfg.Base, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, table.Families); !errors.Is(err, hub.ErrNoModel) || !strings.Contains(err.Error(), "is an adapter to "+cfg.Base) {
		t.Errorf("without its base: %v", err)
	}
	if got := evaluateCheckpoint(t, moved, r.Checkpoint, cfg); math.Abs(got-r.Validation.Get("nll")) > 1e-6 {
		t.Errorf("on the moved base it scores %g, the run %g", got, r.Validation.Get("nll"))
	}
	resumed, err := config.Load(config.Path(cfg.Run.Dir), nil, tables)
	if err != nil {
		t.Fatal(err)
	}
	resumed.Train.Steps++
	if _, err := Train(t.Context(), resumed, deps(t, 1)); err == nil || !strings.Contains(err.Error(), "--set base=DIR for resume") {
		t.Errorf("resumed without the base: %v", err)
	}
	resumed.Base = moved
	r = mustTrain(t, resumed, deps(t, 1))
	a, err := peft.Open(vfs.OS{}, r.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if r.Steps != 1 || a.Base != moved {
		t.Errorf("%d steps, and the adapter is to %s", r.Steps, a.Base)
	}
}

// TestLoRAOnRanks: rank 0 alone writes the adapter, and other numbers of ranks go on.
func TestLoRAOnRanks(t *testing.T) {
	cfg := finetuneConfig(t, strings.Replace(loraSection, "dropout: 0.1, ", "", 1))
	cfg.Train.Batch, cfg.Train.Accumulate, cfg.Train.EvalEvery = 1, 6, 0
	if err := cfg.Model.Set(cfg.Model.Name(), cfg.Model.Value()); err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{3, 1, 2} {
		cfg.Train.Steps = 2 * (i + 1)
		errs, _ := trainRanks(t, t.Context(), cfg, n, nil)
		if err := errors.Join(errs...); err != nil {
			t.Fatalf("%d ranks: %v", n, err)
		}
		dir, err := hub.FindCheckpoint(cfg.Run.Dir)
		if err != nil {
			t.Fatal(err)
		}
		weights, _ := filepath.Glob(filepath.Join(dir, "model*"))
		optimizers, _ := filepath.Glob(filepath.Join(dir, "optimizer*"))
		if len(weights) > 0 || len(optimizers) != n || !hub.IsAdapter(dir) {
			t.Errorf("%d ranks left %q and %q", n, weights, optimizers)
		}
		if _, err := hub.Load(dir, "", backend(t, 1), vfs.OS{}, table.Families); err != nil {
			t.Error(err)
		}
	}
}

// TestOtherWeightsUnderAnAdapter: they are refused where the adapter names them, and a
// note where the user does.
func TestOtherWeightsUnderAnAdapter(t *testing.T) {
	cfg := finetuneConfig(t, loraSection)
	r := mustTrain(t, cfg, deps(t, 1))
	weights := filepath.Join(cfg.Base, safetensors.SingleName)
	raw, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := errors.Join(os.WriteFile(weights, raw, 0o666), os.Remove(filepath.Join(cfg.Base, "manifest.json"))); err != nil {
		t.Fatal(err)
	}
	const other = " has other weights than the adapter was trained on"
	if _, err := hub.Load(r.Checkpoint, "", backend(t, 1), vfs.OS{}, table.Families); err == nil || !strings.Contains(err.Error(), "its base "+cfg.Base+other) ||
		!strings.Contains(err.Error(), "with --adapter, "+r.Checkpoint) {
		t.Errorf("other weights: %v", err)
	}
	l, err := hub.Load(cfg.Base, r.Checkpoint, backend(t, 1), vfs.OS{}, table.Families)
	if err != nil || !slices.Contains(l.Notes, cfg.Base+other) {
		t.Errorf("other weights that are named: %v, %+v", err, l)
	}
	if _, err := hub.Load(r.Checkpoint, r.Checkpoint, backend(t, 1), vfs.OS{}, table.Families); err == nil || !strings.Contains(err.Error(), "is an adapter itself, to "+cfg.Base) {
		t.Errorf("an adapter on an adapter: %v", err)
	}
}

// TestExtendedBaseIsSavedMerged: an adapter alone would be put on a base that lacks what
// the run gave it.
func TestExtendedBaseIsSavedMerged(t *testing.T) {
	pre := tinyConfig(t)
	if err := pre.Model.Set("llama", &llama.Config{Layers: 1, Heads: 2, Width: 16, Context: 16}); err != nil {
		t.Fatal(err)
	}
	pre.Train.Sample = ""
	mustTrain(t, pre, deps(t, 1))
	texts, _ := pre.Texts()
	file := filepath.Join(t.TempDir(), "longer.yaml")
	text := "run: {dir: " + pre.Run.Dir + "-longer}\nmodel: {context: 32}\nlora: {rank: 2, merge: false}\ndata: {train: [" + texts.Paths[0] + "], cache_dir: " + texts.CacheDir +
		"}\ntrain: {steps: 2, batch: 2, eval_every: 0, sample: \"\"}\noptimizer: {warmup: 0}\n"
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadFinetune(file, nil, pre.Run.Dir, tables)
	if err != nil || !cfg.LoRA.Merge {
		t.Fatalf("merge %t, %v", cfg.LoRA.Merge, err)
	}
	told := ""
	d := deps(t, 1)
	d.Listener.Phase = func(p recipe.Prepared) { told += p.Detail + "\n" }
	r := mustTrain(t, cfg, d)
	if hub.IsAdapter(r.Checkpoint) || !strings.Contains(told, "checkpoints hold the merged model (lora.merge): model.context is not as in the base") {
		t.Errorf("%s holds an adapter alone: %t; told were\n%s", r.Checkpoint, hub.IsAdapter(r.Checkpoint), told)
	}
	checkBytes(t, r)
	cfg.LoRA.Merge, cfg.Train.Steps = false, 3
	if r := mustTrain(t, cfg, deps(t, 1)); hub.IsAdapter(r.Checkpoint) {
		t.Error("on the way it changes to the adapter alone")
	}
}
