package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/hf"
	records "example.com/gotrain/data/instruct"
	"example.com/gotrain/data/tokenizers"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/save"
)

// TestGuardByHand: the bound is the factor times a mean that is plain for the first 50
// norms, from the twentieth on.
func TestGuardByHand(t *testing.T) {
	var g save.Guard
	mean := 0.0
	for i := range 60 {
		want := 3 * mean
		if i < 20 {
			want = 0
		}
		if got := normLimit(&g, 3); math.Abs(got-want) > 1e-9 {
			t.Fatalf("after %d norms the bound is %g, want %g", i, got, want)
		}
		x := 1 + float64(i%7)
		observe(&g, engine.PhaseResult{GradNorm: x})
		observe(&g, engine.PhaseResult{GradNorm: math.NaN()}) // not measured: neither skipped nor counted
		if i < 50 {
			mean = (mean*float64(i) + x) / float64(i+1)
		} else {
			mean = 0.98*mean + 0.02*x
		}
		if g.Seen != i+1 || g.Skipped != 0 {
			t.Fatalf("%+v after %d norms", g, i+1)
		}
	}
}

// TestGivesUpAfterSkipsInARow: of the steps 1, 4 and 5 of lineTable's run, which are
// skipped, the last two are in a row.
func TestGivesUpAfterSkipsInARow(t *testing.T) {
	for max, want := range map[string]string{
		"0": "step 1: the loss is +Inf; lower optimizer.lr, or set train.max_skips to skip such steps",
		"1": "step 5: 2 steps in a row were skipped (gradient norm NaN, first at ",
	} {
		cfg := lineConfigOf(t, "train.max_skips="+max, "train.spike_factor=0")
		r := trainLines(t, cfg, 1, 0)
		if r.err == nil || !strings.Contains(r.err.Error(), want) {
			t.Errorf("max_skips %s: %v, want %q", max, r.err, want)
		}
		if skips := map[string]int{"0": 0, "1": 3}[max]; len(r.skips) != skips {
			t.Errorf("max_skips %s: %d skips, want %d", max, len(r.skips), skips)
		}
	}
}

// TestNormWithoutGuard: phase a clips nothing, so that without a guard its norm is not measured.
func TestNormWithoutGuard(t *testing.T) {
	for max, measured := range map[string]bool{"0": false, "2": true} {
		e := lineRunOf(t, "train.max_skips="+max, "train.spike_factor=0").engine
		for _, p := range e.Programs().Distinct() {
			if want := p.Updates && (measured || p.Phase == 1); (p.Program.Output("grad_norm") >= 0) != want {
				t.Errorf("max_skips %s: phase %d, program %s measures a norm: %t", max, p.Phase, p.Program.Name, !want)
			}
		}
	}
}

