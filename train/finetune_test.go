package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/hub"
	"example.com/gotrain/nn/hub/peft"
	"example.com/gotrain/nn/hub/safetensors"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/save"
)

// finetuneConfig pretrains a tiny base and returns a configuration that begins
// from it, with more lines of YAML.
func finetuneConfig(t *testing.T, lines ...string) Config {
	t.Helper()
	pre := tinyConfig(t)
	pre.Train.Sample = ""
	mustTrain(t, pre, deps(t, 2))
	texts, _ := pre.Texts()
	text := strings.Join(append([]string{
		"run: {dir: " + pre.Run.Dir + "-tuned}",
		"data: {train: [" + texts.Paths[0] + "], validation: 0.1, cache_dir: " + texts.CacheDir + "}",
		"train: {steps: 10, batch: 4, context: 12, save_every: 2, eval_every: 5, eval_batches: 3, sample: \"\"}",
		"optimizer: {lr: 0.01, warmup: 2, ema: 0.9}",
	}, lines...), "\n")
	file := filepath.Join(t.TempDir(), "finetune.yaml")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadFinetune(file, nil, pre.Run.Dir, tables)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// tensors reads a file of a checkpoint by name.
func tensors(t *testing.T, file string) map[string][]byte {
	t.Helper()
	f, err := safetensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]byte{}
	for _, tensor := range f.Tensors() {
		all[tensor.Name] = bytes.Clone(tensor.Data)
	}
	return all
}

// Adapters alone, and merged checkpoints.
const (
	loraSection   = "lora: {rank: 2, alpha: 4, dropout: 0.1, targets: [c_attn, mlp.c_proj]}"
	mergedSection = "lora: {rank: 2, alpha: 4, dropout: 0.1, targets: [c_attn, mlp.c_proj], merge: true}"
)

func TestMergedLoRARun(t *testing.T) {
	cfg := finetuneConfig(t, mergedSection)
	base := tensors(t, filepath.Join(cfg.Base, safetensors.SingleName))
	r := mustTrain(t, cfg, deps(t, 2))

	dir := r.Checkpoint
	for name := range tensors(t, filepath.Join(dir, save.OptimizerFile)) {
		if !strings.Contains(name, ".lora_") {
			t.Errorf("there is optimizer state %s", name)
		}
	}
	adapter, err := peft.Open(vfs.OS{}, filepath.Join(dir, peft.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer adapter.Close()
	if len(adapter.Layers()) != 4 || adapter.Rank != 2 || adapter.Alpha != 4 || adapter.Dropout != 0.1 || !adapter.FanInFanOut {
		t.Errorf("adapter %+v of %v", adapter.Config, adapter.Layers())
	}
	merged := tensors(t, filepath.Join(dir, safetensors.SingleName))
	if len(merged) != len(base) {
		t.Errorf("the merged model has %d tensors, the base %d", len(merged), len(base))
	}
	for name, was := range base {
		_, adapted := adapter.Tensors[strings.TrimSuffix(name, ".weight")+nn.LoRAA]
		if bytes.Equal(merged[name], was) == adapted {
			t.Errorf("%s: adapted %t, unchanged %t", name, adapted, !adapted)
		}
	}
	// The merged model scores as the adapted one does, but for rounding.
	if got := evaluateCheckpoint(t, dir, "", cfg); math.Abs(got-r.Validation.Get("nll")) > 1e-5 {
		t.Errorf("the merged model scores %g, the adapted one %g", got, r.Validation.Get("nll"))
	}
	checkBytes(t, r)
	if f := r.Forecast; f.Trainable != 2*2*(16+48+64+16) || f.Params <= f.Trainable {
		t.Errorf("forecast of %d parameters, %d trained", f.Params, f.Trainable)
	}
}

// evaluateCheckpoint scores the held-out text of cfg with the model in dir and,
// unless it is empty, an adapter.
func evaluateCheckpoint(t *testing.T, dir, adapter string, cfg Config) float64 {
	t.Helper()
	loaded, err := hub.Load(dir, adapter, backend(t, 2), vfs.OS{}, table.Families)
	if err != nil {
		t.Fatal(err)
	}
	eval := cfg
	eval.Base, eval.Adapter, eval.LoRA, eval.Tokenizer.Path = "", "", nn.Adapter{}, loaded.Dir
	if err := eval.Model.Set(loaded.Model.Family(), loaded.Model.Config()); err != nil {
		t.Fatal(err)
	}
	job, err := table.Open(t.Context(), recipe.Env{Config: eval, FS: vfs.OS{}})
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	scored, err := text.Of(eval, loaded.Model.(nn.LanguageModel))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.NewEvaluator(eval, scored, loaded.Store)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Evaluate(job.Eval, cfg.Train.EvalBatches)
	if err != nil {
		t.Fatal(err)
	}
	return r.Get("nll")
}

// TestKilledLoRARunsGoOnBitForBit kills at random file operations and resumes.
func TestKilledLoRARunsGoOnBitForBit(t *testing.T) {
	for _, section := range []string{loraSection, mergedSection, storedSection(nn.NF4Double)} {
		killLoRARuns(t, section)
	}
}

func killLoRARuns(t *testing.T, section string) {
	cfg := finetuneConfig(t, section)
	content := func() []byte {
		dir, err := hub.FindAdapter(cfg.Run.Dir)
		if err != nil {
			t.Fatal(err)
		}
		adapter, err := os.ReadFile(filepath.Join(dir, peft.WeightsFile))
		if err != nil {
			t.Fatal(err)
		}
		return append(bits(t, cfg.Run.Dir), adapter...)
	}
	fault := vfstest.NewFault(noSync{})
	d := deps(t, 1)
	d.FS = fault
	fault.CrashAt(1 << 30)
	mustTrain(t, cfg, d)
	operations, want := len(fault.Trace()), content()
	rng := rand.New(rand.NewPCG(3, 3))
	for run := range 8 {
		cfg.Run.Dir = filepath.Join(t.TempDir(), "run")
		for attempt := range 3 {
			fault.CrashAt(rng.IntN(operations * (attempt + 1)))
			if _, err := Train(context.Background(), cfg, d); err == nil && !crashed(fault) {
				break
			}
		}
		fault.CrashAt(1 << 30)
		mustTrain(t, cfg, d)
		if !bytes.Equal(content(), want) {
			t.Fatalf("run %d: other bits after kills", run)
		}
	}
}

func TestChangedBaseIsRefused(t *testing.T) {
	cfg := finetuneConfig(t, loraSection)
	mustTrain(t, cfg, deps(t, 1))
	cfg.Train.Steps++
	weights := filepath.Join(cfg.Base, safetensors.SingleName)
	raw, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(weights, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), cfg, deps(t, 1)); err == nil || !strings.Contains(err.Error(), "are others than those that the adapter was trained on") {
		t.Errorf("another base: %v", err)
	}
	if err := os.Remove(weights); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), cfg, deps(t, 1)); err == nil || !strings.Contains(err.Error(), "the base of the adapter is gone") {
		t.Errorf("no base: %v", err)
	}
	cfg.LoRA.Rank = 3
	if _, err := Train(context.Background(), cfg, deps(t, 1)); err == nil || !strings.Contains(err.Error(), "lora.rank is 3, the run has 2") {
		t.Errorf("another rank: %v", err)
	}
}

