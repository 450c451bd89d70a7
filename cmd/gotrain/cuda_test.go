//go:build gpu

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/llama"
	"example.com/gotrain/nn/lstm"
	"example.com/gotrain/nn/xl"
	"example.com/gotrain/optim"
	"example.com/gotrain/train"
	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/save"
)

// stepConfigs are models whose attention takes the kernels of tensor cores in
// bfloat16: heads of 64 and 128 elements.
func stepConfigs(t *testing.T) map[string]config.Config {
	base := config.Default(tables())
	set := func(cfg *config.Config, family string, model any) {
		if err := cfg.Model.Set(family, model); err != nil {
			t.Fatal(err)
		}
	}
	base.Train.Batch, base.Run.Seed = 2, 11
	base.Optimizer.Kind, base.Optimizer.LR, base.Optimizer.Warmup = "adamw", 1e-3, 0
	small, grouped, packed, accumulated := base, base, base, base
	set(&small, gpt2.Name, &gpt2.Config{Layers: 2, Heads: 2, Width: 128, Context: 40, Vocab: 67, Dropout: 0.1, AttentionDropout: 0.1})
	set(&grouped, llama.Name, &llama.Config{Layers: 2, Heads: 2, KVHeads: 1, Width: 256, Context: 24, Vocab: 67})
	grouped.Optimizer.Kind = "muon"
	set(&packed, gpt2.Name, &gpt2.Config{Layers: 1, Heads: 1, Width: 64, Context: 70, Vocab: 130})
	packed.Train.DocumentMask, packed.Train.Recompute = true, true
	packed.Optimizer.Kind = "lion"
	accumulated.Model = small.Model
	accumulated.Train.Accumulate, accumulated.Train.Smoothing = 2, 0.1
	accumulated.Optimizer.Kind = "sgd"
	accumulated.Optimizer.Momentum = 0.9
	adapted := base
	adapted.Model = grouped.Model
	adapted.LoRA = nn.Adapter{Rank: 4, Alpha: 8, Dropout: 0.1, Targets: []string{"q_proj", "v_proj", "down_proj"}}
	recurrent, gated := base, base
	set(&recurrent, lstm.Name, &lstm.Config{Layers: 2, Width: 64, Projection: 24, Context: 20, Vocab: 67, Dropout: 0.1})
	recurrent.Train.DocumentMask = true
	set(&gated, lstm.Name, &lstm.Config{Kind: lstm.GRU, Layers: 2, Width: 48, Context: 20, Vocab: 67})
	gated.Train.Recompute, gated.Optimizer.Kind = true, "muon"
	remembering := base
	set(&remembering, xl.Name, &xl.Config{Layers: 2, Heads: 2, Width: 64, Context: 20, Memory: 30, Vocab: 67, Dropout: 0.1, Activation: "gelu_tanh"})
	remembering.Train.Accumulate = 2
	latent := base
	set(&latent, llama.Name, &llama.Config{Layers: 2, Heads: 2, Width: 64, Context: 80, Vocab: 67, Attention: &nn.AttentionOptions{Kind: nn.Latent, Latents: 64}})
	return map[string]config.Config{"xl": remembering, "latent": latent, "lstm": recurrent, "gru": gated, "gpt2": small, "llama": grouped, "document mask": packed, "accumulated": accumulated, "lora": adapted}
}

// trainedState is what two steps leave on a device: losses and gradient norms by
// step, and the persistent state.
type trainedState struct {
	nll, gradNorm []float64
	state         map[string][]float32
}

