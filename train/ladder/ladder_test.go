package ladder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/ladder"
	"example.com/gotrain/train/recipe/all"
	"example.com/gotrain/train/runs"
	"example.com/gotrain/train/scale"
)

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// ladderFile writes a ladder whose budgets are given by the line.
func ladderFile(t *testing.T, count, budgets string) string {
	t.Helper()
	dir := t.TempDir()
	base := write(t, filepath.Join(dir, "base.yaml"), `
model:     {family: llama, layers: 1, heads: 2, width: 16, ffn: 32, context: 32}
tokenizer: {kind: bytes}
data:      {train: [text.txt]}
train:     {batch: 4, accumulate: 2, epochs: 3}
optimizer: {warmup: 40}
`)
	return write(t, filepath.Join(dir, "ladder.yaml"), fmt.Sprintf("config: %q\ndir: %q\ncount: %s\n%s\nsizes: [[], [model.layers=2]]\n", base, filepath.Join(dir, "runs"), count, budgets))
}

// TestOpen: each size has a run for each budget, in the order of their compute.
func TestOpen(t *testing.T) {
	const step = 4 * 2 * 32
	block := 4*16*16 + 3*16*32 + 2*16          // attention, feed-forward, norms
	body, whole := block+16, block+16+2*257*16 // the last norm; tokens and head
	for _, c := range []struct {
		count, budgets string
		n              int // of the first size
		d              []float64
	}{
		{"all", "tokens: [2560, 25600]", whole, []float64{2560, 25600}},
		{"non-embedding", "tokens: [2560, 25600]", body, []float64{2560, 25600}},
		{"non-embedding", "tokens_per_parameter: [10]", body, []float64{10 * float64(body)}},
		{"all", "budgets: [1e9]", whole, []float64{1e9 / 6 / float64(whole)}},
	} {
		l, err := ladder.Load(ladderFile(t, c.count, c.budgets), nil)
		if err != nil {
			t.Fatal(err)
		}
		rungs, err := l.Open(t.Context(), all.Table())
		if err != nil {
			t.Fatal(err)
		}
		if len(rungs) != 2*len(c.d) {
			t.Fatalf("%s: %d rungs", c.budgets, len(rungs))
		}
		seen := 0
		for i, r := range rungs {
			cfg := r.Config
			if r.D != float64(cfg.Train.Steps)*step || cfg.Train.Epochs != 0 || cfg.Optimizer.Warmup != min(40, cfg.Train.Steps/10) {
				t.Errorf("%s: %g tokens in %d steps, %d of warmup", c.budgets, r.D, cfg.Train.Steps, cfg.Optimizer.Warmup)
			}
			if i > 0 && r.C() < rungs[i-1].C() {
				t.Errorf("%s: rung %d is cheaper than the one before", c.budgets, i)
			}
			if r.N != float64(c.n) {
				if r.N != float64(c.n+block) {
					t.Errorf("%s, %s: N is %g, want %d or %d", c.budgets, c.count, r.N, c.n, c.n+block)
				}
				continue
			}
			for _, d := range c.d {
				if r.D > d-step && r.D < d+step {
					seen++
				}
			}
		}
		if seen != len(c.d) {
			t.Errorf("%s: of the first size %d rungs have a D of %v", c.budgets, seen, c.d)
		}
		states, err := ladder.States(rungs, all.Table().Config())
		if err != nil || states[0].State != ladder.Waiting {
			t.Errorf("%+v, %v", states, err)
		}
	}
}

// TestRead: of runs those count that are done, with their last held-out loss.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	config := "model: {family: llama, layers: 1, heads: 2, width: 16, ffn: 32, context: 32, vocab: 257}\ntokenizer: {kind: bytes}\ndata: {train: [text.txt]}\ntrain: {steps: 4}\n"
	line := func(step int, split string, loss float64) string {
		return fmt.Sprintf(`{"step":%d,"split":%q,"nll":%g,"tokens":%d,"tokens_per_s":1,"step_ms":1,"time":"2026-01-02T03:04:05Z"}`+"\n", step, split, loss, 100*step)
	}
	for name, files := range map[string][2]string{
		"a/done":    {config, line(2, "val", 3.5) + line(3, "train", 1) + line(4, "train", 1) + line(4, "val", 3)},
		"b/stopped": {config, line(2, "val", 3)},
		"c/blind":   {config, line(4, "train", 3)},
		"d/broken":  {"model: {", line(4, "val", 3)},
	} {
		write(t, filepath.Join(dir, name, "config.yaml"), files[0])
		write(t, filepath.Join(dir, name, "metrics.jsonl"), files[1])
	}
	found, err := runs.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	results, err := ladder.Read(t.Context(), all.Table(), func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }, found)
	if err != nil {
		t.Fatal(err)
	}
	block := 4*16*16 + 3*16*32 + 2*16
	if len(results) != 1 || results[0].Body != int64(block+16) || results[0].All != int64(block+16+2*257*16) {
		t.Fatalf("%+v\n%s", results, notes)
	}
	if told := strings.Join(notes, "\n"); len(notes) != 3 || !strings.Contains(told, "stopped is left out: it is at step 2 of 4") || !strings.Contains(told, "blind is left out: it has no held-out loss") || !strings.Contains(told, "broken is left out: ") {
		t.Errorf("notes:\n%s", told)
	}
	end := ladder.Points(results, scale.CountAll, false)
	if len(end) != 1 || end[0].Loss != 3 || end[0].D != 400 || end[0].N != float64(results[0].All) {
		t.Errorf("%+v", end)
	}
	if curve := ladder.Points(results, scale.CountBody, true); len(curve) != 2 || curve[0].Loss != 3.5 || curve[0].D != 200 || curve[1].N != float64(results[0].Body) {
		t.Errorf("%+v", curve)
	}
	file := filepath.Join(dir, "table.csv")
	six := []ladder.Result{results[0], results[0], results[0], results[0], results[0], results[0]}
	if err := ladder.WriteTable(vfs.OS{}, file, six, scale.CountBody); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	points, err := scale.ReadCSV(f, file, scale.Columns{})
	if err != nil || len(points) != 6 || points[0].N != float64(results[0].Body) || points[0].D != 400 || points[0].Loss != 3 {
		t.Errorf("%+v, %v", points, err)
	}
}