// lineRunOf is a run of the job of lines before its first step.
func lineRunOf(t *testing.T, set ...string) *run {
	t.Helper()
	cfg := lineConfigOf(t, set...)
	job, err := lineTable(func(time.Duration) {}).Open(t.Context(), recipe.Env{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{cfg: cfg, job: job, savedStep: -1, ranks: ranks.Coordinate(nil), deps: Deps{FS: vfs.OS{}, Now: time.Now}}
	if r.engine, err = engine.New(cfg, job, backend(t, 1), r.ranks); err != nil {
		t.Fatal(err)
	}
	r.bounds, r.state = make([]float64, len(job.Phases)), save.State{Phases: make([]save.PhaseState, len(job.Phases))}
	return r
}

// TestGuardOfEachPhase: what a phase came to, and its loss where the norm is finite and the
// loss is not.
func TestGuardOfEachPhase(t *testing.T) {
	inf := math.Inf(1)
	for _, tc := range []struct {
		name             string
		a, b             engine.PhaseResult
		nll, miss        float64
		appliedA, inRowA int
		appliedB, inRowB int
		told             string
	}{
		{"good", engine.PhaseResult{GradNorm: 1}, engine.PhaseResult{GradNorm: 2}, 3, 4, 1, 0, 1, 0, ""},
		{"spike of a", engine.PhaseResult{GradNorm: 9, Skipped: true}, engine.PhaseResult{GradNorm: 2}, 3, 4, 0, 1, 1, 0, "a 5"},
		{"spike of b", engine.PhaseResult{GradNorm: 1}, engine.PhaseResult{GradNorm: 9, Skipped: true}, 3, 4, 1, 0, 0, 1, "b 6"},
		{"loss of b", engine.PhaseResult{GradNorm: 1}, engine.PhaseResult{GradNorm: 2}, 3, inf, 1, 0, 1, 1, "b 6"},
		{"loss of a", engine.PhaseResult{GradNorm: 1}, engine.PhaseResult{GradNorm: 2}, math.NaN(), 4, 1, 1, 1, 0, "a 5"},
	} {
		r := lineRunOf(t)
		var told []string
		r.deps.Listener.Skipped = func(e events.Skip) {
			told = append(told, e.Phase+" "+map[float64]string{5: "5", 6: "6"}[e.Limit])
		}
		measured := metrics.Values{{Name: "nll", Value: tc.nll}, {Name: "miss", Value: tc.miss}}
		if err := r.guard(&data.Batch{}, engine.StepResult{Phases: []engine.PhaseResult{tc.a, tc.b}}, measured, []float64{5, 6}); err != nil {
			t.Fatal(err)
		}
		a, b := r.state.Phases[0], r.state.Phases[1]
		if a.Applied != tc.appliedA || a.Guard.InARow != tc.inRowA || b.Applied != tc.appliedB || b.Guard.InARow != tc.inRowB || strings.Join(told, ",") != tc.told {
			t.Errorf("%s: %+v and %+v, told %q", tc.name, a, b, told)
		}
	}
}

// TestJudge: an improvement is by more than min_delta on the best so far, in the direction
// of the metric; patience evaluations without one end the run.
func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		higher   bool
		values   []float64
		improved []bool
		worse    []int
	}{
		{false, []float64{5, 4.95, 4.8, 4.9, 4.75, 4.69, 9}, []bool{true, false, true, false, false, true, false}, []int{0, 1, 0, 1, 2, 0, 1}},
		{true, []float64{5, 5.05, 5.2, 5.1, 5.25, 5.31, 1}, []bool{true, false, true, false, false, true, false}, []int{0, 1, 0, 1, 2, 0, 1}},
		{true, []float64{-1, -2, -3}, []bool{true, false, false}, []int{0, 1, 2}},
	} {
		r := &run{}
		r.cfg.Train.Patience, r.cfg.Train.MinDelta = 2, 0.1
		best := 0
		for i, v := range tc.values {
			r.state.Step = 10 * (i + 1)
			if got := r.judge(recipe.Metric{Higher: tc.higher}, v); got != tc.improved[i] {
				t.Fatalf("%v: value %d is an improvement: %t", tc.values, i, got)
			}
			if tc.improved[i] {
				best = i
			}
			want := save.Best{Step: 10 * (best + 1), Value: tc.values[best], Worse: tc.worse[i]}
			if *r.state.Best != want || r.bestStep() != int64(want.Step) || r.exhausted() != (want.Worse >= 2) {
				t.Fatalf("%v: after value %d %+v, best step %d, exhausted %t; want %+v", tc.values, i, *r.state.Best, r.bestStep(), r.exhausted(), want)
			}
		}
	}
	r := &run{} // without patience nothing is judged
	if r.judge(recipe.Metric{}, 1) || r.state.Best != nil || r.exhausted() || r.bestLink() != "" {
		t.Errorf("without patience: %+v", r.state)
	}
}

// TestPointIsACopy: where a save begins it holds the state of its step, whatever the run
// does while it is written.
func TestPointIsACopy(t *testing.T) {
	r := lineRunOf(t, "train.patience=3")
	r.state = save.State{Step: 5, Phases: make([]save.PhaseState, 2), Best: &save.Best{Step: 4, Value: 2}}
	p, err := r.point()
	if err != nil || p.Best != 4 || p.State.Config == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	before, err := json.Marshal(p.State)
	if err != nil {
		t.Fatal(err)
	}
	r.state.Step, r.state.Phases[0].Applied, r.state.Phases[1].Guard.Mean = 6, 9, 8
	r.judge(recipe.Metric{}, 7)
	if after, err := json.Marshal(p.State); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the point was %s and is %s, %v", before, after, err)
	}
}

// TestNoteOfAnAsynchronousSave: what is saved is the step of the save, not that of the run.
func TestNoteOfAnAsynchronousSave(t *testing.T) {
	r := &run{savedStep: -1}
	r.state.Step = 9
	if err := r.note(save.Done{Step: 4, Saved: checkpoint.Saved{Path: "step-4"}}); err != nil || r.savedStep != 4 || r.result.Checkpoint != "step-4" {
		t.Errorf("step %d, %s, %v", r.savedStep, r.result.Checkpoint, err)
	}
	if err := r.note(save.Done{Step: 8, Err: os.ErrInvalid}); err == nil || r.savedStep != 4 {
		t.Errorf("after a failure step %d is saved, %v", r.savedStep, err)
	}
}

