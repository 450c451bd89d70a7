package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/data"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
)

// table is what tests train, as the program does.
var (
	table  = all.Table()
	tables = table.Config()
)

// newTestEngine returns an engine of cfg with its first parameters.
func newTestEngine(t *testing.T, cfg Config, threads int) *engine.Engine {
	t.Helper()
	job, err := table.Design(t.Context(), recipe.Env{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(cfg, job, backend(t, threads), ranks.Coordinate(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Initialize(vfs.OS{}); err != nil {
		t.Fatal(err)
	}
	return e
}

// shard is the file of a rank's part of a checkpoint's file.
func shard(file string, rank, ranks int) string {
	if ranks == 1 {
		return file
	}
	return fmt.Sprintf("%s-%05d-of-%05d.safetensors", strings.TrimSuffix(file, ".safetensors"), rank+1, ranks)
}

// testBatch is a batch of a step of cfg, of token 0 everywhere.
func testBatch(cfg Config) *data.Batch {
	size := cfg.Sequences(cfg.TrainRows())
	b := size.NewBatch()
	b.Weight = float64(len(b.Ints[data.Targets]))
	return b
}

// setGPT2 changes the model of cfg, a GPT-2.
func setGPT2(t testing.TB, cfg *Config, change func(*gpt2.Config)) {
	t.Helper()
	c := cfg.Model.Value().(*gpt2.Config)
	change(c)
	if err := cfg.Model.Set(gpt2.Name, c); err != nil {
		t.Fatal(err)
	}
}

// tinyConfig trains a model of some thousand parameters on invented text.
func tinyConfig(t testing.TB) Config {
	t.Helper()
	dir := t.TempDir()
	corpus := filepath.Join(dir, "corpus.txt")
	words := strings.Fields("light rays colour prism glass water red blue the of and in is are refracted reflected")
	rng := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for i := range 6000 {
		text.WriteString(words[rng.IntN(len(words))])
		text.WriteString(map[bool]string{true: ".\n\n", false: " "}[i%23 == 22])
	}
	if err := os.WriteFile(corpus, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	c := config.Default(tables)
	c.Run.Dir = filepath.Join(dir, "run")
	setGPT2(t, &c, func(c *gpt2.Config) { *c = gpt2.Config{Layers: 2, Heads: 2, Width: 16, Context: 16, Dropout: 0.1} })
	c.Tokenizer.Vocab = 300
	texts := &data.Config{Format: data.FormatText, TextKey: "text", Paths: []string{corpus}, Validation: 0.1, CacheDir: filepath.Join(dir, "cache")}
	if err := c.Data.Set("text", texts); err != nil {
		t.Fatal(err)
	}
	c.Train.Steps, c.Train.Batch, c.Train.SaveEvery, c.Train.EvalEvery = 12, 4, 4, 6
	c.Train.EvalBatches, c.Train.SampleTokens = 3, 4
	c.Optimizer.Warmup, c.Optimizer.EMA = 3, 0.9
	return c
}

func backend(t testing.TB, threads int) exec.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Config{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func deps(t *testing.T, threads int) Deps {
	return Deps{Backend: backend(t, threads), Table: table, FS: vfs.OS{}, Now: time.Now, Resume: "auto"}
}

// bits returns the content of the run's newest checkpoint that continuing must
// reproduce: weights, optimizer and the position.
func bits(t *testing.T, runDir string) []byte {
	t.Helper()
	found, _, err := checkpoint.Latest(vfs.OS{}, runDir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	files, err := filepath.Glob(filepath.Join(found.Path, "*.safetensors"))
	if err == nil && len(files) == 1 { // the optimizer, beside folders of models
		var models []string
		models, err = filepath.Glob(filepath.Join(found.Path, "*", "*.safetensors"))
		files = append(files, models...)
	}
	if err != nil || len(files) < 2 {
		t.Fatalf("weights and optimizer in %v, %v", files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func mustTrain(t *testing.T, cfg Config, d Deps) events.Result {
	t.Helper()
	r, err := Train(context.Background(), cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLossFalls(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps, cfg.Optimizer.LR = 60, 1e-2
	cfg.Train.SaveEvery, cfg.Train.EvalEvery = 0, 0
	var first float64
	d := deps(t, 2)
	d.Listener.Step = func(e events.Step) {
		if e.Record.Step == 1 {
			first = e.Record.Get("nll")
		}
	}
	r := mustTrain(t, cfg, d)
	if r.Validation == nil || r.Validation.Get("nll") > first-1.5 {
		t.Errorf("validation NLL %v after a first loss of %g", r.Validation, first)
	}
}

// TestBitsDoNotDependOnThreadsOrStops runs once at one thread, once at three,
// and once stopped after every step.
func TestBitsDoNotDependOnThreadsOrStops(t *testing.T) {
	cfg := tinyConfig(t)
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.AttentionDropout = 0.2 })
	mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)

	cfg.Run.Dir += "-threads"
	mustTrain(t, cfg, deps(t, 3))
	if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
		t.Error("three threads give other bits than one")
	}

	cfg.Run.Dir += "-stops"
	trainByStops(t, cfg, deps(t, 2), want)
}

// trainByStops trains by runs that are stopped after every step, and requires the bits that
// one run gives, and its metrics.
func trainByStops(t *testing.T, cfg Config, d Deps, want []byte) {
	t.Helper()
	for stops := 0; ; stops++ {
		if stops > cfg.Train.Steps {
			t.Fatal("the run does not advance")
		}
		ctx, cancel := context.WithCancel(context.Background())
		d.Listener.Step = func(events.Step) { cancel() }
		_, err := Train(ctx, cfg, d)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
		t.Error("stopping after every step gives other bits than one run")
	}
	checkMetrics(t, cfg)
}

// checkMetrics requires each training step once, in order.
func checkMetrics(t *testing.T, cfg Config) {
	t.Helper()
	raw, err := os.ReadFile(MetricsPath(cfg.Run.Dir))
	if err != nil {
		t.Fatal(err)
	}
	next := int64(1)
	for _, line := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
		var r metrics.Record
		if err := r.UnmarshalJSON(line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r.Split != metrics.Train {
			continue
		}
		if r.Step != next {
			t.Fatalf("metrics.jsonl has step %d where %d is due", r.Step, next)
		}
		next++
	}
	if next != int64(cfg.Train.Steps)+1 {
		t.Errorf("metrics.jsonl ends at step %d of %d", next-1, cfg.Train.Steps)
	}
}

// TestKills kills runs at random file operations, most of them inside saving,
// resumes, and compares the bits at the end. Together it kills 200 times.
func TestKills(t *testing.T) {
	for _, save := range []string{"sync", "async"} {
		t.Run(save, func(t *testing.T) { testKills(t, save, 100) })
	}
}

func testKills(t *testing.T, save string, wanted int) {
	cfg := tinyConfig(t)
	cfg.Train.Save = save
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Sample = 10, 2, 0, ""
	mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)

	fault := vfstest.NewFault(noSync{})
	d := deps(t, 1)
	d.FS = fault
	base := cfg.Run.Dir
	cfg.Run.Dir = base + "-counted"
	fault.CrashAt(1 << 30)
	mustTrain(t, cfg, d)
	operations := len(fault.Trace())

	rng := rand.New(rand.NewPCG(7, 7))
	kills := 0
	for run := 0; kills < wanted; run++ {
		cfg.Run.Dir = filepath.Join(t.TempDir(), "run")
		acknowledged := int64(-1)
		d.Listener.Saved = func(s checkpoint.Saved) { acknowledged = s.Step }
		for attempt := range 4 {
			fault.CrashAt(rng.IntN(operations * (attempt + 1)))
			_, err := Train(context.Background(), cfg, d)
			if err == nil && !crashed(fault) {
				break
			}
			kills++
			found, _, err := checkpoint.Latest(vfs.OS{}, cfg.Run.Dir)
			if err != nil && acknowledged >= 0 || err == nil && found.Manifest.Step < acknowledged {
				t.Fatalf("step %d was acknowledged, the newest good one is %+v (%v)", acknowledged, found.Manifest.Step, err)
			}
		}
		fault.CrashAt(1 << 30)
		mustTrain(t, cfg, d)
		if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
			t.Fatalf("run %d: other bits after kills", run)
		}
		checkMetrics(t, cfg)
	}
}

// noSync leaves out what only a power loss needs: a kill loses nothing of it.
type noSync struct{ vfs.OS }

type noSyncFile struct{ vfs.File }

func (noSyncFile) Sync() error { return nil }

func (fs noSync) SyncDir(string) error { return nil }

func (fs noSync) Create(name string) (vfs.File, error) {
	f, err := fs.OS.Create(name)
	return noSyncFile{f}, err
}

func (fs noSync) OpenAppend(name string) (vfs.File, error) {
	f, err := fs.OS.OpenAppend(name)
	return noSyncFile{f}, err
}

// crashed tells whether the simulated kill has come.
func crashed(f *vfstest.Fault) bool {
	_, err := f.Stat(os.TempDir())
	return errors.Is(err, vfstest.ErrCrashed)
}

// TestGuardSkipsAndNamesTheOp plants an infinity in a weight.
func TestGuardSkipsAndNamesTheOp(t *testing.T) {
	cfg := tinyConfig(t)
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.Vocab = 300 })
	e := newTestEngine(t, cfg, 1)
	const poisoned = "transformer.h.1.mlp.c_fc.weight"
	w := make([]float32, e.Store().Get(poisoned).Shape.Size())
	if err := e.Store().Read(poisoned, w); err != nil {
		t.Fatal(err)
	}
	w[5] = float32(1e38)
	w[6] = -w[5]
	for i := range w {
		w[i] *= 1e38
	}
	if err := e.Store().Write(poisoned, w); err != nil {
		t.Fatal(err)
	}
	batch := testBatch(cfg)
	r, err := e.Step(batch, engine.StepConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Phases[0].Skipped {
		t.Errorf("the step was not skipped: gradient norm %g", r.Phases[0].GradNorm)
	}
	after := make([]float32, len(w))
	if err := e.Store().Read(poisoned, after); err != nil {
		t.Fatal(err)
	}
	for i := range w {
		if w[i] != after[i] && w[i] == w[i] {
			t.Fatal("a skipped step changed a parameter")
		}
	}
	in, err := e.Blame(batch)
	if err != nil {
		t.Fatal(err)
	}
	if in == nil || !strings.Contains(in.Path, "1.mlp") {
		t.Errorf("blamed %+v, want an op in the second block's MLP", in)
	}
}

func TestFullDiskDoesNotEndTheRun(t *testing.T) {
	cfg := tinyConfig(t)
	fault := vfstest.NewFault(vfs.OS{})
	d := deps(t, 1)
	d.FS = fault
	var failures int
	d.Listener.SaveFailed = func(err error) { failures++ }
	d.Listener.Step = func(e events.Step) {
		if e.Record.Step == 4 { // the save after this step
			fault.FailAt(5, errors.New("no space left on device"))
		}
	}
	r := mustTrain(t, cfg, d)
	if failures != 1 || r.State.Step != cfg.Train.Steps {
		t.Errorf("%d failed saves, ended at step %d", failures, r.State.Step)
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	cfg := tinyConfig(t)
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.Vocab = 300 })
	e := newTestEngine(t, cfg, 2)
	batch := testBatch(cfg)
	allocs := testing.AllocsPerRun(20, func() {
		if _, err := e.Step(batch, engine.StepConfig{}); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("a step allocates %g times", allocs)
	}
}

// TestRunInUseIsNotSetAside begins anew while another process holds the run.
func TestRunInUseIsNotSetAside(t *testing.T) {
	cfg := tinyConfig(t)
	d := deps(t, 1)
	mustTrain(t, cfg, d)
	lock, err := checkpoint.LockRun(vfs.OS{}, cfg.Run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	d.Resume = "none"
	if _, err := Train(context.Background(), cfg, d); err == nil {
		t.Error("a run in use was set aside")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	bits(t, cfg.Run.Dir)
	mustTrain(t, cfg, d)
	bits(t, cfg.Run.Dir+".1")
}

// TestSaveIsAskedFor asks for a checkpoint while a step is made.
func TestSaveIsAskedFor(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.SaveEvery, cfg.Train.EvalEvery = 0, 0
	asks := make(chan struct{}, 1)
	d := deps(t, 1)
	d.Save = asks
	d.Listener.Step = func(e events.Step) {
		if e.Record.Step == 2 {
			asks <- struct{}{}
		}
	}
	var saved []string
	d.Listener.Saved = func(s checkpoint.Saved) { saved = append(saved, filepath.Base(s.Path)) }
	mustTrain(t, cfg, d)
	if want := []string{"step-00000003", fmt.Sprintf("step-%08d", cfg.Train.Steps)}; !slices.Equal(saved, want) {
		t.Errorf("checkpoints %q, want %q", saved, want)
	}
}
