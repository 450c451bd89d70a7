package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/autograd/plan"
	"example.com/gotrain/data"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/engine"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/text"
	"example.com/gotrain/train/save"
	"example.com/gotrain/train/scale"
)

// TestWhatARunTells is the text of a run from beginning to end, in which every number is
// another one.
func TestWhatARunTells(t *testing.T) {
	cfg := config.Default(config.Tables{Families: zoo.Families()})
	if err := cfg.Model.Set(gpt2.Name, &gpt2.Config{Layers: 1, Heads: 2, Width: 8, Context: 16, Vocab: 20}); err != nil {
		t.Fatal(err)
	}
	cfg.Train.Sample, cfg.Run.Dir = "", t.TempDir()
	job, err := text.Design(t.Context(), recipe.Env{Config: cfg, Families: zoo.Families()})
	if err != nil {
		t.Fatal(err)
	}
	programs, err := engine.Compile(cfg, job, plan.Target{HostMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := New(&out)
	l := p.Listener()
	const mib = 1 << 20
	predicted := engine.Forecast{
		Params: 12e6, Trainable: 3e6, PeakBytes: 50 * mib, StateBytes: 30 * mib, ArenaBytes: 20 * mib, SnapshotBytes: 10 * mib,
		Unit: "tokens", UnitsPerS: 2500, StepUnits: 300, StepMS: 120, Seconds: 4321,
	}
	l.Phase(recipe.Prepared{Name: "tokenizer", Detail: "bpe"})
	l.Preparing(data.Progress{TextBytes: 3 * mib, Tokens: 77})
	l.Started(events.Started{Step: 3, Steps: 9, Config: cfg, Job: job, Forecast: predicted, Programs: programs})
	step := func(n int64, ms float64) {
		l.Step(events.Step{Steps: 9, ETA: 90 * time.Second, Record: metrics.Record{
			Step: n, Split: metrics.Train, Values: metrics.Values{{Name: "nll", Value: 2.5}, {Name: "ppl", Value: 12.1825}},
			LR: 3e-4, GradNorm: 1.5, Unit: "tokens", Seen: 123456, PerS: 1500, StepMS: ms,
		}})
	}
	step(4, 150)
	step(5, 350) // too soon for another line
	l.Validation(metrics.Record{Step: 5, Values: metrics.Values{{Name: "nll", Value: 2.25}, {Name: "bits_per_byte", Value: 3.125}}})
	l.Sample(5, "The\n")
	l.Saved(checkpoint.Saved{Path: "runs/x/checkpoints/step-00000005", Step: 5, Bytes: 7 * mib})
	l.SaveWaited(save.Waited{Step: 6, For: 4, Waited: 2500 * time.Millisecond})
	l.SaveWaited(save.Waited{Step: 7, For: 4, Waited: time.Second}) // told once
	l.Skipped(events.Skip{Step: 7, GradNorm: 60, Limit: 12.5, InARow: 2, From: []data.Origin{{}, {File: "a", Offset: 1}, {File: "b", Offset: 2}, {File: "c", Offset: 3}, {File: "d", Offset: 4}}})
	l.Skipped(events.Skip{Step: 8, Op: "MatMul at h.0", InARow: 1})
	l.Skipped(events.Skip{Step: 8, InARow: 3})
	l.Straggler(ranks.Straggler{Step: 8, Rank: 2, Seconds: 0.75, Median: 0.5})
	step(9, 250)
	p.Finish(events.Result{
		Config: cfg,
		Steps:  3, Elapsed: 80 * time.Second, Early: true, Best: "runs/x/checkpoints/best",
		State: save.State{Step: 9, Best: &save.Best{Step: 5, Value: 2.25, Worse: 4}},
	})
	want := `tokenizer  bpe
shards     3.0 MiB of text, 77 tokens
model      gpt2, 12M parameters, 3M of them trained, context 16, float32
memory     50.0 MiB: 30.0 MiB state, 20.0 MiB activations and scratch, 10.0 MiB copy of the state for saves
resume     from step 3 of 9
step 4/9  nll 2.5000  ppl 12.18  1.5k tokens/s  150 ms  lr 3.00e-04  ETA 1m30s
step 5      validation: nll 2.2500  bits_per_byte 3.1250
step 5      sample: "The\n"
step 5      saved runs/x/checkpoints/step-00000005 (7.0 MiB)
step 6      saving waited 2.5 s for the checkpoint of step 4, which was still being written; raise train.save_every if that costs too much
step 7      skipped: gradient norm 60 is above 12.5 (2 in a row)
            its first rows are from ` + data.Origin{File: "a", Offset: 1}.String() + ", " + data.Origin{File: "b", Offset: 2}.String() + ", " + data.Origin{File: "c", Offset: 3}.String() + `
step 8      skipped: MatMul at h.0 gave the first result that is not finite (1 in a row)
step 8      skipped: the gradient is not finite (3 in a row)
step 8      rank 2 is slow: 750 ms before its first sum, the median rank 500 ms
step 9/9  nll 2.5000  ppl 12.18  1.5k tokens/s  250 ms  lr 3.00e-04  ETA 1m30s
done       3 steps in 1m20s
              predicted       actual  
step             120 ms       250 ms  median
tokens/s           2.5k         1.2k  of the median step
time             360 ms        1m20s  actual with evaluations and checkpoints
memory     MEMORY
best       step 5, validation 2.2500: runs/x/checkpoints/best
stopped    early: 4 evaluations in a row without improvement
`
	if device.PeakMemory() == 0 { // not known on this system
		want = strings.Replace(want, "memory     MEMORY\n", "", 1)
	}
	got := strings.Split(out.String(), "\n")
	for i, line := range got {
		if fields := strings.Fields(line); len(fields) > 8 && fields[0] == "memory" && strings.HasSuffix(line, "most resident at once") {
			got[i] = "memory     MEMORY"
			if total := fields[1] + " " + fields[2]; total == "0 B" {
				t.Errorf("predicted memory %s", total)
			}
		}
	}
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("a run tells\n%s\nwant\n%s", text, want)
	}
}

// TestFinishBesideLaws: a run whose folder has fitted laws ends with the loss that they
// expected beside its own.
func TestFinishBesideLaws(t *testing.T) {
	validation := metrics.Record{Values: metrics.Values{{Name: "nll", Value: 2.2}}}
	law := forecast.Law{File: "runs/scale.json", Runs: 12, Expected: scale.Plan{Loss: scale.Estimate{Value: 2, Low: 1.9, High: 2.125}}}
	for want, c := range map[string]struct {
		law    *forecast.Law
		result events.Result
	}{
		"loss             2.0000       2.2000  +10.00%, by runs/scale.json of 12 runs, band 1.9000 to 2.1250\n": {&law, events.Result{Steps: 3, Validation: &validation}},
		"memory without laws":    {nil, events.Result{Steps: 3, Validation: &validation}},
		"memory of an early end": {&law, events.Result{Steps: 3, Validation: &validation, Early: true, State: save.State{Best: &save.Best{}}}},
		"memory of another loss": {&law, events.Result{Steps: 3, Validation: &metrics.Record{Values: metrics.Values{{Name: "elbo", Value: 2}}}}},
	} {
		var out bytes.Buffer
		p := New(&out)
		p.law = c.law
		p.Finish(c.result)
		if expected := strings.HasPrefix(want, "loss"); expected && !strings.Contains(out.String(), want) || !expected && strings.Contains(out.String(), "loss") {
			t.Errorf("a run ends with\n%s\nwant %q", &out, want)
		}
	}
}