// TestStopSavesWhatIsNotSaved: a run that is stopped behind its newest checkpoint saves.
func TestStopSavesWhatIsNotSaved(t *testing.T) {
	cfg := lineConfigOf(t)
	r := trainLines(t, cfg, 1, 11) // checkpoints are due after 8 and 16 steps
	found, _, err := checkpoint.Latest(vfs.OS{}, cfg.Run.Dir)
	if err != nil || found.Manifest.Step != 11 || !errors.Is(r.err, ErrStopped) {
		t.Errorf("step %d, %v, %v", found.Manifest.Step, err, r.err)
	}
}

// TestBeginsFromAForeignCheckpoint: a checkpoint of another run is none of this one, even
// where no step is left; one that is damaged is refused.
func TestBeginsFromAForeignCheckpoint(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Keep = 6, 1, 0, 2
	first := mustTrain(t, cfg, deps(t, 1))
	if got := savedSteps(t, cfg.Run.Dir); !slices.Equal(got, []int64{5, 6}) {
		t.Errorf("of 6 checkpoints the newest 2 are kept: %v", got)
	}
	// The configuration that is kept has what the data told.
	written, err := config.Load(config.Path(cfg.Run.Dir), nil, tables)
	if state, err2 := save.ReadState(first.Checkpoint); err != nil || err2 != nil || cfg.Text().Vocab != 0 || written.Text().Vocab != 300 || !strings.Contains(state.Config, "vocab: 300") {
		t.Errorf("the run keeps a vocabulary of %d, %v, %v", written.Text().Vocab, err, err2)
	}
	d := deps(t, 1)
	d.Resume = first.Checkpoint
	cfg.Run.Dir += "-other"
	r := mustTrain(t, cfg, d)
	if got := savedSteps(t, cfg.Run.Dir); r.Steps != 0 || !slices.Equal(got, []int64{6}) || filepath.Dir(filepath.Dir(r.Checkpoint)) != cfg.Run.Dir {
		t.Errorf("%d steps, saved %v, %s", r.Steps, got, r.Checkpoint)
	}
	weights := filepath.Join(first.Checkpoint, "model.safetensors")
	content, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	if err := os.WriteFile(weights, content, 0o666); err != nil {
		t.Fatal(err)
	}
	cfg.Run.Dir += "-more"
	if _, err := Train(context.Background(), cfg, d); err == nil || !strings.Contains(err.Error(), "--resume "+first.Checkpoint) {
		t.Errorf("from a damaged checkpoint: %v", err)
	}
}

// TestTensorBoardAfterResume: each life has a file with its records, and one that goes on
// after step n has TensorBoard forget the points from n+1 on.
func TestTensorBoardAfterResume(t *testing.T) {
	cfg := tinyConfig(t)
	if err := os.MkdirAll(cfg.Run.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for life, step := range []int{0, 6} {
		r, err := openRecorder(vfs.OS{}, cfg, step, time.Unix(int64(life), 0))
		if err != nil {
			t.Fatal(err)
		}
		rec := metrics.Record{Step: int64(step) + 1, Split: metrics.Train, Values: metrics.Values{{Name: "nll", Value: 2}}, Unit: "tokens", Time: time.Unix(9, 0)}
		if err := errors.Join(r.record(rec), r.close()); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(r.events.Path())
		if err != nil {
			t.Fatal(err)
		}
		// step: varint field 2, session_log: message field 7 with status START.
		purges := bytes.Contains(content, []byte{0x10, 7, 0x3a, 2, 8, 1})
		if !bytes.Contains(content, []byte("train/nll")) || purges != (life == 1) || bytes.Count(content, []byte{0x3a, 2, 8, 1}) != life {
			t.Errorf("life %d: its events are %q", life, content)
		}
	}
	text, err := os.ReadFile(MetricsPath(cfg.Run.Dir))
	if lines := strings.Count(string(text), "\n"); err != nil || lines != 2 {
		t.Errorf("metrics.jsonl has %d lines, %v", lines, err)
	}
}

// TestHashSeesEveryElement changes the last element of each parameter, one of which is
// longer than the buffer through which they are hashed.
func TestHashSeesEveryElement(t *testing.T) {
	cfg := tinyConfig(t)
	cfg.Train.Sample = ""
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.Layers, c.Vocab, c.Width = 1, 33000, 32 })
	e := newTestEngine(t, cfg, 1)
	seen := map[uint64]string{}
	note := func(what string) {
		h, err := e.Hash()
		if err != nil || seen[h] != "" {
			t.Errorf("%s: the hash is that of %s, %v", what, seen[h], err)
		}
		seen[h] = what
	}
	note("the beginning")
	job, err := table.Design(t.Context(), recipe.Env{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range job.Trainable() {
		if err := e.Store().WriteAt(p.State(), p.Shape.Size()-1, []float32{42}); err != nil {
			t.Fatal(err)
		}
		note(p.Name)
	}
}

// TestDiverged names the ranks that differ from the majority, and of equal halves those
// that differ from the lowest rank.
func TestDiverged(t *testing.T) {
	for _, tc := range []struct {
		hashes []uint64
		want   string
	}{
		{[]uint64{1, 1, 1}, ""}, {[]uint64{2, 1, 1}, "rank 0 against 2"}, {[]uint64{1, 2, 1, 3}, "ranks 1, 3 against 2"}, {[]uint64{1, 1, 2, 2}, "ranks 2-3 against 2"},
	} {
		var notices []ranks.Notice
		for _, h := range tc.hashes {
			notices = append(notices, ranks.Notice{Hash: h})
		}
		err := diverged(notices)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%v: %v, want %q", tc.hashes, err, tc.want)
		}
	}
}