func TestFrozenParametersStay(t *testing.T) {
	cfg := finetuneConfig(t)
	cfg.Train.Freeze = []string{"transformer.w?e.*", "transformer.h.0.*", "*.ln_?.*"}
	base := tensors(t, filepath.Join(cfg.Base, safetensors.SingleName))
	r := mustTrain(t, cfg, deps(t, 2))
	for name, now := range tensors(t, filepath.Join(r.Checkpoint, safetensors.SingleName)) {
		frozen := strings.Contains(name, ".wte.") || strings.Contains(name, ".wpe.") || strings.Contains(name, ".h.0.") || strings.Contains(name, ".ln_")
		if bytes.Equal(now, base[name]) != frozen {
			t.Errorf("%s: frozen %t, unchanged %t", name, frozen, !frozen)
		}
	}
	for name := range tensors(t, filepath.Join(r.Checkpoint, save.OptimizerFile)) {
		if strings.Contains(name, ".h.0.") {
			t.Errorf("there is optimizer state %s", name)
		}
	}
}

func TestConflictsWithTheBase(t *testing.T) {
	cfg := finetuneConfig(t)
	file := filepath.Join(t.TempDir(), "f.yaml")
	for _, tc := range []struct{ text, want string }{
		{"model: {layers: 3}", "model.layers is 3, but the base has 2: leave it out"},
		{"model: {tied: false}", "model.tied is false, but the base has true"},
		{"tokenizer: {kind: bytes}", "fine-tuning keeps the tokenizer of the base"},
		{"lora: {rank: -1}", "lora.rank is -1"},
		{"train: {context: 17}", "train.context is 17; use 1 to model.context = 16"},
		{"train: {patience: 1, eval_every: 0}", "train.patience needs train.eval_every"},
	} {
		text := tc.text + "\ndata: {train: [x]}\n"
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := config.LoadFinetune(file, nil, cfg.Base, tables); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
	if err := os.WriteFile(file, []byte("data: {train: [x]}\nmodel: {dropout: 0.2}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := config.LoadFinetune(file, nil, cfg.Base, tables); err != nil || got.Text().Dropout != 0.2 || got.Model.Value().(*gpt2.Config).Width != 16 {
		t.Errorf("another dropout: %+v, %v", got.Model.Value(), err)
	}
	for _, tc := range []struct{ base, want string }{
		{"", "name the model to begin from with --base"},
		{file, "is a file; turn it into a checkpoint with gotrain import"},
		{t.TempDir(), "gotrain import turns a Hugging Face directory"},
	} {
		if _, err := config.LoadFinetune(file, nil, tc.base, tables); !errors.Is(err, hub.ErrNoModel) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("base %q: %v, want %q", tc.base, err, tc.want)
		}
	}
}

// TestEarlyStopping trains at a rate that changes nothing to speak of: after the
// first evaluation none is an improvement.
func TestEarlyStopping(t *testing.T) {
	cfg := finetuneConfig(t)
	cfg.Train.Steps, cfg.Train.EvalEvery, cfg.Train.SaveEvery, cfg.Train.Keep = 40, 3, 2, 1
	cfg.Train.Patience, cfg.Train.MinDelta, cfg.Optimizer.LR = 4, 0.01, 1e-9
	whole := cfg
	whole.Run.Dir += "-whole"
	d := deps(t, 1)
	r := mustTrain(t, whole, d)
	check := func(cfg Config, r events.Result) {
		t.Helper()
		if !r.Early || r.State.Step != 15 || r.State.Best.Step != 3 || r.State.Best.Worse != 4 {
			t.Errorf("early %t at step %d, best %+v; want the end at step 15, step 3 the best", r.Early, r.State.Step, r.State.Best)
		}
		if target, err := os.Readlink(r.Best); err != nil || target != "step-00000003" {
			t.Errorf("the best checkpoint is %s, %v", target, err)
		}
		if _, err := hub.Load(r.Best, "", d.Backend, vfs.OS{}, table.Families); err != nil {
			t.Error(err)
		}
	}
	check(whole, r)
	if r = mustTrain(t, whole, d); r.Steps != 0 {
		t.Errorf("%d more steps after the end", r.Steps)
	}
	check(whole, r)
	for { // stopped after every step, it judges as the whole run
		ctx, cancel := context.WithCancel(context.Background())
		d.Listener.Step = func(events.Step) { cancel() }
		result, err := Train(ctx, cfg, d)
		cancel()
		if r = result; err == nil {
			break
		}
		if !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
	}
	check(cfg, r)
	if !bytes.Equal(bits(t, cfg.Run.Dir), bits(t, whole.Run.Dir)) {
		t.Error("a run in parts ends with other bits")
	}
}

// TestLossWithAnInput trains by a loss with a field of its own, which weighs each
// micro-batch.
func TestLossWithAnInput(t *testing.T) {
	cfg := tinyConfig(t)
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.Vocab, c.Dropout = 300, 0 })
	cfg.Train.Accumulate = 2
	norm := func(weights ...float32) float64 {
		job, err := table.Design(t.Context(), recipe.Env{Config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		if plain := job.Phases[0].Loss; weights != nil {
			job.Phases[0].Loss = func(g *autograd.Graph, rows int) recipe.Loss {
				l := plain(g, rows)
				l.Value = autograd.Reshape(autograd.Mul(autograd.Reshape(l.Value, 1), g.Floats("weights", 1)))
				return l
			}
		}
		e, err := engine.New(cfg, job, backend(t, 1), ranks.Coordinate(nil))
		if err == nil {
			err = e.Initialize(vfs.OS{})
		}
		if err != nil {
			t.Fatal(err)
		}
		batch := testBatch(cfg)
		for i := range batch.Ints[data.IDs] {
			batch.Ints[data.IDs][i], batch.Ints[data.Targets][i] = int32(i%7), int32(i%5)
		}
		batch.Floats["weights"] = weights
		r, err := e.Step(batch, engine.StepConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Phases[0].GradNorm
	}
	plain, twice, first := norm(), norm(2, 2), norm(1, 0)
	if math.Abs(twice/plain-2) > 1e-5 {
		t.Errorf("gradient norm %g, with weight 2 %g", plain, twice)
	}
	if first >= plain*0.95 || first == 0 {
		t.Errorf("gradient norm %g, of the first micro-batch alone %g", plain, first)
	}
}
