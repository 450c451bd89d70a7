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

	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/recipe"
)

// told collects what a run tells before its first step.
func told(d *Deps) (changes *[]config.Change, lines *[]string) {
	changes, lines = new([]config.Change), new([]string)
	d.Listener.Started = func(s events.Started) { *changes = s.Changes }
	d.Listener.Phase = func(p recipe.Prepared) { *lines = append(*lines, p.Name+" "+p.Detail) }
	return changes, lines
}

// TestResumeTellsChanges: a run that goes on as it was says nothing of changes and has the same bits; one that goes on
// otherwise lists each key beside the value that the weights were trained with.
func TestResumeTellsChanges(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps = 8
	mustTrain(t, cfg, deps(t, 1))
	want := bits(t, cfg.Run.Dir)

	ctx, cancel := context.WithCancel(context.Background())
	d := deps(t, 1)
	cfg.Run.Dir += "-stopped"
	d.Listener.Step = func(e events.Step) {
		if e.Record.Step == 4 {
			cancel()
		}
	}
	if _, err := Train(ctx, cfg, d); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	d = deps(t, 1)
	changes, lines := told(&d)
	mustTrain(t, cfg, d)
	if len(*changes) > 0 || slices.ContainsFunc(*lines, func(s string) bool { return !strings.HasPrefix(s, "shards ") }) {
		t.Errorf("an unchanged run tells %q and %q", *changes, *lines)
	}
	if !bytes.Equal(bits(t, cfg.Run.Dir), want) {
		t.Error("an unchanged run has other bits")
	}

	cfg.Train.Steps, cfg.Train.Batch, cfg.Run.Seed, cfg.Optimizer.LR = 10, 2, 3, 0.5
	dry, err := DryRun(t.Context(), cfg, deps(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	d = deps(t, 1)
	changes, _ = told(&d)
	mustTrain(t, cfg, d)
	const changed = "[{run.seed 1337 3} {train.steps 8 10} {train.batch 4 2} {optimizer.lr 0.001 0.5} {learning rate of step 9 0.0001 0.1347}]"
	if got := fmt.Sprint(*changes); got != changed || fmt.Sprint(dry.Changes) != changed {
		t.Errorf("a changed run tells\n%s, a dry run\n%s, want\n%s", got, dry.Changes, changed)
	}
}

// TestResumeRefusesOtherShapes names each key that cannot change, the value and that of the run, and the cures.
func TestResumeRefusesOtherShapes(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps = 4
	r := mustTrain(t, cfg, deps(t, 1))
	other := cfg
	other.Optimizer.Kind, other.Tokenizer.Vocab = "lion", 310
	d, foreign := deps(t, 1), other
	d.Resume, foreign.Run.Dir = r.Checkpoint, cfg.Run.Dir+"-new"
	for name, try := range map[string]func() error{
		"the run":                   func() error { _, err := Train(context.Background(), other, deps(t, 1)); return err },
		"a dry run":                 func() error { _, err := DryRun(t.Context(), other, deps(t, 1)); return err },
		"another from a checkpoint": func() error { _, err := Train(context.Background(), foreign, d); return err },
	} {
		err := try()
		var fault *config.Fault
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range []string{"tokenizer.vocab is 310, the run has 300", "optimizer.kind is lion, the run has adamw", "--run DIR", "--resume none"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", name, err, want)
			}
		}
	}
}

// TestResumeKeepsTheSplit goes on with more text and another share to hold out.
func TestResumeKeepsTheSplit(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps = 4
	texts, _ := cfg.Texts()
	var corpus strings.Builder
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 300 {
		fmt.Fprintf(&corpus, "{\"text\": \"light of ray %d in glass %d\"}\n", i, rng.IntN(1000))
	}
	records := strings.SplitAfter(corpus.String(), "\n")
	write := func(n int) {
		if err := os.WriteFile(texts.Paths[0], []byte(strings.Join(records[:n], "")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(200)
	texts.Format = data.FormatJSONL
	if err := cfg.Data.Set("jsonl", &texts); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, cfg, deps(t, 1))
	write(300)
	// A try that ends before it has trained leaves what is held out as it was.
	try, none := cfg, texts
	try.Train.Steps, none.Validation = 6, 0
	if err := try.Data.Set("jsonl", &none); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := deps(t, 1)
	d.Listener.Started = func(events.Started) { cancel() }
	if _, err := Train(ctx, try, d); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	cfg.Train.Steps, texts.Validation = 6, 0.4
	if err := cfg.Data.Set("jsonl", &texts); err != nil {
		t.Fatal(err)
	}
	resume := func() (keys []string, lines []string) {
		t.Helper()
		d := deps(t, 1)
		changes, told := told(&d)
		mustTrain(t, cfg, d)
		for _, c := range *changes {
			keys = append(keys, c.Key)
		}
		return keys, slices.DeleteFunc(*told, func(s string) bool { return strings.HasPrefix(s, "shards ") })
	}
	_, lines := resume()
	if len(lines) != 2 || lines[0] != "data other texts than the run was trained on: 200 that it knows, each of which stays in training or held out, and 100 new" ||
		!strings.HasSuffix(lines[1], "trained on that data.validation would hold out: kept in training") {
		t.Errorf("other texts tell %q", lines)
	}
	cfg.Train.Steps++
	if keys, lines := resume(); len(lines) > 0 || len(keys) != 2 {
		t.Errorf("the same texts tell %q, and changes of %q", lines, keys)
	}
	// All of them are known now, those that came later too.
	cfg.Train.Steps, texts.Validation = cfg.Train.Steps+1, 0.5
	if err := cfg.Data.Set("jsonl", &texts); err != nil {
		t.Fatal(err)
	}
	if _, lines := resume(); len(lines) != 1 || !strings.HasSuffix(lines[0], "trained on that data.validation would hold out: kept in training") {
		t.Errorf("another share tells %q", lines)
	}
}

// TestRanksKeepTheSplit: ranks that go on with more text agree on its sides, and have the losses of one process.
func TestRanksKeepTheSplit(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps, cfg.Train.EvalEvery = 2, 0
	texts, _ := cfg.Texts()
	first, err := os.ReadFile(texts.Paths[0])
	if err != nil {
		t.Fatal(err)
	}
	more := append(slices.Clone(first), first[:len(first)/3]...)
	var want []float64
	for _, n := range []int{1, 2} {
		run := cfg
		run.Run.Dir += fmt.Sprint("-", n)
		if err := os.WriteFile(texts.Paths[0], first, 0o666); err != nil {
			t.Fatal(err)
		}
		trainRanks(t, t.Context(), run, n, nil)
		if err := os.WriteFile(texts.Paths[0], more, 0o666); err != nil {
			t.Fatal(err)
		}
		run.Train.Steps = 5
		var lines *[]string
		errs, losses := trainRanks(t, t.Context(), run, n, func(rank int, _ *Config, d *Deps) {
			if rank == 0 {
				step := d.Listener.Step
				_, lines = told(d)
				d.Listener.Step = step
			}
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(*lines, "data other texts than the run was trained on: 1 that it knows, each of which stays in training or held out, and 0 new") {
			t.Errorf("%d ranks are told %q", n, *lines)
		}
		if want == nil {
			want = losses
		} else if err := near(losses, want); err != nil {
			t.Error(err)
		}
	}
}

// TestOtherShards: of shards it is told that they are others; their texts are not known.
func TestOtherShards(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps, cfg.Train.EvalEvery = 2, 0
	texts, _ := cfg.Texts()
	mustTrain(t, cfg, deps(t, 1)) // prepares them, and the tokenizer
	find := func() string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(texts.CacheDir, "*", "train-00000.gtsh"))
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	shards := cfg
	shards.Run.Dir += "-shards"
	shards.Tokenizer = config.TokenizerConfig{Path: filepath.Join(cfg.Run.Dir, "tokenizer")}
	set := func(path string) {
		t.Helper()
		if err := shards.Data.Set("shards", &data.Config{Format: data.FormatShards, TextKey: "text", Paths: []string{path}}); err != nil {
			t.Fatal(err)
		}
	}
	set(find())
	mustTrain(t, shards, deps(t, 1))
	old := find()
	kept := filepath.Join(t.TempDir(), "train-00000.gtsh")
	if err := os.Rename(old, kept); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(texts.Paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(texts.Paths[0], content[:len(content)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	again := cfg
	again.Run.Dir += "-again"
	again.Tokenizer = shards.Tokenizer
	mustTrain(t, again, deps(t, 1))
	for i, path := range []string{kept, find()} {
		set(path)
		shards.Train.Steps++
		d := deps(t, 1)
		_, lines := told(&d)
		mustTrain(t, shards, d)
		changed := slices.Contains(*lines, "data other shards than the run was trained on; which of their text was trained on is not known")
		if changed != (i == 1) {
			t.Errorf("%s: told %q", path, *lines)
		}
	}
}