// TestRanksMayDifferWhereTheyRun: device and threads are each rank's own, and nothing else
// is.
func TestRanksMayDifferWhereTheyRun(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		same   bool
	}{
		"device":  {func(c *Config) { c.Device = "cpu" }, true},
		"threads": {func(c *Config) { c.Threads = 3 }, true},
		"seed":    {func(c *Config) { c.Run.Seed++ }, false},
		"lr":      {func(c *Config) { c.Optimizer.LR *= 2 }, false},
	} {
		cfg := ranksConfig(t)
		cfg.Train.Steps, cfg.Train.EvalEvery, cfg.Train.SaveEvery, cfg.Train.Sample = 1, 0, 0, ""
		errs, _ := trainRanks(t, t.Context(), cfg, 2, func(rank int, c *Config, _ *Deps) {
			if rank == 1 {
				tc.change(c)
			}
		})
		if err := errors.Join(errs...); (err == nil) != tc.same {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// TestJudgedByTheFirstMetric: of the metrics of an evaluation a run is judged by the first,
// and the best checkpoint is that of its step.
func TestJudgedByTheFirstMetric(t *testing.T) {
	cfg := lineConfigOf(t, "train.patience=100", "train.save_every=0")
	r := trainLines(t, cfg, 1, 0)
	if r.err != nil {
		t.Fatal(r.err)
	}
	best := r.vals[0]
	for _, v := range r.vals {
		if v.Get("nll") < best.Get("nll") {
			best = v
		}
	}
	got := r.result.State.Best
	if got == nil || got.Value != best.Get("nll") || got.Step != int(best.Step) {
		t.Errorf("the best is %+v, of %+v", got, best)
	}
	if found, err := checkpoint.Verify(vfs.OS{}, checkpoint.Dir(cfg.Run.Dir, best.Step)); err != nil || found.Step != best.Step {
		t.Errorf("the checkpoint of the best evaluation: %v", err)
	}
}

// TestAnotherRecipeFromAForeignCheckpoint: a run that begins from a checkpoint of another may
// learn otherwise, the run itself may not.
func TestAnotherRecipeFromAForeignCheckpoint(t *testing.T) {
	cfg := tinyConfig(t)
	setGPT2(t, &cfg, func(c *gpt2.Config) { c.Context = 96 })
	dir := t.TempDir()
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := tokenizers.Save(vfs.OS{}, dir, tokens, hf.Roles{EOS: bpe.EndOfText}); err != nil {
		t.Fatal(err)
	}
	cfg.Tokenizer = config.TokenizerConfig{Path: dir}
	cfg.Train.Steps, cfg.Train.SaveEvery, cfg.Train.EvalEvery, cfg.Train.Sample, cfg.Train.DocumentMask = 2, 0, 0, "", true
	first := mustTrain(t, cfg, deps(t, 1))
	path := filepath.Join(dir, "a.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat(`{"prompt": "q", "completion": "a"}`+"\n", 20)), 0o666); err != nil {
		t.Fatal(err)
	}
	talks := &text.InstructData{Config: data.Config{Format: data.FormatText, TextKey: "text", Paths: []string{path}}, Instruct: records.Default()}
	talks.Instruct.Template = "plain"
	if err := errors.Join(cfg.Recipe.Set("instruct", &struct{}{}), cfg.Data.Set(text.FormatInstruct, talks)); err != nil {
		t.Fatal(err)
	}
	cfg.Train.Steps = 3
	own := cfg
	if _, err := Train(context.Background(), own, deps(t, 1)); err == nil || !strings.Contains(err.Error(), "recipe") {
		t.Errorf("the run goes on with another recipe: %v", err)
	}
	cfg.Run.Dir += "-other"
	d := deps(t, 1)
	d.Resume = first.Checkpoint
	if r := mustTrain(t, cfg, d); r.Steps != 1 || r.State.Step != 3 {
		t.Errorf("%d steps to step %d", r.Steps, r.State.Step)
	}
}
