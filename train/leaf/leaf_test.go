package leaf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/autograd/cpu"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/train"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
)

// leaves is a configuration whose sections model, recipe and data no other package
// knows.
func leaves(t *testing.T, dir string, set ...string) train.Config {
	t.Helper()
	return leafConfig(t, dir, `
recipe: {kind: duel, judge_lr: 0.02}
model: {family: toy, channels: 5}
data: {format: pictures, side: 4, held_out: 9}
train: {steps: 8, batch: 4, accumulate: 2, eval_every: 3, save_every: 2}
optimizer: {kind: adamw, lr: 0.01, warmup: 2, ema: 0.9}
cluster: {check_every: 2}
`, set...)
}

// leafConfig is the configuration of a run in dir that text and set describe.
func leafConfig(t *testing.T, dir, text string, set ...string) train.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "leaf.yaml")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, append(set, "run.dir="+dir), table().Config())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// run trains on n ranks, which are goroutines with files and back ends of their own,
// and returns the errors of all.
func run(ctx context.Context, cfg train.Config, n int, fsys func(rank int) vfs.FS, open opener, listen events.Listener) error {
	return runTable(ctx, cfg, table(), n, fsys, open, listen)
}

// runTable is run of other recipes.
func runTable(ctx context.Context, cfg train.Config, table recipe.Table, n int, fsys func(rank int) vfs.FS, open opener, listen events.Listener) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	room := newRoom(n)
	for rank := range n {
		all.Go(func() {
			s, err := open(ctx, room, rank)
			if err != nil {
				errs[rank] = err
				return
			}
			d := train.Deps{Backend: s.backend, Table: table, FS: fsys(rank), Now: time.Now, Resume: "auto", Group: s.group, LocalRank: rank}
			if rank == 0 {
				d.Listener = listen
			}
			_, err = train.Train(ctx, cfg, d)
			errs[rank] = errors.Join(err, s.close(err))
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func onDisk(int) vfs.FS { return vfs.OS{} }

// bits are the tensors of the newest checkpoint, of all models and optimizers.
func bits(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	for _, pattern := range []string{"*.safetensors", "*/*.safetensors"} {
		files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "latest", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
	}
	return all
}

// TestLeaf trains, evaluates, shows and saves the leaves on one rank and on two; then
// runs that are killed at random operations on files, and stopped at random steps, go
// on to the same bits.
func TestLeaf(t *testing.T) {
	for name, open := range openers() {
		for _, n := range []int{1, 2} {
			t.Run(name+"/"+string(rune('0'+n)), func(t *testing.T) { testLeaf(t, n, open) })
		}
	}
}

func testLeaf(t *testing.T, n int, open opener) {
	whole := leaves(t, filepath.Join(t.TempDir(), "whole"))
	var steps, shown int
	var first, last events.Step
	listen := events.Listener{
		Step: func(e events.Step) {
			if steps++; steps == 1 {
				first = e
			}
			last = e
		},
		Sample: func(int, string) { shown++ },
	}
	if err := run(t.Context(), whole, n, onDisk, open, listen); err != nil {
		t.Fatal(err)
	}
	if steps != 8 || shown != 3 || !(last.Record.Get("judge_loss") < first.Record.Get("judge_loss")) || last.Record.Unit != "images" {
		t.Errorf("%d steps, %d pictures shown, the judge's loss went from %g to %g %s", steps, shown, first.Record.Get("judge_loss"), last.Record.Get("judge_loss"), last.Record.Unit)
	}
	metrics, err := os.ReadFile(filepath.Join(whole.Run.Dir, "metrics.jsonl"))
	if err != nil || !strings.Contains(string(metrics), `"painter_loss":`) || !strings.Contains(string(metrics), `"lr_painter":`) || !strings.Contains(string(metrics), `"trust":`) {
		t.Errorf("metrics.jsonl has\n%s", metrics)
	}
	want := bits(t, whole.Run.Dir)

	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for kill := range 6 {
		cfg := leaves(t, filepath.Join(t.TempDir(), "killed"))
		for life := 0; ; life++ {
			if life > 60 {
				t.Fatal("the run does not come to its end")
			}
			ctx, stop := context.WithCancel(t.Context())
			victim, moment, stopAt := rng.IntN(n), rng.IntN(120*(life+1)), 1+rng.IntN(12)
			made := 0
			err := run(ctx, cfg, n, func(rank int) vfs.FS {
				fault := vfstest.NewFault(vfs.OS{})
				if rank == victim && kill%2 == 0 {
					fault.CrashAt(moment)
				}
				return fault
			}, open, events.Listener{Step: func(events.Step) {
				if made++; made == stopAt && kill%2 == 1 {
					stop()
				}
			}})
			stop()
			if err == nil {
				break
			}
		}
		if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
			t.Fatalf("a run that was killed %d times ends with other bits", kill)
		}
	}
}

// TestLeafPlan plans the leaves without data, and refuses what does not fit.
func TestLeafPlan(t *testing.T) {
	cfg := leaves(t, t.TempDir())
	dry, err := train.DryRun(t.Context(), cfg, train.Deps{Table: table(), FS: vfs.OS{}, Resume: "none"})
	if err != nil || len(dry.Job.Parts) != 2 {
		t.Fatalf("%+v, %v", dry, err)
	}
	for set, want := range map[string]string{
		"recipe.judge_rl=1":    `unknown key "judge_rl"; did you mean "judge_lr"?`,
		"data.sides=3":         `unknown key "sides"; did you mean "side"?`,
		"model.channel=3":      `unknown key "channel"; did you mean "channels"?`,
		"recipe.kind=lm":       `recipe.kind is "lm"; use duel`,
		"data.format=text":     `data.format is "text"; use pictures`,
		"model.channels=-1":    "model.channels: -1 is outside",
		"cluster.check_evry=1": `did you mean "check_every"?`,
	} {
		file := filepath.Join(t.TempDir(), "leaf.yaml")
		if err := os.WriteFile(file, []byte("train: {steps: 1}"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(file, []string{set}, table().Config()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", set, err, want)
		}
	}
}

// TestLeafStepsDoNotAllocate counts what a step of two phases and two micro-batches
// allocates.
func TestLeafStepsDoNotAllocate(t *testing.T) {
	cfg := leaves(t, t.TempDir(), "cluster.check_every=0")
	job, err := table().Open(t.Context(), recipe.Env{Config: cfg, FS: vfs.OS{}})
	if err != nil {
		t.Fatal(err)
	}
	backend, err := cpu.New(cpu.Config{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	e, err := engine.New(job.Config, job, backend, ranks.Coordinate(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Initialize(vfs.OS{}); err != nil {
		t.Fatal(err)
	}
	batch := job.Train.NewBatch()
	if err := errors.Join(job.Train.Fill(batch, 0), job.Prepare(t.Context(), batch)); err != nil {
		t.Fatal(err)
	}
	if allocs := testing.AllocsPerRun(20, func() {
		if _, err := e.Step(batch, engine.StepConfig{}); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("a step of two phases allocates %g times", allocs)
	}
}

// TestLeafMicroBatches: a batch in one piece, in two and in four learns the same, up to
// rounding, so that each micro-batch has its own part of every field.
func TestLeafMicroBatches(t *testing.T) {
	var first []float64
	for _, pieces := range []int{1, 2, 4} {
		cfg := leaves(t, filepath.Join(t.TempDir(), "run"), fmt.Sprintf("train.batch=%d", 8/pieces), fmt.Sprintf("train.accumulate=%d", pieces))
		var losses []float64
		listen := events.Listener{Step: func(e events.Step) {
			losses = append(losses, e.Record.Get("judge_loss"), e.Record.Get("painter_loss"))
		}}
		if err := run(t.Context(), cfg, 1, onDisk, openers()["cpu"], listen); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = losses
		}
		for i, loss := range losses {
			if len(losses) != 16 || math.Abs(loss-first[i]) > 1e-5*math.Abs(first[i]) {
				t.Fatalf("%d pieces: losses %v, in one piece %v", pieces, losses, first)
			}
		}
	}
}
