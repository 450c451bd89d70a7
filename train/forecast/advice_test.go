package forecast_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/nn/gpt2"
	"example.com/gotrain/nn/zoo"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/forecast"
)

// TestAdvice: a split that recomputes without need, or that does not fit, is mended by
// one that makes the same step, fits and is as fast and large as it says.
func TestAdvice(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"recompute": func(c *config.Config) { c.Train.Batch, c.Train.Accumulate, c.Train.Recompute = 8, 4, true },
		"too large": func(c *config.Config) { c.Train.Batch = 1 << 16 },
	} {
		cfg := oneLayer()
		change(&cfg)
		r, err := onH100(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a := r.Advice
		if a == nil || a.Batch*a.Accumulate != cfg.Train.Batch*cfg.Train.Accumulate || a.Peak > r.Limits.Usable() {
			t.Fatalf("%s: advice %+v", name, a)
		}
		if r.Fits() && a.UnitsPerS < 1.03*r.UnitsPerS {
			t.Errorf("%s: %g tokens/s are advised in place of %g", name, a.UnitsPerS, r.UnitsPerS)
		}
		cfg.Train.Batch, cfg.Train.Accumulate, cfg.Train.Recompute = a.Batch, a.Accumulate, a.Recompute
		again, err := onH100(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if again.UnitsPerS != a.UnitsPerS || again.Memory.Total != a.Peak {
			t.Errorf("%s: %+v is advised, its plan has %g tokens/s and %d bytes", name, a, again.UnitsPerS, again.Memory.Total)
		}
		if again.Advice != nil && again.Advice.Recompute != a.Recompute {
			t.Errorf("%s: %+v, then %+v", name, a, again.Advice)
		}
	}
}

// TestAdviceIsTheBest plans every split of a step by itself: of those within a hundredth of
// the fastest the one with the least memory is advised.
func TestAdviceIsTheBest(t *testing.T) {
	cfg := oneLayer()
	cfg.Train.Batch, cfg.Train.Accumulate, cfg.Train.Recompute = 8, 4, true
	r, err := onH100(cfg)
	if err != nil {
		t.Fatal(err)
	}
	type split struct {
		batch     int
		recompute bool
		speed     float64
		peak      int64
	}
	var all []split
	fastest := 0.0
	for batch := 1; batch <= 32; batch *= 2 {
		for _, recompute := range []bool{false, true} {
			c := cfg
			c.Train.Batch, c.Train.Accumulate, c.Train.Recompute = batch, 32/batch, recompute
			p, err := onH100(c)
			if err != nil {
				t.Fatal(err)
			}
			if p.Fits() {
				all = append(all, split{batch, recompute, p.UnitsPerS, p.Memory.Total})
				fastest = max(fastest, p.UnitsPerS)
			}
		}
	}
	var best split
	for _, s := range all {
		if s.speed >= 0.99*fastest && (best.batch == 0 || s.peak < best.peak) {
			best = s
		}
	}
	if a := r.Advice; a == nil || a.Batch != best.batch || a.Recompute != best.recompute || a.Peak != best.peak || a.UnitsPerS != best.speed {
		t.Errorf("advice %+v, the best of %d is %+v", a, len(all), best)
	}
}

// TestPast compares runs with what was forecast for them.
func TestPast(t *testing.T) {
	root := t.TempDir()
	cfg := config.Default(config.Tables{Families: zoo.Families()})
	if cfg.Model.Name() != gpt2.Name {
		t.Fatal(cfg.Model.Name())
	}
	add := func(name, machine string, promised float64, steps int, took float64) {
		cfg.Run.Dir = filepath.Join(root, name)
		if err := os.MkdirAll(cfg.Run.Dir, 0o777); err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		for step := range steps {
			fmt.Fprintf(&lines, `{"step":%d,"split":"train","nll":1,"tokens":1,"tokens_per_s":1,"step_ms":%g,"time":"2026-01-02T03:04:05Z"}`+"\n", step+1, took)
		}
		for file, text := range map[string]string{"metrics.jsonl": lines.String(), "config.yaml": "{}"} {
			if err := os.WriteFile(filepath.Join(cfg.Run.Dir, file), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := forecast.Keep(vfs.OS{}, cfg, machine, promised); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Run.Dir = filepath.Join(root, "next")
	if p := forecast.PastOf(cfg, "a"); p != nil {
		t.Errorf("without runs: %+v", p)
	}
	add("one", "a", 10, 12, 11)
	add("two", "a", 10, 12, 9)
	add("three", "a", 20, 12, 26)
	add("short", "a", 1, 3, 100)
	add("other", "b", 1, 12, 100)
	cfg.Run.Dir = filepath.Join(root, "next")
	if p := forecast.PastOf(cfg, "a"); p == nil || *p != (forecast.Past{Runs: 3, Low: 0.9, Median: 1.1, High: 1.3}) {
		t.Errorf("past is %+v", p)
	}
	add("four", "a", 10, 12, 14)
	add("five", "a", 10, 12, 12)
	cfg.Run.Dir = filepath.Join(root, "next")
	if p := forecast.PastOf(cfg, "a"); p == nil || *p != (forecast.Past{Runs: 5, Low: 0.9, Median: 1.2, High: 1.4}) {
		t.Errorf("past of five is %+v", p)
	}
}