func trainTwoSteps(t *testing.T, cfg config.Config, on string) trainedState {
	t.Helper()
	b, _, err := device.Open(on, 2, device.Collectives{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	job, err := table().Design(t.Context(), recipe.Env{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := engine.New(cfg, job, b, ranks.Coordinate(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := trainer.Initialize(vfs.OS{}); err != nil {
		t.Fatal(err)
	}
	batch := bench.RandomBatch(cfg.Train.Batch*cfg.Train.Accumulate, cfg.Text().Context, cfg.Text().Vocab)
	if cfg.Train.DocumentMask {
		segments := make([]int32, len(batch.Ints[data.IDs]))
		batch.Ints[data.Segments] = segments
		for i := range segments {
			segments[i] = int32(i % cfg.Text().Context / 30)
		}
	}
	r := trainedState{state: map[string][]float32{}}
	for step := range 2 {
		result, err := trainer.Step(batch, engine.StepConfig{Step: step, Phases: []save.PhaseState{{Applied: step}}})
		if err != nil {
			t.Fatal(err)
		}
		r.nll = append(r.nll, trainer.Values(result).Get("nll"))
		r.gradNorm = append(r.gradNorm, result.Phases[0].GradNorm)
	}
	for _, name := range trainer.Store().Names() {
		if strings.HasPrefix(name, ir.CopyPrefix) {
			continue // what products read of a parameter in bfloat16
		}
		values := make([]float32, trainer.Store().Get(name).Shape.Size())
		if err := trainer.Store().Read(name, values); err != nil {
			t.Fatal(err)
		}
		r.state[name] = values
	}
	return r
}

// TestCUDAStep compares whole training steps on the device with those of the
// CPU: losses, gradient norms, and the state of optimizers, which holds the
// gradients.
func TestCUDAStep(t *testing.T) {
	for name, cfg := range stepConfigs(t) {
		want := trainTwoSteps(t, cfg, "cpu")
		for precision, tolerance := range map[string]float64{"float32": 2e-4, "tf32": 1e-2, "bfloat16": 6e-2} {
			t.Run(name+"/"+precision, func(t *testing.T) {
				cfg := cfg
				cfg.Precision = precision
				compareStates(t, trainTwoSteps(t, cfg, "cuda"), want, tolerance)
			})
		}
	}
}

func compareStates(t *testing.T, got, want trainedState, tolerance float64) {
	t.Helper()
	for i, nll := range want.nll {
		norm := want.gradNorm[i]
		if !(math.Abs(got.nll[i]-nll) < tolerance*nll/10) || !(math.Abs(got.gradNorm[i]-norm) < tolerance*norm) {
			t.Errorf("step %d: loss %g, gradient norm %g; the CPU has %g and %g", i, got.nll[i], got.gradNorm[i], nll, norm)
		}
	}
	for name, w := range want.state {
		if !optim.IsState(name) {
			continue // updates by the sign of a gradient multiply rounding
		}
		var diff, size float64
		for i, x := range w {
			d := float64(x) - float64(got.state[name][i])
			diff, size = diff+d*d, size+float64(x)*float64(x)
		}
		if !(math.Sqrt(diff) <= tolerance*math.Sqrt(size)+1e-9) {
			t.Errorf("%s differs by %.2e of its norm", name, math.Sqrt(diff/size))
		}
	}
}

// losses reads the training loss of every step of a run.
func losses(t *testing.T, runDir string) []float64 {
	t.Helper()
	raw, err := os.ReadFile(train.MetricsPath(runDir))
	if err != nil {
		t.Fatal(err)
	}
	var list []float64
	for line := range bytes.Lines(raw) {
		var r metrics.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Split == metrics.Train {
			list = append(list, r.Get("nll"))
		}
	}
	return list
}

// sameLosses wants got to follow want within tolerance.
func sameLosses(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d steps, want %d", what, len(got), len(want))
	}
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(got[i]-want[i]))
	}
	t.Logf("%s: the loss goes from %.4f to %.4f and is off by %.1e at most", what, got[0], got[len(got)-1], worst)
	if !(worst <= tolerance) {
		t.Errorf("%s: the loss is %.2e off, want at most %.0e", what, worst, tolerance)
	}
}

// TestCUDATraining trains 50 steps on the device and on the CPU, and changes from
// one to the other in the middle of a run.
func TestCUDATraining(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	pretrain := func(name string, args ...string) string {
		t.Helper()
		runDir := filepath.Join(dir, name)
		must(t, append([]string{"pretrain", "--config", config, "--run", runDir, "--set", "train.steps=50", "--set", "train.save_every=25",
			"--set", "train.eval_every=50", "--set", "optimizer.lr=3e-3"}, args...)...)
		return runDir
	}
	want := losses(t, pretrain("cpu", "--device", "cpu"))
	sameLosses(t, "cuda", losses(t, pretrain("cuda", "--device", "cuda")), want, 1e-3)
	sameLosses(t, "cuda in bfloat16", losses(t, pretrain("bf16", "--device", "cuda", "--set", "precision=bfloat16")), want, 5e-2)
	for _, order := range [][2]string{{"cpu", "cuda"}, {"cuda", "cpu"}} {
		name := fmt.Sprintf("from %s to %s", order[0], order[1])
		stopAfterSave(t, 25, "pretrain", "--config", config, "--run", filepath.Join(dir, name), "--device", order[0], "--set", "train.steps=50",
			"--set", "train.save_every=25", "--set", "train.eval_every=50", "--set", "optimizer.lr=3e-3")
		sameLosses(t, name, losses(t, pretrain(name, "--device", order[1])), want, 1e-3)
	}
}

// stopAfterSave runs a command and interrupts it when it has saved that step.
func stopAfterSave(t *testing.T, step int, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	errOut := &stopAt{text: fmt.Sprintf("step-%08d", step), stop: stop}
	if code := run(ctx, args, strings.NewReader(""), &bytes.Buffer{}, errOut); code != exitRequeue {
		t.Fatalf("a stopped run has exit code %d\n%s", code, errOut.String())
	}
}

// TestCUDAPairs trains encoders with decoders on the device and on the CPU, and searches
// the same texts on both.
func TestCUDAPairs(t *testing.T) {
	dir := t.TempDir()
	config := pairsConfig(t, dir)
	for _, variant := range []string{"transformer", "lstm"} {
		pretrain := func(device string) []float64 {
			run := filepath.Join(dir, variant, device)
			must(t, "pretrain", "--config", config, "--run", run, "--device", device,
				"--set", "model.variant="+variant, "--set", "train.steps=30", "--set", "train.eval_every=0")
			return losses(t, run)
		}
		want := pretrain("cpu")
		sameLosses(t, variant+" of pairs on cuda", pretrain("cuda"), want, 1e-3)
		sample := func(device string) string {
			return must(t, "sample", "--model", filepath.Join(dir, variant, "cpu"), "--prompt", "line 3 of text\nline 12 of text", "--beam", "3", "--device", device)
		}
		if got, want := sample("cuda"), sample("cpu"); got != want {
			t.Errorf("%s: the device writes %q, the CPU %q", variant, got, want)
		}
	}
}

// TestCUDAMasks trains each kind of encoder on the device and on the CPU, and fills the same
// mask on both.
func TestCUDAMasks(t *testing.T) {
	for name, set := range encoders {
		dir := t.TempDir()
		config, _ := masksConfig(t, dir)
		pretrain := func(device string) []float64 {
			run := filepath.Join(dir, device)
			must(t, append([]string{"pretrain", "--config", config, "--run", run, "--device", device, "--set", "train.steps=20", "--set", "train.eval_every=0"}, set...)...)
			return losses(t, run)
		}
		want := pretrain("cpu")
		sameLosses(t, name+" on cuda", pretrain("cuda"), want, 1e-3)
		sample := func(device string) (first string) {
			var filled struct {
				Masks []struct {
					Candidates []struct{ Token string }
				}
			}
			mustJSON(t, &filled, "sample", "--model", filepath.Join(dir, "cpu"), "--prompt", "the [MASK] of light", "--device", device)
			return filled.Masks[0].Candidates[0].Token
		}
		if got, want := sample("cuda"), sample("cpu"); got != want || got == "" {
			t.Errorf("%s: the device fills %q, the CPU %q", name, got, want)
		}
	}
}

// TestCUDASample decodes greedily on the device what the CPU decodes.
func TestCUDASample(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	must(t, "pretrain", "--config", config, "--device", "cpu")
	sample := func(device string) string {
		return must(t, "sample", "--model", filepath.Join(dir, "run"), "--prompt", "line 1", "--greedy", "--max-tokens", "12", "--device", device)
	}
	if got, want := sample("cuda"), sample("cpu"); got != want {
		t.Errorf("the device continues with %q, the CPU with %q", got, want)
	}
}

// TestCUDAMemory holds the plan's memory to what the device gives: all that is
// allocated beyond the driver's own.
func TestCUDAMemory(t *testing.T) {
	dir := t.TempDir()
	file := writeConfig(t, dir)
	for _, precision := range []string{"float32", "bfloat16"} {
		args := []string{"plan", "--config", file, "--device", "cuda", "--set", "precision=" + precision, "--set", "model.width=128", "--set", "train.batch=16"}
		var r forecast.Report
		mustJSON(t, &r, args...)
		cfg, err := config.Load(file, []string{"precision=" + precision, "model.width=128", "train.batch=16"}, tables())
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.SetVocab(r.Vocab); err != nil {
			t.Fatal(err)
		}
		job, err := table().Design(t.Context(), recipe.Env{Config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		d, err := device.Find("cuda", 0)
		if err != nil {
			t.Fatal(err)
		}
		before := d.Used()
		b, err := d.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.New(cfg, job, b, ranks.Coordinate(nil)); err != nil {
			t.Fatal(err)
		}
		planned, taken := r.Memory.Total-r.Memory.Driver, d.Used()-before
		t.Logf("%s: %d bytes planned, %d taken", precision, planned, taken)
		if diff := math.Abs(float64(taken-planned)) / float64(planned); !(diff <= 0.05) {
			t.Errorf("%s: the plan has %d bytes, the device gave %d", precision, planned, taken)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
